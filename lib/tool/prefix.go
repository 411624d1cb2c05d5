package tool

import (
	"context"
	"errors"
	"strings"

	"microsecrets/lib/secret"
)

// IsPrefix reports whether an argument that may be NAME or PREFIX/ is a prefix: it
// stands for all names that begin with it.
func IsPrefix(arg string) bool { return strings.HasSuffix(arg, "/") }

// CheckPrefixed is secret.Check of an argument that is a NAME or PREFIX/: of a prefix,
// what any name that begins with it would be refused for.
func CheckPrefixed(store string, o *secret.Options, arg string) error {
	if !IsPrefix(arg) {
		return secret.Check(store, o, arg)
	}
	if err := secret.CheckPrefix(arg); err != nil {
		return err
	}
	if secret.CheckName(arg+"x") != nil {
		return Usagef("prefix %q is refused: no name begins with it", arg)
	}
	err := secret.Check(store, o, arg+"x")
	var e *secret.Error
	if errors.As(err, &e) {
		return e.Err // without a name that nobody gave
	}
	return err
}

// ListNames returns the names that begin with a prefix, sorted, and prints how many
// keys are left out that are not names.
func (t *Tool) ListNames(ctx context.Context, store *secret.Store, prefix string) (names []string, err error) {
	left := 0
	for e, err := range store.List(ctx, prefix, nil) {
		switch {
		case err != nil:
			return nil, err
		case e.Valid:
			names = append(names, e.Name)
		default:
			left++
		}
	}
	if left > 0 {
		t.Notef("%d keys that begin with %s are not names of secrets and were left out", left, prefix)
	}
	return names, nil
}
