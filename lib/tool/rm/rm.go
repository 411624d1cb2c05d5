// Package rm is the program ms-rm.
package rm

import (
	"context"
	"io"
	"slices"

	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// Usage is what ms-rm -h prints.
var Usage = `usage: ms-rm [flags] NAME...

Remove secrets. Where the bucket keeps versions this is a deletion that history
keeps: what was there can be got back. NAME "-" reads names from standard input.
It does not ask.

  -if VERSION      only if the latest version is VERSION, a version id or an
                   ETag (one NAME)
  -last-writer-wins
                   with -if: go on at a server that ignores conditions
  -at VERSION      remove that version, or that deletion, for good (one NAME)
  -purge           remove every version and every deletion for good
  -0               names on standard input end with a NUL
` + tool.Usage + `
example:
  ms-ls -0 oldservice/ | ms-rm -0 -
`

type options struct {
	ifVersion, at string
	purge, nul    bool
}

// Run is one call of ms-rm. It returns the exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := tool.New("ms-rm", Usage, stdin, stdout, stderr)
	var o options
	tool.NonEmpty(t.FlagSet, &o.ifVersion, "if")
	t.BoolVar(&t.LastWriterWins, "last-writer-wins", false, "")
	tool.NonEmpty(t.FlagSet, &o.at, "at")
	t.BoolVar(&o.purge, "purge", false, "")
	t.BoolVar(&o.nul, "0", false, "")
	return t.Run(ctx, args, func(ctx context.Context, names []string) error {
		if err := t.NoFlags(args, names); err != nil {
			return err
		}
		if err := tool.Exclusive(t.FlagSet, [][]string{{"if", "at", "purge"}, {"at", "purge"}}); err != nil {
			return err
		}
		if err := o.check(t, names); err != nil {
			return err
		}
		if err := t.CheckWritable(); err != nil {
			return err
		}
		names, err := t.Names(ctx, names, o.nul)
		if err != nil || len(names) == 0 {
			return err
		}
		return o.remove(ctx, t, names)
	})
}

func (o *options) check(t *tool.Tool, names []string) error {
	if err := tool.CheckDash(names, o.nul); err != nil {
		return err
	}
	several := len(names) > 1 || slices.Contains(names, "-")
	switch {
	case len(names) == 0:
		return tool.Usagef("no NAME (ms-rm -h shows the usage)")
	case several && o.ifVersion != "":
		return tool.Usagef("flag -if is for one NAME")
	case t.LastWriterWins && o.ifVersion == "":
		return tool.Usagef("flag -last-writer-wins goes with -if")
	case several && o.at != "":
		return tool.Usagef("flag -at is for one NAME")
	}
	return o.options().Check()
}

func (o *options) remove(ctx context.Context, t *tool.Tool, names []string) error {
	var refused tool.Failures
	for _, name := range names {
		refused = append(refused, secret.CheckName(name))
	}
	if err := refused.Err(); err != nil {
		return err
	}
	slices.Sort(names)
	names = slices.Compact(names)
	t.KeyUnused = true
	p := t.Progress(len(names), "removed")
	store, err := t.Open(ctx, tool.First(tool.ManyAtOnce, names)...)
	if err != nil {
		return err
	}
	return tool.Each(ctx, names, func(name string) error {
		err := store.Remove(ctx, name, o.options())
		if err == nil {
			p.Done("removed")
		}
		return err
	}).Err()
}

func (o *options) options() *secret.RemoveOptions {
	return &secret.RemoveOptions{If: o.ifVersion, Version: o.at, Purge: o.purge}
}
