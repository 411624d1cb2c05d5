// Package diff is the program ms-diff.
package diff

import (
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"microsecrets/lib/internal/hint"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// Usage is what ms-diff -h prints.
var Usage = `usage: ms-diff [flags] NAME [OTHER] | PREFIX/ [OTHERPREFIX/]

Say what differs between two secrets, and never a value. Both are decrypted and
verified. NAME alone is compared with what it was: its latest version with the one
before it. Of two environments, a line for each variable that differs: "+ VAR" if
only the second has it, "- VAR" if only the first has it, "~ VAR" if its value is
another one. Of other secrets, "~ NAME". Of prefixes, the names that begin with them
are compared: "+ NAME" and "- NAME" are in one place only, and a variable follows
its NAME and a tab. The status is 0 if nothing differs, 1 if anything does, and
otherwise 2 or more.

  -at VERSION      that version of NAME in the place of its latest; without OTHER,
                   it is compared with the latest
  -with STORE      OTHER is in this store; without OTHER, the same NAME
  -with-key KEYS   with -with: the KMS key there (default: the setting key)
  -with-region REGION
                   with -with: the AWS region there (default: the setting region)
  -json            a JSON object on each line: change (added, removed or changed),
                   name, other, variable
  -q               print nothing; the status says it
` + tool.Usage + `
example:
  ms-diff myservice/env || test $? = 1
`

// pairsAtOnce is how many pairs of secrets are compared at once.
const pairsAtOnce = tool.ManyAtOnce / 2

// heldMax is the length in bytes of a stored message above which a secret is read a
// second time where its variables are asked for. Few environments are as long.
const heldMax = 1 << 20

// withFlag is the flag that names the second store.
const withFlag = "-with"

type options struct {
	at          string
	other       tool.Other
	json, quiet bool
}

// Run is one call of ms-diff. It returns the exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := tool.New("ms-diff", Usage, stdin, stdout, stderr)
	t.Different = true
	var o options
	tool.NonEmpty(t.FlagSet, &o.at, "at")
	tool.NonEmpty(t.FlagSet, &o.other.Store, "with")
	tool.NonEmpty(t.FlagSet, &o.other.Key, "with-key")
	tool.NonEmpty(t.FlagSet, &o.other.Region, "with-region")
	t.BoolVar(&o.json, "json", false, "")
	t.BoolVar(&o.quiet, "q", false, "")
	return t.Run(ctx, args, func(ctx context.Context, names []string) error {
		if err := t.NoFlags(args, names); err != nil {
			return err
		}
		if err := o.check(t, names); err != nil {
			return err
		}
		d, err := o.open(ctx, t, names)
		if err != nil {
			return err
		}
		if tool.IsPrefix(names[0]) {
			return d.prefixes(ctx, names[0], names[len(names)-1])
		}
		return d.names(ctx, names)
	})
}

// check refuses flags and names before anything is opened.
func (o *options) check(t *tool.Tool, names []string) error {
	if err := tool.Exclusive(t.FlagSet, [][]string{{"json", "q"}}); err != nil {
		return err
	}
	with := o.other.Store != ""
	switch {
	case len(names) == 0:
		return tool.Usagef("no NAME (ms-diff -h shows the usage)")
	case len(names) > 2:
		return tool.Usagef("more than NAME and OTHER")
	case len(names) == 2 && tool.IsPrefix(names[0]) != tool.IsPrefix(names[1]):
		return tool.Usagef("NAME goes with OTHER, and PREFIX/ with OTHERPREFIX/")
	case len(names) == 1 && tool.IsPrefix(names[0]) && !with:
		return tool.Usagef("PREFIX/ goes with OTHERPREFIX/, or with flag -with")
	case tool.IsPrefix(names[0]) && o.at != "":
		return tool.Usagef("flag -at is for one NAME")
	case !with && o.other.Key != "":
		return tool.Usagef("flag -with-key goes with -with")
	case !with && o.other.Region != "":
		return tool.Usagef("flag -with-region goes with -with")
	}
	s, err := t.Settings()
	if err != nil {
		return err
	}
	first := names
	if with {
		first = names[:1]
		if err := o.other.Check(withFlag, ""); err != nil {
			return err
		}
	}
	var refused tool.Failures
	for _, arg := range first {
		refused = append(refused, tool.CheckPrefixed(s.Store, &secret.Options{Key: s.Key}, arg))
	}
	if with {
		refused = append(refused, o.other.CheckPrefixed(t, names[len(names)-1]))
	}
	return refused.Err()
}

// open opens the store or the stores.
func (o *options) open(ctx context.Context, t *tool.Tool, names []string) (*differ, error) {
	d := &differ{options: o, tool: t, out: &printer{w: t.Output(ctx), json: o.json, quiet: o.quiet}}
	var ahead, aheadOther []string
	switch {
	case tool.IsPrefix(names[0]):
	case o.other.Store != "":
		ahead, aheadOther = names[:1], names[len(names)-1:]
	case len(names) == 1:
		ahead = []string{names[0], names[0]}
	default:
		ahead = names
	}
	var err error
	if d.first, err = t.Open(ctx, ahead...); err != nil {
		return nil, err
	}
	d.second = d.first
	if o.other.Store != "" {
		d.second, err = o.other.Open(t, d.first, aheadOther...)
		err = o.other.Failed(err, withFlag)
	}
	return d, err
}

// A differ compares secrets of two stores, which may be one.
type differ struct {
	*options
	tool          *tool.Tool
	first, second *secret.Store
	out           *printer

	parsing sync.Mutex // held while two environments are in memory
}

// A side is one of the two secrets of a pair.
type side struct {
	name    string // empty: there is none
	version string // empty: the latest
	listed  bool   // if it is not there, it is gone since it was listed: that is no failure
}

// different is the end of a call that has found something.
func (d *differ) different(err error) error {
	if err == nil && d.out.any {
		return &tool.Exit{Status: 1}
	}
	return err
}

// progress begins one, for so many pairs.
func (d *differ) progress(pairs int, outcomes ...string) *tool.Progress {
	if d.quiet {
		return nil
	}
	return d.tool.Progress(pairs, outcomes...)
}

func outcome(changes []change) string {
	if len(changes) > 0 {
		return "different"
	}
	return "same"
}

// names compares NAME with OTHER, or with another version.
func (d *differ) names(ctx context.Context, names []string) error {
	a, b := side{name: names[0], version: d.at}, side{name: names[len(names)-1]}
	if len(names) == 1 && d.other.Store == "" {
		if d.at == "" {
			var err error
			if a, b, err = d.lastTwo(ctx, names[0]); err != nil {
				return err
			}
		}
		b.listed = true // a deletion is a part of the history
	}
	d.progress(0)
	changes, err := d.compare(ctx, a, b)
	if err != nil {
		return err
	}
	return d.different(d.out.print(changes))
}

// lastTwo are the version before the latest and the latest.
func (d *differ) lastTwo(ctx context.Context, name string) (before, latest side, err error) {
	var found []side
	for v, err := range d.first.Versions(ctx, name) {
		if err != nil {
			return before, latest, err
		}
		s := side{name: name, version: v.ID}
		if v.Deleted {
			s.name = ""
		}
		if found = append(found, s); len(found) == 2 {
			d.tool.Debugf("%s: version %s, and %s after it", name, found[1].version, found[0].version)
			return found[1], found[0], nil
		}
	}
	err = errors.New(name + ": has no version before the latest in " + d.first.String())
	return before, latest, &tool.Exit{Status: tool.StatusNotFound, Err: hint.With(err, "ms-diff NAME OTHER compares it with another secret, -with STORE with that of another store")}
}

// alone is what differs where at most one of two secrets is there.
func alone(a, b side, first, second bool) []change {
	switch {
	case first:
		return []change{{sign: removed, name: a.name}}
	case second:
		return []change{{sign: added, other: b.name}}
	}
	return nil
}

// failed is an error of a store, which names it where there are two.
func (d *differ) failed(store *secret.Store, err error) error {
	if d.other.Store != "" && store == d.second {
		return d.other.Failed(err, withFlag)
	}
	return err
}

// read returns a verified secret, or nil if there is none.
func (d *differ) read(ctx context.Context, store *secret.Store, s side) (*secret.Reader, error) {
	r, err := store.NewReader(ctx, s.name, &secret.GetOptions{Version: s.version, HeldMax: heldMax})
	switch {
	case s.listed && errors.Is(err, secret.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, d.failed(store, err)
	}
	d.tool.Claims(r.Info())
	return r, nil
}

// compare returns what differs between two secrets, sorted. One that is alone is not
// read.
func (d *differ) compare(ctx context.Context, a, b side) ([]change, error) {
	if a.name == "" || b.name == "" {
		return alone(a, b, a.name != "", b.name != ""), nil
	}
	var first, second *secret.Reader
	failed := make(tool.Failures, 2)
	var group sync.WaitGroup
	group.Go(func() { first, failed[0] = d.read(ctx, d.first, a) })
	group.Go(func() { second, failed[1] = d.read(ctx, d.second, b) })
	group.Wait()
	if first != nil {
		defer first.Close()
	}
	if second != nil {
		defer second.Close()
	}
	err := failed.Err()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	case first == nil || second == nil:
		return alone(a, b, first != nil, second != nil), nil
	case first.Equal(second):
		return nil, nil
	}
	d.parsing.Lock()
	defer d.parsing.Unlock()
	changes, isEnvironment, err := d.variables(first, second)
	if err != nil {
		return nil, err
	}
	if !isEnvironment {
		changes = []change{{sign: changed}}
	}
	for i := range changes {
		changes[i].name, changes[i].other = a.name, b.name
	}
	return changes, nil
}

// prefixes compares all names that begin with either prefix.
func (d *differ) prefixes(ctx context.Context, prefix, other string) error {
	d.out.named = true
	pairs, err := d.pairs(ctx, prefix, other)
	if err != nil {
		return err
	}
	p := d.progress(len(pairs), "same", "different")
	failed := make(tool.Failures, len(pairs))
	var group errgroup.Group
	group.SetLimit(pairsAtOnce)
	for i, pair := range pairs {
		group.Go(func() error {
			var changes []change
			if failed[i] = context.Cause(ctx); failed[i] == nil && !d.out.broken() {
				if changes, failed[i] = d.compare(ctx, pair[0], pair[1]); failed[i] == nil {
					p.Done(outcome(changes))
				}
			}
			d.out.printAt(i, changes)
			return nil
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return d.different(append(failed, d.out.err).Err())
}
