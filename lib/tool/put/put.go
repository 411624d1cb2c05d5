// Package put is the program ms-put.
package put

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"microsecrets/lib/environ"
	"microsecrets/lib/internal/atomicfile"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// Usage is what ms-put -h prints.
var Usage = `usage: ms-put [flags] NAME [FILE]
       ms-put [flags] NAME -- COMMAND [ARG...]

Encrypt FILE, or standard input, and store it under NAME. On a terminal it asks,
without echo. With COMMAND, store its standard output, and only if it exits with
status 0. The receipt is a line as sha256sum writes it: the SHA-256 of the stored
message, two spaces, NAME.

  -e               the input is an environment: check it, store it as JSON
  -f FORMAT        with -e: auto (the default: a "{" first means JSON, else
                   lines), lines, json or dotenv
  -merge           with -e: merge into what is stored; other variables stay
  -k VAR           the input is the value of one variable: set it in the stored
                   environment, which is made if there is none
  -u VAR           remove VAR from the stored environment (again for more;
                   without -e no input is read; with -e it implies -merge)
  -upper           with -e: names in upper case, with "_" for "-", as chamber
                   hands them on
  -create          only if NAME does not exist
  -if VERSION      only if NAME's latest version is VERSION: a version id, or an
                   ETag as printed
  -changed         do nothing if NAME already holds these bytes
  -last-writer-wins
                   go on at a server that ignores conditions
  -chomp           strip one trailing newline
  -empty           accept an empty input (with -e: an empty environment)
  -sum             print the SHA-256 of the plaintext instead (it can be guessed
                   when the secret is short: not for CI logs)
  -json            the receipt as JSON: name, outcome (created, updated or
                   unchanged), version, etag, sha256 (of the message), bytes (of
                   the plaintext), key
  -q               no receipt, and nothing else that is not an error
` + tool.Usage + `
example:
  printf %s "$PASSWORD" | ms-put myservice/password
  ms-put myservice/dump -- pg_dump mydb
`

type options struct {
	env, merge, upper, chomp, empty, sum, json, quiet bool
	format                                            string
	variable                                          string // -k
	unset                                             tool.Variables
	condition                                         secret.PutOptions

	command []string  // nil: none
	program string    // the path of COMMAND
	stderr  io.Writer // COMMAND's

	store *secret.Store // once it is open
}

// Run is one call of ms-put. It returns the exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := tool.New("ms-put", Usage, stdin, stdout, stderr)
	o := options{stderr: stderr}
	t.BoolVar(&o.env, "e", false, "")
	tool.Format(t.FlagSet, &o.format, "f", environ.InputFormats)
	t.BoolVar(&o.merge, "merge", false, "")
	t.Func("k", "", o.setVariable)
	o.unset.Register(t.FlagSet, "u")
	t.BoolVar(&o.upper, "upper", false, "")
	t.BoolVar(&o.condition.Create, "create", false, "")
	tool.NonEmpty(t.FlagSet, &o.condition.If, "if")
	t.BoolVar(&o.condition.Changed, "changed", false, "")
	t.BoolVar(&t.LastWriterWins, "last-writer-wins", false, "")
	t.BoolVar(&o.chomp, "chomp", false, "")
	t.BoolVar(&o.empty, "empty", false, "")
	t.BoolVar(&o.sum, "sum", false, "")
	t.BoolVar(&o.json, "json", false, "")
	t.BoolVar(&o.quiet, "q", false, "")
	return t.Run(ctx, args, func(ctx context.Context, rest []string) error {
		names, command := splitCommand(rest)
		if err := t.NoFlags(args[:len(args)-len(rest)+len(names)], names); err != nil {
			return err
		}
		o.command = command
		if t.LastWriterWins && !o.conditional() {
			return tool.Usagef("flag -last-writer-wins goes with -create, -if, -merge, -k or -u")
		}
		if err := tool.Exclusive(t.FlagSet, exclusive); err != nil {
			return err
		}
		format, err := o.check(names)
		if err != nil {
			return err
		}
		if err := t.CheckNames(names[:1]); err != nil {
			return err
		}
		if err := t.CheckWritable(); err != nil {
			return err
		}
		if o.command != nil {
			if o.program, err = findCommand(o.command); err != nil {
				return err
			}
		}
		return o.put(ctx, t, names, format)
	})
}

// exclusive are the flags that do not go together: each with those after it.
var exclusive = [][]string{
	{"create", "merge", "u", "if"},
	{"k", "e", "f", "u", "changed", "upper"},
	{"sum", "json"},
}

func (o *options) check(args []string) (environ.Format, error) {
	switch {
	case len(args) == 0:
		return "", tool.Usagef("no NAME (ms-put -h shows the usage)")
	case len(args) > 1 && o.command != nil:
		return "", tool.Usagef("FILE and COMMAND do not go together: only NAME comes before \"--\"")
	case len(args) > 2:
		return "", hint.With(tool.Usagef("more than NAME and FILE"), "a COMMAND comes after NAME and \"--\"")
	case o.command != nil && (len(o.command) == 0 || o.command[0] == ""):
		return "", tool.Usagef(`no COMMAND after "--"`)
	case looksLikeValue(args[0]): // names are listed for all
		return "", hint.With(tool.Usagef("NAME has a \"=\", as NAME=VALUE has, and is not shown"),
			"a secret is given on standard input or in a FILE, never as an argument")
	case o.format != "" && !o.env:
		return "", tool.Usagef("flag -f goes with -e")
	case o.upper && !o.env:
		return "", tool.Usagef("flag -upper goes with -e")
	case o.merge && !o.env && o.variable == "":
		return "", tool.Usagef("flag -merge goes with -e")
	case o.unsets() && !o.env && len(args) > 1:
		return "", tool.Usagef("flag -u without -e reads no input: no FILE")
	case o.unsets() && !o.env && o.command != nil:
		return "", tool.Usagef("flag -u without -e reads no input: no COMMAND")
	case o.unsets() && !o.env && o.chomp:
		return "", tool.Usagef("flag -u without -e reads no input: not with -chomp")
	case o.quiet && (o.sum || o.json):
		return "", tool.Usagef("flag -q does not go with -sum and -json")
	}
	if err := o.condition.Check(); err != nil {
		return "", err
	}
	if o.format == "" {
		return environ.Auto, nil
	}
	format, err := environ.InputFormat(o.format)
	if err != nil {
		return "", tool.Usagef("flag -f: %v", err)
	}
	return format, nil
}

// looksLikeValue reports whether a NAME may be a secret that was typed as an
// argument: NAME=VALUE, where a slash comes before the "=" or none after it.
func looksLikeValue(name string) bool {
	before, after, found := strings.Cut(name, "=")
	return found && (strings.Contains(before, "/") || !strings.Contains(after, "/"))
}

func (o *options) setVariable(name string) error {
	switch {
	case o.variable != "":
		return &tool.Refusal{Reason: "given twice; -e -merge sets several variables"}
	case !environ.ValidName(name):
		return &tool.Refusal{Reason: "a variable's name is [A-Za-z_][A-Za-z0-9_]*"}
	}
	o.variable = name
	return nil
}

func (o *options) unsets() bool { return o.unset.Names != nil }

// merges reports whether the input is merged into what is stored.
func (o *options) merges() bool { return o.merge || o.variable != "" || o.env && o.unsets() }

// conditional reports whether what is stored depends on what is there.
func (o *options) conditional() bool {
	return o.merges() || o.unsets() || o.condition.Create || o.condition.If != ""
}

func (o *options) put(ctx context.Context, t *tool.Tool, args []string, format environ.Format) error {
	name := args[0]
	if !o.quiet {
		if err := t.Announce(name); err != nil {
			return err
		}
	}
	if o.unsets() && !o.env {
		return o.change(ctx, t, name, nil)
	}
	in, err := o.input(ctx, t, args)
	if err != nil {
		return err
	}
	defer in.Close()
	if o.merges() {
		env, err := o.variables(in, name, format)
		if err != nil {
			return err
		}
		return o.change(ctx, t, name, env)
	}
	src, err := o.prepare(t, in, name, format)
	if err != nil {
		return err
	}
	o.progress(t, in.size())
	store, err := o.open(ctx, t, name)
	if err != nil {
		return err
	}
	outcome := secret.Written
	if o.json && !o.conditional() && !o.condition.Changed {
		if outcome, err = foresee(ctx, store, name); err != nil {
			return err
		}
	}
	plain := sha256.New()
	if o.sum {
		src = io.TeeReader(src, plain)
	}
	receipt, err := store.Put(ctx, name, src, &o.condition)
	if err != nil {
		return err
	}
	if receipt.Outcome == secret.Written {
		receipt.Outcome = outcome
	}
	return o.print(t, receipt, plain.Sum(nil))
}

// open opens the store, once.
func (o *options) open(ctx context.Context, t *tool.Tool, name string) (*secret.Store, error) {
	var err error
	if o.store == nil {
		o.store, err = t.Open(ctx, name)
	}
	return o.store, err
}

// input is what is to be stored, and how to speak of it.
type input struct {
	io.Reader
	close func() error
	what  string // standard input, FILE, or COMMAND's output
	named bool   // a regular FILE that the user named: it may be empty
	why   string // what may be the reason if it is empty
	from  any    // a file, or nil
}

func (in *input) Close() error { return in.close() }

// size is that of a regular file, in bytes; 0 is an unknown one.
func (in *input) size() int64 {
	if f, ok := in.from.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return info.Size()
		}
	}
	return 0
}

// progress begins a Progress of so many bytes, but not beside COMMAND, which writes to
// the terminal as it likes.
func (o *options) progress(t *tool.Tool, size int64) {
	if o.command == nil && !o.quiet {
		t.Progress(0).Size(size)
	}
}

func (o *options) input(ctx context.Context, t *tool.Tool, args []string) (*input, error) {
	nothing := func() error { return nil }
	if o.command != nil {
		c, err := o.start(ctx, t, args[0])
		if err != nil {
			return nil, err
		}
		return &input{c, c.Close, c.name + "'s output", false, "", nil}, nil
	}
	if len(args) == 2 && args[1] != "-" {
		f, err := os.Open(args[1])
		if err != nil {
			return nil, hint.With(tool.FileError("FILE", err),
				"FILE is the name of a file; a secret is given on standard input, never as an argument")
		}
		// A pipe is as empty after a command that failed as standard input is, and so is
		// what /dev/stdin leads to.
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && atomicfile.Follow(args[1]) == nil {
			return &input{&source{f, "FILE"}, f.Close, "FILE", true, "", f}, nil
		}
		return &input{&source{tool.Interruptible(ctx, f), "FILE"}, f.Close, "FILE", false, afterFailure, nil}, nil
	}
	if f, ok := t.Stdin.(*os.File); ok && tool.IsTerminal(f) {
		typed, err := ask(ctx, t, f)
		if err != nil {
			return nil, err
		}
		return &input{bytes.NewReader(typed), nothing, "standard input", false, ": nothing was typed", nil}, nil
	}
	return &input{&source{tool.Interruptible(ctx, t.Stdin), "standard input"}, nothing, "standard input", false, afterFailure, t.Stdin}, nil
}

// start starts COMMAND when the store is open: it may do what cannot be done again.
func (o *options) start(ctx context.Context, t *tool.Tool, name string) (*command, error) {
	s, err := t.Settings()
	if err != nil {
		return nil, err
	}
	if _, err := o.open(ctx, t, name); err != nil {
		return nil, err
	}
	return startCommand(ctx, o.program, o.command, t.Stdin, o.stderr, s.Timeout)
}

const afterFailure = ": did the command before it fail?"

// prepare checks the input as far as it can be before anything is sent.
func (o *options) prepare(t *tool.Tool, in *input, name string, format environ.Format) (io.Reader, error) {
	if o.env {
		env, err := o.environment(in, name, format)
		if err != nil {
			return nil, err
		}
		stored, err := env.Marshal()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if !o.quiet {
			o.condition.Replaced = func(old []byte) { tellVanished(t, name, old, env) }
		}
		return bytes.NewReader(stored), nil
	}
	buffered := bufio.NewReaderSize(in, 64<<10)
	head, err := buffered.Peek(2)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if empty := len(head) == 0 || o.chomp && string(head) == "\n"; empty {
		if err := o.refuseEmpty(in, name); err != nil {
			return nil, err
		}
	}
	if o.chomp {
		return chomper{buffered}, nil
	}
	return buffered, nil
}

// tellVanished tells which variables of the old environment the new one does not have.
func tellVanished(t *tool.Tool, name string, old []byte, env environ.Env) {
	before, err := environ.Parse(old, environ.Auto)
	if err != nil {
		return // it was no environment
	}
	var vanished []string
	for _, variable := range before.Names() {
		if _, ok := env[variable]; !ok {
			vanished = append(vanished, variable)
		}
	}
	if len(vanished) > 0 {
		t.Notef("%s: replaced as a whole, without %s (-merge keeps what the input does not name)", name, strings.Join(vanished, ", "))
	}
}

// refuseEmpty returns the error of an input that is empty, unless it may be.
func (o *options) refuseEmpty(in *input, name string) error {
	if in.named || o.empty {
		return nil
	}
	return fmt.Errorf("%s: %w", name, tool.Usagef("%s is empty%s (-empty accepts it)", in.what, in.why))
}

// variables is the input as variables: an environment, or the value of one.
func (o *options) variables(in *input, name string, format environ.Format) (environ.Env, error) {
	if o.variable == "" {
		return o.environment(in, name, format)
	}
	value, err := o.readAll(in, name)
	if err != nil {
		return nil, err
	}
	defer clear(value)
	if len(value) == 0 {
		if err := o.refuseEmpty(in, name); err != nil {
			return nil, err
		}
	}
	if len(value) > environ.MaxSize {
		return nil, fmt.Errorf("%s: a value of more than %d MiB is refused, as an environment of more is", name, environ.MaxSize>>20)
	}
	env := environ.Env{o.variable: string(value)}
	if _, err := env.Marshal(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return env, nil
}

func (o *options) environment(in *input, name string, format environ.Format) (environ.Env, error) {
	text, err := o.readAll(in, name)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	parse := environ.Parse
	if o.upper {
		parse = environ.ParseUpper
	}
	var env environ.Env
	if len(text) > 0 {
		if env, err = parse(text, format); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(env) == 0 && !o.empty {
		return nil, fmt.Errorf("%s: %w", name, tool.Usagef("the environment is empty%s (-empty accepts it)", in.why))
	}
	return env, nil
}

// readAll reads the input, or as much of it as is too much for an environment.
func (o *options) readAll(in *input, name string) ([]byte, error) {
	src := io.Reader(in)
	if o.chomp {
		src = chomper{bufio.NewReader(in)}
	}
	text, err := io.ReadAll(io.LimitReader(src, environ.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// foresee says what a put of name will do. A caller who may write but not read
// learns only that it is written.
func foresee(ctx context.Context, store *secret.Store, name string) (secret.Outcome, error) {
	_, err := store.Stat(ctx, name, nil)
	switch {
	case errors.Is(err, secret.ErrDenied):
		return secret.Written, nil
	case errors.Is(err, secret.ErrNotFound):
		return secret.Created, nil
	case err != nil:
		return "", err
	}
	return secret.Updated, nil
}

func (o *options) print(t *tool.Tool, r *secret.Receipt, plain []byte) error {
	if o.quiet {
		return nil
	}
	if r.ClockSkew != 0 {
		t.NoteSkew(r.ClockSkew)
	}
	if o.sum {
		return t.PrintSum([sha256.Size]byte(plain), r.Name)
	}
	return t.PrintReceipt(r, o.json)
}
