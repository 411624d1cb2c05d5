// Package cp is the program ms-cp.
package cp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"microsecrets/lib/internal/hint"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// Usage is what ms-cp -h prints.
var Usage = `usage: ms-cp [flags] NAME NEWNAME | PREFIX/ NEWPREFIX/

Decrypt secrets, verify them, and encrypt them anew, each bound to its new name,
which a copy by S3 is not. PREFIX/ stands for all names that begin with it, and "/"
for all there are. Prints "copied NAME NEWNAME" for each as it goes, or "same" where
NEWNAME holds the same bytes already. A NEWNAME that holds others is refused, so
that a copy that was interrupted is taken up by the same command.

  -to STORE        into this store
  -to-key KEY      under this KMS key there, or several with commas (default: the
                   setting key)
  -to-region REGION
                   with -to: the AWS region there (default: that of the other store)
  -to-owner ID     with -to: the account that must own the bucket there (default:
                   the setting bucket-owner, if both are in one bucket)
  -at VERSION      that version of NAME in place of the latest
  -c HASH          NAME must match: the stored message's SHA-256 (a receipt), or the
                   plaintext's SHA-1, 256, 384 or 512, in hex
  -create          refuse a NEWNAME that exists, whatever it holds
  -if VERSION      replace NEWNAME, if its latest version is VERSION: a version id,
                   or an ETag
  -force           replace each NEWNAME that exists and holds other bytes
  -last-writer-wins
                   go on at a server that ignores conditions
  -n               change nothing: print what would be done, "copy" for "copied"
  -q               print no lines
` + tool.Usage + `
example:
  ms-cp -store s3://example-staging -to s3://example-production myservice/ myservice/
`

// What becomes of a secret, as the lines have it.
const (
	copied  = "copied"
	planned = "copy"
	same    = "same"
	gone    = "gone" // since it was listed; it has no line
)

type options struct {
	to       tool.Other
	sumFlag  tool.ChecksumFlag
	copy     secret.CopyOptions
	quiet    bool
	prefixes bool // the arguments are prefixes

	mu     sync.Mutex // held while a line is printed
	out    io.Writer
	skewed sync.Once
}

// Run is one call of ms-cp. It returns the exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := tool.New("ms-cp", Usage, stdin, stdout, stderr)
	o := options{out: t.Stdout}
	tool.NonEmpty(t.FlagSet, &o.to.Store, "to")
	tool.NonEmpty(t.FlagSet, &o.to.Key, "to-key")
	tool.NonEmpty(t.FlagSet, &o.to.Region, "to-region")
	tool.NonEmpty(t.FlagSet, &o.to.Owner, "to-owner")
	tool.NonEmpty(t.FlagSet, &o.copy.Version, "at")
	o.sumFlag.Register(t.FlagSet)
	t.BoolVar(&o.copy.Create, "create", false, "")
	tool.NonEmpty(t.FlagSet, &o.copy.If, "if")
	t.BoolVar(&o.copy.Replace, "force", false, "")
	t.BoolVar(&t.LastWriterWins, "last-writer-wins", false, "")
	t.BoolVar(&o.copy.Plan, "n", false, "")
	t.BoolVar(&o.quiet, "q", false, "")
	return t.Run(ctx, args, func(ctx context.Context, names []string) error {
		if err := t.NoFlags(args, names); err != nil {
			return err
		}
		if err := o.check(t, names); err != nil {
			return err
		}
		return o.run(ctx, t, names[0], names[1])
	})
}

// exclusive are the flags that do not go together: each with those after it.
var exclusive = [][]string{
	{"create", "if", "force"},
	{"if", "force"},
	{"n", "last-writer-wins"},
}

// check refuses flags and arguments before anything is opened.
func (o *options) check(t *tool.Tool, args []string) error {
	if err := tool.Exclusive(t.FlagSet, exclusive); err != nil {
		return err
	}
	switch {
	case len(args) == 0:
		return tool.Usagef("no NAME (ms-cp -h shows the usage)")
	case len(args) == 1:
		return tool.Usagef("no NEWNAME (ms-cp -h shows the usage)")
	case len(args) > 2:
		return tool.Usagef("more than NAME and NEWNAME")
	case tool.IsPrefix(args[0]) != tool.IsPrefix(args[1]):
		return tool.Usagef(`NAME goes with NEWNAME, and PREFIX/ with NEWPREFIX/: both end in "/", or neither does`)
	case o.to.Store == "" && o.to.Region != "":
		return tool.Usagef("flag -to-region goes with -to")
	case o.to.Store == "" && o.to.Owner != "":
		return tool.Usagef("flag -to-owner goes with -to")
	}
	if o.prefixes = tool.IsPrefix(args[0]); o.prefixes {
		switch {
		case o.copy.Version != "":
			return tool.Usagef("flag -at is for one NAME")
		case o.copy.If != "":
			return tool.Usagef("flag -if is for one NEWNAME")
		case o.sumFlag.Given():
			return tool.Usagef("flag -c is for one NAME")
		}
	}
	if err := o.copy.Check(); err != nil {
		return err
	}
	s, err := t.Settings()
	if err != nil {
		return err
	}
	if o.to.Store == "" {
		if err := t.CheckWritable(); err != nil {
			return err
		}
	} else if err := o.to.Check("-to", "-to-owner"); err != nil {
		return err
	}
	var refused tool.Failures
	if args[0] != all {
		refused = append(refused, tool.CheckPrefixed(s.Store, &secret.Options{Key: s.Key}, args[0]))
	}
	if args[1] != all {
		refused = append(refused, o.checkNew(t, args[1]))
	}
	if err := refused.Err(); err != nil {
		return err
	}
	if !o.prefixes {
		sums, err := o.sumFlag.For(args[:1], args[:1])
		if err != nil {
			return err
		}
		o.copy.Checksum = sums[args[0]]
	}
	return o.checkPlaces(t, args)
}

// all is the prefix of all names.
const all = "/"

// checkNew refuses a name, or a prefix, that cannot be where it is copied to.
func (o *options) checkNew(t *tool.Tool, arg string) error {
	err := o.other(t).CheckPrefixed(t, arg)
	if strings.Contains(tool.Advice(err), "-key") {
		err = hint.With(err, "name the key there by -to-key")
	}
	return err
}

// other is the store that is copied into: that of the settings, if -to names none.
func (o *options) other(t *tool.Tool) tool.Other {
	to := o.to
	if s, err := t.Settings(); to.Store == "" && err == nil {
		to.Store = s.Store
	}
	return to
}

// places are where names are, of the old ones and of the new: buckets, and what keys
// begin with there.
type places struct{ bucket, under, newBucket, newUnder string }

func (o *options) places(t *tool.Tool) (p places, err error) {
	s, err := t.Settings()
	if err != nil {
		return p, err
	}
	p.bucket, p.under, err = secret.SplitStore(s.Store)
	if p.newBucket, p.newUnder = p.bucket, p.under; err == nil && o.to.Store != "" {
		p.newBucket, p.newUnder, err = secret.SplitStore(o.to.Store)
	}
	return p, err
}

// oldName is the name that a new one has among the old ones, if it has one.
func (p places) oldName(newName string) (string, bool) {
	name, ok := strings.CutPrefix(p.newUnder+newName, p.under)
	return name, ok && p.bucket == p.newBucket
}

// checkPlaces refuses a copy onto itself, and one of a prefix into what that prefix
// stands for, which would copy the copies when it is taken up.
func (o *options) checkPlaces(t *tool.Tool, args []string) error {
	p, err := o.places(t)
	if err != nil {
		return err
	}
	from, to := p.under+prefix(args[0]), p.newUnder+prefix(args[1])
	switch {
	case p.bucket != p.newBucket:
	case !o.prefixes && from == to && o.copy.Version == "":
		return hint.With(tool.Usagef("NAME and NEWNAME are the same secret"), "-at VERSION takes an old version of it")
	case o.prefixes && from == to:
		return tool.Usagef("PREFIX/ and NEWPREFIX/ are the same")
	case o.prefixes && strings.HasPrefix(to, from):
		return tool.Usagef("NEWPREFIX/ is inside PREFIX/: the copies would be copied as well")
	}
	return nil
}

// prefix is what the names that an argument stands for begin with.
func prefix(arg string) string {
	if arg == all {
		return ""
	}
	return arg
}

func (o *options) run(ctx context.Context, t *tool.Tool, arg, newArg string) error {
	var ahead, aheadNew []string
	if !o.prefixes {
		ahead, aheadNew = []string{arg}, []string{newArg}
	}
	from, err := t.Open(ctx, ahead...)
	if err != nil {
		return err
	}
	to := from
	if o.to != (tool.Other{}) {
		if to, err = o.other(t).Open(t, from, aheadNew...); err != nil {
			return o.failed(t, err)
		}
	}
	c := &copier{options: o, tool: t, from: from, to: to, newNames: map[string]string{arg: newArg}}
	names := []string{arg}
	if o.prefixes {
		if names, err = c.list(ctx, prefix(arg), prefix(newArg)); err != nil {
			return err
		}
	}
	return c.copyAll(ctx, names)
}

// failed is an error of the store that is copied into, which names it where there are
// two.
func (o *options) failed(t *tool.Tool, err error) error {
	var e *secret.Error
	if o.to == (tool.Other{}) || !errors.As(err, &e) || e.Op == "get" {
		return err
	}
	return o.other(t).Failed(err, "-to")
}

// A copier copies secrets from one store into another one, or the same.
type copier struct {
	*options
	tool     *tool.Tool
	from, to *secret.Store
	newNames map[string]string
}

// list returns the names that begin with a prefix, and finds and checks their new ones:
// all of them, before anything is written.
func (c *copier) list(ctx context.Context, prefix, newPrefix string) ([]string, error) {
	names, err := c.tool.ListNames(ctx, c.from, prefix)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: %w in %s", cmp.Or(prefix, all), secret.ErrNotFound, c.from)
	}
	c.newNames = make(map[string]string, len(names))
	var refused tool.Failures
	for _, name := range names {
		c.newNames[name] = newPrefix + strings.TrimPrefix(name, prefix)
		if err := c.checkNew(c.tool, c.newNames[name]); err != nil {
			remedy := tool.Advice(err)
			if e := (*secret.Error)(nil); errors.As(err, &e) {
				err = e.Err // without the new name, which may be as long as none can be
			}
			refused = append(refused, hint.With(fmt.Errorf("%s cannot be copied: %w", name, err), remedy))
		}
	}
	if err := refused.Err(); err != nil {
		return nil, err
	}
	p, err := c.places(c.tool)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if old, ok := p.oldName(c.newNames[name]); ok && c.newNames[old] != "" {
			refused = append(refused, tool.Usagef("%s: is to be copied, and to be copied over by %s", old, name))
		}
	}
	return names, refused.Err()
}

func (c *copier) copyAll(ctx context.Context, names []string) error {
	finish, cancel := tool.Finish(ctx)
	defer cancel()
	if c.copy.Plan {
		finish = ctx
	}
	var p *tool.Progress
	if !c.quiet {
		p = c.tool.Progress(len(names), copied, planned, same)
	}
	return tool.Each(ctx, names, func(name string) error {
		outcome, err := c.copyOne(finish, name)
		if err != nil {
			return err
		}
		p.Done(outcome)
		if outcome == gone {
			return nil
		}
		return c.print(outcome, name, c.newNames[name])
	}).Err()
}

// copyOne returns what became of a secret.
func (c *copier) copyOne(ctx context.Context, name string) (outcome string, err error) {
	r, err := c.to.Copy(ctx, c.newNames[name], c.from, name, &c.copy)
	var e *secret.Error
	switch {
	case c.prefixes && errors.Is(err, secret.ErrNotFound) && errors.As(err, &e) && e.Op == "get":
		return gone, nil
	case err != nil:
		return "", c.advise(c.failed(c.tool, err))
	case r.Outcome == secret.Unchanged:
		return same, nil
	case c.copy.Plan:
		return planned, nil
	}
	if !c.quiet && r.ClockSkew != 0 {
		c.skewed.Do(func() { c.tool.NoteSkew(r.ClockSkew) })
	}
	return copied, nil
}

// advise says what replaces a secret that is in the way.
func (c *copier) advise(err error) error {
	if errors.Is(err, secret.ErrExists) && !c.copy.Create && tool.Advice(err) == "" {
		return hint.With(err, "-force replaces what holds other bytes")
	}
	return err
}

func (c *copier) print(words ...string) error {
	if c.quiet {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := fmt.Fprintln(c.out, strings.Join(words, " ")); err != nil {
		return tool.FileError("standard output", err)
	}
	return nil
}
