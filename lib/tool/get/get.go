// Package get is the program ms-get.
package get

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"microsecrets/lib/environ"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

const usage = `usage: ms-get [flags] NAME...

Fetch secrets, decrypt and verify them, and write them to standard output one
after the other, as cat does. NAME "-" reads names from standard input.

  -o FILE          to FILE, 0600, which appears when all is verified (one NAME)
  -d DIR           each to DIR/NAME, likewise
  -force           with -o and -d: replace a file that exists
  -k VAR           one variable of an environment, nothing added
  -f FORMAT        an environment in another form: json, lines, sh, dotenv, yaml,
                   github, github-mask, tfvars, properties, csv, tsv or nul
  -only VARS       with -f: the variables that it may have, others are an error
  -drop-others     with -only: leave others out instead
  -allow-unsafe    with -f sh and -f github: also names that steer programs
  -at VERSION      that version in place of the latest (one NAME): an id as
                   ms-ls -versions lists it
  -c HASH          must match: the stored message's SHA-256 (a receipt), or the
                   plaintext's SHA-1, 256, 384 or 512, in hex; NAME=HASH where
                   there are several
  -0               names on standard input end with a NUL
` + tool.Usage + `
example:
  ms-ls myservice/ | ms-get -d /run/myservice -
`

// sideBySide is how many secrets are fetched at once.
const sideBySide = 8

type options struct {
	file, dir, variable, format string
	at                          tool.Version
	force, nul                  bool
	filterFlags                 tool.FilterFlags
	sumFlag                     tool.ChecksumFlag

	filter environ.Filter
	form   environ.Format
	sums   tool.Checksums
}

// Run is one call of ms-get. It returns the exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := tool.New("ms-get", usage, stdin, stdout, stderr)
	var o options
	t.StringVar(&o.file, "o", "", "")
	t.StringVar(&o.dir, "d", "", "")
	t.BoolVar(&o.force, "force", false, "")
	t.StringVar(&o.variable, "k", "", "")
	t.StringVar(&o.format, "f", "", "")
	t.Var(&o.at, "at", "")
	t.BoolVar(&o.nul, "0", false, "")
	t.Var(&o.sumFlag, "c", "")
	o.filterFlags.Register(t.FlagSet)
	return t.Run(ctx, args, func(ctx context.Context, names []string) error {
		if err := t.NoFlags(args, names); err != nil {
			return err
		}
		if err := o.check(names); err != nil {
			return err
		}
		names, err := o.names(ctx, t, names)
		if err != nil || len(names) == 0 {
			return err
		}
		return o.get(ctx, t, names)
	})
}

func (o *options) check(names []string) (err error) {
	fromStdin := 0
	for _, name := range names {
		if name == "-" {
			fromStdin++
		}
	}
	switch {
	case len(names) == 0:
		return tool.Usagef("no NAME (ms-get -h shows the usage)")
	case fromStdin > 1:
		return tool.Usagef(`the name "-", standard input, is given twice`)
	case o.nul && fromStdin == 0:
		return tool.Usagef(`flag -0 goes with the name "-", names on standard input`)
	case o.file != "" && o.dir != "":
		return tool.Usagef("flags -o and -d do not go together")
	case o.file != "" && (len(names) > 1 || fromStdin > 0):
		return tool.Usagef("flag -o is for one NAME; -d takes several")
	case o.at != "" && (len(names) > 1 || fromStdin > 0):
		return tool.Usagef("flag -at is for one NAME")
	case o.force && o.file == "" && o.dir == "":
		return tool.Usagef("flag -force goes with -o or -d")
	case o.variable != "" && o.format != "":
		return tool.Usagef("flags -k and -f do not go together")
	case o.variable != "" && !environ.ValidName(o.variable):
		return tool.Usagef("flag -k: a variable's name is [A-Za-z_][A-Za-z0-9_]*")
	case o.filterFlags.Given() && o.format == "":
		return tool.Usagef("flags -only, -drop-others and -allow-unsafe go with -f")
	}
	if o.filter, err = o.filterFlags.Filter(); err != nil || o.format == "" {
		return err
	}
	if o.form, err = environ.OutputFormat(o.format); err != nil {
		return tool.Usagef("flag -f: %v", err)
	}
	// What steers a program matters in the forms that set a process's own
	// environment.
	if o.form != environ.Sh && o.form != environ.GitHub {
		o.filter.AllowUnsafe = true
	}
	return nil
}

// names puts the names from standard input in the place of "-", and checks all.
func (o *options) names(ctx context.Context, t *tool.Tool, args []string) ([]string, error) {
	names := args
	if i := slices.Index(args, "-"); i >= 0 {
		read, err := t.ReadNames(ctx, o.nul)
		if err != nil {
			return nil, err
		}
		names = slices.Concat(args[:i], read, args[i+1:])
	}
	if err := t.CheckNames(names); err != nil {
		return nil, err
	}
	var err error
	o.sums, err = o.sumFlag.For(names, names)
	return names, err
}

func (o *options) get(ctx context.Context, t *tool.Tool, names []string) error {
	switch {
	case o.file != "":
		return o.toFile(ctx, t, names[0])
	case o.dir != "":
		return o.toFolder(ctx, t, names)
	}
	store, err := o.open(ctx, t)
	if err != nil {
		return err
	}
	got, err := tool.Fetch(ctx, store, names, o.sums, sideBySide)
	if err != nil {
		return err
	}
	out := make([][]byte, len(names))
	failed := make(tool.Failures, len(names))
	for i, name := range names {
		t.Claims(got[name].Secret)
		out[i], failed[i] = o.render(name, got[name].Plaintext)
	}
	if err := failed.Err(); err != nil {
		return err
	}
	for _, text := range out {
		if _, err := t.Stdout.Write(text); err != nil {
			return tool.FileError("standard output", err)
		}
	}
	return nil
}

// open opens the store, at the version that was asked for.
func (o *options) open(ctx context.Context, t *tool.Tool) (*secret.Store, error) {
	store, err := t.Open(ctx)
	if err == nil && o.at != "" {
		store = store.At(string(o.at))
	}
	return store, err
}

// render makes of a secret what -k or -f asks for.
func (o *options) render(name string, plaintext []byte) ([]byte, error) {
	if !o.environment() {
		return plaintext, nil
	}
	env, err := environ.Parse(plaintext, environ.Auto)
	if err != nil {
		return nil, fmt.Errorf("%s: is no environment: %w", name, err)
	}
	if o.variable != "" {
		value, ok := env[o.variable]
		if !ok {
			return nil, fmt.Errorf("%s: has no variable %s", name, o.variable)
		}
		return []byte(value), nil
	}
	if env, err = o.filter.Apply(env); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	text, err := env.Render(o.form)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

func (o *options) environment() bool { return o.variable != "" || o.form != "" }

func (o *options) toFile(ctx context.Context, t *tool.Tool, name string) error {
	dir, base := filepath.Split(o.file)
	if dir == "" {
		dir = "."
	}
	if base == "" || base == "." || base == ".." {
		return tool.Usagef("flag -o: FILE is a folder; -d takes one")
	}
	folder, err := tool.OpenFolder(dir, false, o.force)
	if err != nil {
		return tool.FileError("flag -o", err)
	}
	defer folder.Close()
	if err := folder.Check(base); err != nil {
		return exists("flag -o: FILE", err)
	}
	store, err := o.open(ctx, t)
	if err != nil {
		return err
	}
	return exists("flag -o: FILE", o.save(ctx, t, store, folder, name, base))
}

func (o *options) toFolder(ctx context.Context, t *tool.Tool, names []string) error {
	folder, err := tool.OpenFolder(o.dir, true, o.force)
	if err != nil {
		return tool.FileError("flag -d: DIR", err)
	}
	defer folder.Close()
	slices.Sort(names)
	names = slices.Compact(names)
	failed := make(tool.Failures, 2*len(names))
	for i, name := range names {
		failed[i] = exists(name, folder.Check(name))
	}
	if err := failed.Err(); err != nil {
		return err
	}
	store, err := o.open(ctx, t)
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(sideBySide)
	for i, name := range names {
		group.Go(func() error {
			failed[i] = exists(name, o.save(ctx, t, store, folder, name, name))
			return nil
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i, name := range names {
		failed[len(names)+i] = exists(name, folder.Verify(name))
	}
	return failed.Err()
}

// exists says what -force is for where a file was in the way.
func exists(what string, err error) error {
	var named *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return tool.WithHint(fmt.Errorf("%s: %w", what, fs.ErrExist), "-force replaces it")
	case errors.As(err, &named), errors.Is(err, tool.ErrCollides):
		return tool.FileError(what, err)
	}
	return err
}

// save writes a secret to a file. What is not rendered goes there frame by
// frame, at any size, since the file appears only when all is verified.
func (o *options) save(ctx context.Context, t *tool.Tool, store *secret.Store, folder *tool.Folder, name, file string) error {
	opened, err := store.Open(ctx, name)
	if err != nil {
		return err
	}
	defer opened.Close()
	t.Claims(opened)
	return folder.Write(file, func(w io.Writer) error {
		if !o.environment() {
			return o.copy(w, opened)
		}
		plaintext, err := opened.All(environ.MaxSize)
		if err != nil {
			return err
		}
		if sum, ok := o.sums[name]; ok {
			plain := sum.Hash()
			plain.Write(plaintext)
			if err := sum.Check(name, opened.MessageSum(), plain.Sum(nil)); err != nil {
				return err
			}
		}
		text, err := o.render(name, plaintext)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	})
}

// copy writes all of a secret to w, which is to be thrown away if it fails.
func (o *options) copy(w io.Writer, opened *secret.Secret) error {
	sum, ok := o.sums[opened.Name]
	if !ok {
		_, err := opened.WriteTo(w)
		return err
	}
	plain := sum.Hash()
	if _, err := opened.WriteTo(io.MultiWriter(w, plain)); err != nil {
		return err
	}
	return sum.Check(opened.Name, opened.MessageSum(), plain.Sum(nil))
}
