package get

import (
	"context"
	"errors"
	"slices"
	"strings"

	"microsecrets/lib/environ"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/secret"
)

// advise adds to the error of a name without a slash that does not exist what was likely meant.
func (o *options) advise(ctx context.Context, store *secret.Store, names []string, name string, err error) error {
	if !errors.Is(err, secret.ErrNotFound) || o.at != "" || strings.Contains(name, "/") {
		return err
	}
	if i := slices.Index(names, name); i > 0 && environ.ValidName(name) {
		return hint.With(err, "one variable of an environment: ms-get -k "+name+" "+names[i-1])
	}
	for e, failed := range store.List(ctx, name+"/", nil) {
		if failed == nil && e.Valid {
			return hint.With(err, "there are names that begin with "+name+"/: ms-ls "+name+"/")
		}
		break
	}
	return err
}
