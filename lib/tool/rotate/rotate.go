// Package rotate is the program ms-rotate.
package rotate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// Usage is what ms-rotate -h prints.
var Usage = `usage: ms-rotate [flags] NAME|PREFIX/...

Decrypt secrets, verify them, and encrypt them anew under the key that is set
today, on condition that nobody replaces them meanwhile; those under it already
are left as they are. An argument that ends in "/" stands for all names that
begin with it, and "-" for names on standard input. Prints a line for each,
"rotated" or "current" and the name, as it goes.

  -from KEYS       further KMS keys that may be read, with commas
  -n               change nothing: print "old" in the place of "rotated"
  -versions        change nothing: print each version that is under other keys,
                   with its VERSION, NAME and the ARNs of those
  -last-writer-wins
                   go on at a server that ignores conditions
  -0               names on standard input end with a NUL
` + tool.Usage + `
example:
  ms-rotate -from alias/old-key myservice/
`

type options struct {
	from              string
	dry, history, nul bool

	mu  sync.Mutex // held while a line is printed
	out io.Writer
}

// Run is one call of ms-rotate. It returns the exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := tool.New("ms-rotate", Usage, stdin, stdout, stderr)
	o := options{out: t.Stdout}
	tool.NonEmpty(t.FlagSet, &o.from, "from")
	t.BoolVar(&o.dry, "n", false, "")
	t.BoolVar(&o.history, "versions", false, "")
	t.BoolVar(&t.LastWriterWins, "last-writer-wins", false, "")
	t.BoolVar(&o.nul, "0", false, "")
	return t.Run(ctx, args, func(ctx context.Context, names []string) error {
		if err := t.NoFlags(args, names); err != nil {
			return err
		}
		if err := tool.Exclusive(t.FlagSet, [][]string{{"versions", "n", "from", "last-writer-wins"}, {"n", "last-writer-wins"}}); err != nil {
			return err
		}
		if err := tool.CheckDash(names, o.nul); err != nil {
			return err
		}
		if len(names) == 0 {
			return tool.Usagef("no NAME (ms-rotate -h shows the usage)")
		}
		if err := t.CheckWritable(); err != nil {
			return err
		}
		names, err := t.Names(ctx, names, o.nul)
		if err != nil || len(names) == 0 {
			return err
		}
		if err := o.check(t, names); err != nil {
			return err
		}
		store, err := t.Open(ctx)
		if err != nil {
			return err
		}
		return o.rotate(ctx, t, store, names)
	})
}

// check refuses names before anything is opened.
func (o *options) check(t *tool.Tool, args []string) error {
	s, err := t.Settings()
	if err != nil {
		return err
	}
	var refused tool.Failures
	for _, arg := range args {
		err := tool.CheckPrefixed(s.Store, &secret.Options{Key: s.Key}, arg)
		if err == nil && o.from != "" {
			err = tool.CheckPrefixed(s.Store, &secret.Options{Key: o.from}, arg)
		}
		refused = append(refused, err)
	}
	return refused.Err()
}

func (o *options) rotate(ctx context.Context, t *tool.Tool, store *secret.Store, args []string) error {
	names, err := expand(ctx, t, store, args)
	if err != nil {
		return err
	}
	finish, cancel := tool.Finish(ctx)
	defer cancel()
	p := t.Progress(len(names), "rotated", "old", "current")
	rotator := store.NewRotator(&secret.RotateOptions{From: o.from})
	return tool.Each(ctx, names, func(name string) error {
		var r *secret.Rotation
		var err error
		outcome := "rotated"
		switch {
		case o.history:
			err = o.versions(ctx, store, rotator, name)
		case o.dry:
			r, err = rotator.Plan(ctx, name, "")
			outcome = "old"
		default:
			r, err = rotator.Rotate(finish, name)
		}
		switch {
		case errors.Is(err, secret.ErrNotFound) && !slices.Contains(args, name):
			p.Done("gone") // since it was listed
			return nil
		case err != nil:
			return err
		case o.history:
			p.Done("listed")
			return nil
		case r.Current:
			outcome = "current"
		}
		p.Done(outcome)
		return o.outcome(r, outcome)
	}).Err()
}

// expand puts the names that begin with a prefix in its place, and sorts all.
func expand(ctx context.Context, t *tool.Tool, store *secret.Store, args []string) ([]string, error) {
	var names []string
	for _, arg := range args {
		if !tool.IsPrefix(arg) {
			names = append(names, arg)
			continue
		}
		below, err := t.ListNames(ctx, store, arg)
		if err != nil {
			return nil, err
		}
		names = append(names, below...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// outcome prints what became of a secret.
func (o *options) outcome(r *secret.Rotation, outcome string) error {
	return o.print("%-7s  %s\n", outcome, r.Name)
}

// versions prints the versions of a secret that are under other keys.
func (o *options) versions(ctx context.Context, store *secret.Store, rotator *secret.Rotator, name string) error {
	for v, err := range store.Versions(ctx, name) {
		if err != nil {
			return err
		}
		if v.Deleted {
			continue
		}
		r, err := rotator.Plan(ctx, name, v.ID)
		if err != nil {
			return err
		}
		if r.Current {
			continue
		}
		if err := o.print("%s  %s  %s\n", v.ID, name, strings.Join(r.Old, ",")); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) print(format string, args ...any) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := fmt.Fprintf(o.out, format, args...); err != nil {
		return tool.FileError("standard output", err)
	}
	return nil
}
