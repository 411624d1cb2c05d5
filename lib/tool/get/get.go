// Package get is the program ms-get.
package get

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"microsecrets/lib/environ"
	"microsecrets/lib/internal/atomicfile"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// Usage is what ms-get -h prints.
var Usage = `usage: ms-get [flags] NAME...

Fetch secrets, decrypt and verify them, and write them to standard output one
after the other, as cat does. NAME "-" reads names from standard input.

  -o FILE          to FILE, 0600, which appears when all is verified (one NAME)
  -d DIR           each to DIR/NAME, likewise
  -force           with -o and -d: replace a file that exists; on a terminal: show
                   what is not text
  -k VAR           one variable of an environment, nothing added
  -f FORMAT        an environment in another form: names (no values), json, lines,
                   sh, dotenv, yaml, github, github-mask, tfvars, properties, csv,
                   tsv or nul
  -only VARS       with -f: the variables that it may have, others are an error
  -need VARS       with -f: the variables that it must have, or that all NAMEs must
                   have together; with -d, each. -only then allows these as well
  -drop-others     with -only or -need: leave others out instead
  -allow-unsafe    with -f sh and -f github: also unsafe variables
  -at VERSION      that version in place of the latest (one NAME): an id as
                   ms-ls -versions lists it
  -c HASH          must match: the stored message's SHA-256 (a receipt), or the
                   plaintext's SHA-1, 256, 384 or 512, in hex; NAME=HASH where
                   there are several
  -0               names on standard input end with a NUL
  -stream          to standard output at once, each part as it is authenticated,
                   before it is known whether all of it is authentic
  -any-key         whichever key it was made under, an attacker's own included
  -raw             the stored message, undecrypted
  -inspect         the stored message's header as JSON, unverified; asks no KMS
` + tool.Usage + `
example:
  ms-ls myservice/ | ms-get -d /run/myservice -
`

// sideBySide is how many secrets are fetched at once.
const sideBySide = 8

type options struct {
	file, dir, variable, format, at string
	force, nul                      bool
	stream, anyKey                  bool
	raw, inspect                    bool
	filterFlags                     tool.FilterFlags
	sumFlag                         tool.ChecksumFlag

	filter environ.Filter
	form   environ.Format
	sums   map[string]secret.Checksum
}

// Run is one call of ms-get. It returns the exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := tool.New("ms-get", Usage, stdin, stdout, stderr)
	var o options
	tool.NonEmpty(t.FlagSet, &o.file, "o")
	tool.NonEmpty(t.FlagSet, &o.dir, "d")
	t.BoolVar(&o.force, "force", false, "")
	tool.NonEmpty(t.FlagSet, &o.variable, "k")
	tool.Format(t.FlagSet, &o.format, "f", environ.OutputFormats)
	tool.NonEmpty(t.FlagSet, &o.at, "at")
	t.BoolVar(&o.nul, "0", false, "")
	t.BoolVar(&o.stream, "stream", false, "")
	t.BoolVar(&o.anyKey, "any-key", false, "")
	t.BoolVar(&o.raw, "raw", false, "")
	t.BoolVar(&o.inspect, "inspect", false, "")
	o.sumFlag.Register(t.FlagSet)
	o.filterFlags.Register(t.FlagSet)
	return t.Run(ctx, args, func(ctx context.Context, names []string) error {
		if err := t.NoFlags(args, names); err != nil {
			return err
		}
		if err := tool.Exclusive(t.FlagSet, exclusive); err != nil {
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

// exclusive are the flags that do not go together: each with those after it.
var exclusive = [][]string{
	{"o", "d"},
	{"k", "f"},
	{"stream", "o", "d", "k", "f"},
	{"raw", "k", "f", "stream", "any-key"},
	{"inspect", "o", "d", "k", "f", "c", "stream", "any-key", "raw"},
}

func (o *options) check(names []string) (err error) {
	if o.file == "-" { // standard output, as elsewhere
		o.file = ""
	}
	if err := tool.CheckDash(names, o.nul); err != nil {
		return err
	}
	several := len(names) > 1 || slices.Contains(names, "-")
	switch {
	case len(names) == 0:
		return tool.Usagef("no NAME (ms-get -h shows the usage)")
	case o.file != "" && several:
		return tool.Usagef("flag -o is for one NAME; -d takes several")
	case o.at != "" && several:
		return tool.Usagef("flag -at is for one NAME")
	case o.variable != "" && !environ.ValidName(o.variable):
		return tool.Usagef("flag -k: a variable's name is [A-Za-z_][A-Za-z0-9_]*")
	case o.filterFlags.Given() && o.format == "":
		return tool.Usagef("flags -only, -need, -drop-others and -allow-unsafe go with -f")
	}
	if o.filter, err = o.filterFlags.Filter(); err != nil || o.format == "" {
		return err
	}
	if o.form, err = environ.OutputFormat(o.format); err != nil {
		return tool.Usagef("flag -f: %v", err)
	}
	// An unsafe name matters in the forms that set a process's own
	// environment.
	if o.form != environ.Sh && o.form != environ.GitHub {
		o.filter.AllowUnsafe = true
	}
	return nil
}

// names puts the names from standard input in the place of "-", and checks all.
func (o *options) names(ctx context.Context, t *tool.Tool, args []string) ([]string, error) {
	names, err := t.Names(ctx, args, o.nul)
	if err != nil {
		return nil, err
	}
	t.KeyUnused = o.raw || o.inspect || o.anyKey
	if err := t.CheckNames(names); err != nil {
		return nil, err
	}
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
	p := t.Progress(len(names))
	atOnce := sideBySide
	if o.stream {
		atOnce = 1
	}
	store, err := t.Open(ctx, tool.First(atOnce, names)...)
	if err != nil {
		return err
	}
	out := t.Output(ctx)
	if tool.IsTerminal(t.Stdout) && !o.force {
		terminal := &terminal{w: out}
		defer terminal.end()
		out = terminal
	}
	switch {
	case o.inspect:
		return o.inspectAll(ctx, store, names, out)
	case o.stream:
		return o.streamAll(ctx, t, store, names, out)
	case o.environment():
		return o.renderAll(ctx, t, store, names, out)
	}
	got, err := tool.Gather(ctx, sideBySide, names, func(name string) (reader, error) {
		defer p.Done("")
		r, err := o.reader(ctx, t, store, name)
		return r, o.advise(ctx, store, names, name, err)
	})
	for _, r := range got {
		defer r.Close()
	}
	if err != nil {
		return err
	}
	if terminal, ok := out.(*terminal); ok {
		if err := terminal.check(names, got); err != nil {
			return err
		}
	}
	for _, name := range names {
		if _, err := got[name].WriteTo(out); err != nil {
			return err
		}
		got[name].Rewind() // it may be named again
	}
	return nil
}

// reader is a secret that may be given out, or its message.
type reader interface {
	io.WriterTo
	io.Closer
	Rewind()
}

func (o *options) reader(ctx context.Context, t *tool.Tool, store *secret.Store, name string) (reader, error) {
	if o.raw {
		return store.NewRawReader(ctx, name, o.options(name))
	}
	r, err := store.NewReader(ctx, name, o.options(name))
	if err != nil {
		return nil, err
	}
	t.Claims(r.Info())
	return r, nil
}

// options are those of one secret.
func (o *options) options(name string) *secret.GetOptions {
	return &secret.GetOptions{Version: o.at, AnyKey: o.anyKey, Checksum: o.sums[name]}
}

// streamAll writes secrets as they come, in order, until one fails.
func (o *options) streamAll(ctx context.Context, t *tool.Tool, store *secret.Store, names []string, out io.Writer) error {
	for _, name := range names {
		info, err := store.Stream(ctx, name, out, o.options(name))
		if err != nil {
			return err
		}
		t.Claims(*info)
	}
	return nil
}

// renderAll writes what -k or -f asks for of environments, if all have it.
func (o *options) renderAll(ctx context.Context, t *tool.Tool, store *secret.Store, names []string, out io.Writer) error {
	got, err := tool.Gather(ctx, sideBySide, names, func(name string) ([]byte, error) {
		plaintext, err := o.plaintext(ctx, t, store, name)
		return plaintext, o.advise(ctx, store, names, name, err)
	})
	if err != nil {
		return err
	}
	rendered := make([][]byte, len(names))
	failed := make(tool.Failures, len(names))
	var envs []environ.Env
	for i, name := range names {
		env, err := parse(name, got[name])
		if err != nil {
			failed[i] = err
			continue
		}
		envs = append(envs, env)
		rendered[i], failed[i] = o.render(name, env)
		if _, ok := out.(*terminal); ok && failed[i] == nil {
			if _, err := (&terminal{w: io.Discard}).Write(rendered[i]); err != nil {
				failed[i] = fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if len(envs) == len(names) { // else it is not known what is missing
		what := "flag -need: no NAME sets"
		if len(names) == 1 {
			what = notSet(names[0])
		}
		failed = append(failed, tool.Missing(what, o.filter.Missing(envs...)))
	}
	if err := failed.Err(); err != nil {
		return err
	}
	_, err = out.Write(bytes.Join(rendered, nil))
	return err
}

// plaintext is an environment that may be given out.
func (o *options) plaintext(ctx context.Context, t *tool.Tool, store *secret.Store, name string) ([]byte, error) {
	r, err := store.NewReader(ctx, name, o.options(name))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	t.Claims(r.Info())
	return io.ReadAll(io.LimitReader(r, environ.MaxSize+1))
}

// notSet says of a secret that it lacks what -need names.
func notSet(name string) string { return name + ": flag -need: it does not set" }

func parse(name string, plaintext []byte) (environ.Env, error) {
	env, err := environ.Parse(plaintext, environ.Auto)
	if err != nil {
		return nil, fmt.Errorf("%s: is not an environment: %w", name, err)
	}
	return env, nil
}

// render makes of an environment what -k or -f asks for.
func (o *options) render(name string, env environ.Env) ([]byte, error) {
	if o.variable != "" {
		value, ok := env[o.variable]
		if !ok {
			return nil, hint.With(fmt.Errorf("%s: has no variable of the name that flag -k gives", name), "ms-get -f names "+tool.Quote(name)+" lists its variables")
		}
		return []byte(value), nil
	}
	env, err := o.filter.Apply(env)
	if err != nil {
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
	folder, err := atomicfile.Open(dir, false, o.force)
	if err != nil {
		return tool.FileError("flag -o", err)
	}
	defer folder.Close()
	if err := folder.Check(base); err != nil {
		return exists(optionFile, err)
	}
	t.Progress(0)
	store, err := t.Open(ctx, name)
	if err != nil {
		return err
	}
	return exists(optionFile, o.save(ctx, t, store, folder, name, base))
}

func (o *options) toFolder(ctx context.Context, t *tool.Tool, names []string) error {
	folder, err := atomicfile.Open(o.dir, true, o.force)
	if err != nil {
		return tool.FileError("flag -d: DIR", err)
	}
	defer folder.Close()
	slices.Sort(names)
	names = slices.Compact(names)
	failed := make(tool.Failures, 2*len(names))
	asked := map[string]bool{}
	for i, name := range names {
		failed[i] = exists(name, folder.Check(name))
		asked[name] = true
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if asked[dir] {
				failed[i] = exists(name, atomicfile.ErrCollides)
			}
		}
	}
	if err := failed.Err(); err != nil {
		return err
	}
	p := t.Progress(len(names), "written")
	store, err := t.Open(ctx, tool.First(tool.ManyAtOnce, names)...)
	if err != nil {
		return err
	}
	copy(failed, tool.Each(ctx, names, func(name string) error {
		err := exists(name, o.save(ctx, t, store, folder, name, name))
		if err == nil {
			p.Done("written")
		}
		return err
	}))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i, name := range names {
		failed[len(names)+i] = exists(name, folder.Verify(name))
	}
	return failed.Err()
}

// optionFile is how errors call what -o names.
const optionFile = "flag -o: FILE"

// exists says what -force is for where a file was in the way.
func exists(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, atomicfile.ErrNotRegular) && what == optionFile:
		return hint.With(tool.FileError(what, err), "-o - is standard output")
	case errors.Is(err, fs.ErrExist) && !errors.Is(err, atomicfile.ErrNotRegular):
		return hint.With(fmt.Errorf("%s: %w", what, fs.ErrExist), "-force replaces it")
	case atomicfile.Refused(err):
		return tool.FileError(what, err)
	}
	return err
}

// save writes a secret to a file. What is not rendered goes there frame by
// frame, at any size, since the file appears only when all is verified.
func (o *options) save(ctx context.Context, t *tool.Tool, store *secret.Store, folder *atomicfile.Folder, name, file string) error {
	return folder.Write(file, func(w io.Writer) error {
		switch {
		case o.environment():
			plaintext, err := o.plaintext(ctx, t, store, name)
			if err != nil {
				return err
			}
			env, err := parse(name, plaintext)
			if err != nil {
				return err
			}
			text, err := o.render(name, env)
			wrong := tool.Failures{err, tool.Missing(notSet(name), o.filter.Missing(env))}
			if err := wrong.Err(); err != nil {
				return err
			}
			_, err = w.Write(text)
			return err
		case o.raw:
			r, err := store.NewRawReader(ctx, name, o.options(name))
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = r.WriteTo(w)
			return err
		}
		info, err := store.Stream(ctx, name, w, o.options(name))
		if err == nil {
			t.Claims(*info)
		}
		return err
	})
}
