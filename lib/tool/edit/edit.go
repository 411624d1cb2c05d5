// Package edit is the program ms-edit.
package edit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"microsecrets/lib/environ"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/prompt"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// Usage is what ms-edit -h prints.
var Usage = `usage: ms-edit [flags] NAME

Edit a secret in $VISUAL, $EDITOR or vi, and store it if it is still the one that
was read. An environment is edited as lines, NAME=VALUE, and checked. The text is in
memory, in a folder that nobody else can read, and is removed at the end. If NAME
does not exist, what is saved makes it. The receipt is that of ms-put.

  -e               it is an environment: stored as JSON (-e=false: it is a text,
                   whatever it looks like)
  -f FORMAT        edit an environment as lines (the default), json or dotenv
  -chomp           strip one trailing newline
  -empty           accept that nothing is left
  -last-writer-wins
                   go on at a server that ignores conditions
  -d DIR           hold the text in a new folder in DIR, which may be on a disk
  -json            the receipt as JSON, as ms-put prints it
  -q               no receipt, and nothing else that is not an error
` + tool.Usage + `
example:
  ms-edit myservice/env
  EDITOR='code --wait' ms-edit myservice/tls.key
`

type options struct {
	env            known
	format         string
	chomp, empty   bool
	dir            string
	json, quiet    bool
	memory         []string // folders that may be in memory, the best first
	temporary      string   // one that may be on a disk, and is asked about
	stdout, stderr io.Writer

	t        *tool.Tool
	name     string
	terminal *os.File // to ask on; nil: nobody is there
	editor   editor
	folder   *folder
	store    *secret.Store
	form     form
	file     string // in the folder
}

// known is what a boolean flag says, or that it is not given.
type known struct{ yes, no bool }

func (k *known) String() string   { return strconv.FormatBool(k.yes) }
func (k *known) IsBoolFlag() bool { return true }
func (k *known) Set(s string) error {
	yes, err := strconv.ParseBool(s)
	k.yes, k.no = yes, !yes
	return err
}

// Run is one call of ms-edit. It returns the exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o := &options{memory: []string{os.Getenv("XDG_RUNTIME_DIR"), "/dev/shm"}, temporary: os.TempDir()}
	return o.run(ctx, args, stdin, stdout, stderr)
}

func (o *options) run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := tool.New("ms-edit", Usage, stdin, stdout, stderr)
	o.t, o.stdout, o.stderr = t, stdout, stderr
	t.Var(&o.env, "e", "")
	tool.Format(t.FlagSet, &o.format, "f", formats)
	t.BoolVar(&o.chomp, "chomp", false, "")
	t.BoolVar(&o.empty, "empty", false, "")
	t.BoolVar(&t.LastWriterWins, "last-writer-wins", false, "")
	tool.NonEmpty(t.FlagSet, &o.dir, "d")
	t.BoolVar(&o.json, "json", false, "")
	t.BoolVar(&o.quiet, "q", false, "")
	return t.Run(ctx, args, func(ctx context.Context, names []string) error {
		if err := t.NoFlags(args, names); err != nil {
			return err
		}
		if err := o.check(names); err != nil {
			return err
		}
		if err := t.CheckNames(names); err != nil {
			return err
		}
		if err := t.CheckWritable(); err != nil {
			return err
		}
		o.name = names[0]
		return o.edit(ctx)
	})
}

// formats are those in which an environment is edited.
var formats = []environ.Format{environ.Lines, environ.JSON, environ.Dotenv}

func (o *options) check(names []string) error {
	switch {
	case len(names) == 0:
		return tool.Usagef("no NAME (ms-edit -h shows the usage)")
	case len(names) > 1:
		return tool.Usagef("more than one NAME")
	case o.quiet && o.json:
		return tool.Usagef("flag -q does not go with -json")
	case o.env.no && o.format != "":
		return tool.Usagef("flag -f is about an environment: not with -e=false")
	case o.format != "" && !slices.Contains(formats, environ.Format(o.format)):
		return tool.Usagef("flag -f: choose one of lines, json, dotenv")
	case !supported:
		return hint.With(tool.Usagef("ms-edit runs on Unix systems only"), "ms-get -o FILE NAME writes the secret to a file, and ms-put -if VERSION NAME FILE stores it")
	}
	return nil
}

// A version is what is stored at one time. The zero version is none.
type version struct {
	plain   []byte
	receipt *secret.Receipt
}

// say prints a line on standard error that is not an error.
func (o *options) say(format string, args ...any) {
	if !o.quiet {
		o.t.Notef(format, args...)
	}
}

func (o *options) edit(ctx context.Context) (err error) {
	if f, ok := o.t.Stdin.(*os.File); ok && tool.IsTerminal(f) && o.t.OnTerminal() {
		o.terminal = f
	}
	o.editor = findEditor(os.Getenv)
	if o.editor.from == "" {
		if _, err := tool.FindCommand("vi"); err != nil {
			return hint.With(errors.New("there is no editor: neither VISUAL nor EDITOR is set, and there is no vi"), "set EDITOR, such as EDITOR=nano")
		}
	}
	if !o.quiet {
		if err := o.t.Announce(o.name); err != nil {
			return err
		}
	}
	tool.EndCleanly(ctx)
	if err := o.makeFolder(ctx); err != nil {
		return err
	}
	defer func() {
		if failed := o.folder.remove(); err == nil {
			err = failed
		} else if failed != nil { // what ended it may be a signal, of which nothing else is said
			o.t.Notef("%v", failed)
		}
	}()
	if o.store, err = o.t.Open(ctx, o.name); err != nil {
		return err
	}
	now, err := o.current(ctx)
	if err != nil {
		return err
	}
	var note string
	if o.form, note, err = o.judge(now.plain); err != nil {
		return fmt.Errorf("%s: %w", o.name, err)
	}
	switch {
	case note != "":
		o.say("%s: %s", o.name, note)
	case now.receipt == nil && o.terminal != nil:
		o.say("%s: no such secret in %s: what is saved makes it", o.name, o.store)
	}
	o.file = o.form.fileName(o.name)
	return o.session(ctx, now)
}

// current is what is stored now.
func (o *options) current(ctx context.Context) (version, error) {
	plain, receipt, err := o.store.Current(ctx, o.name)
	if errors.Is(err, secret.ErrNotFound) {
		return version{}, nil
	}
	if err == nil && plain == nil {
		plain = []byte{}
	}
	return version{plain, receipt}, err
}

// makeFolder makes the folder for the text: in DIR, in memory, or, if there is no such
// place and the person at the terminal agrees, where temporary files are.
func (o *options) makeFolder(ctx context.Context) error {
	if o.dir != "" {
		if err := checkParent(o.dir); err != nil {
			return tool.FileError("DIR of flag -d", err)
		}
		sweep(o.dir)
		var err error
		if o.folder, err = makeFolder(o.dir); err != nil {
			return tool.FileError("DIR of flag -d", err)
		}
		return nil
	}
	var failed error
	for _, dir := range o.memory {
		if !filepath.IsAbs(dir) || checkParent(dir) != nil || !inMemory(dir) {
			continue
		}
		sweep(dir)
		if o.folder != nil {
			continue
		}
		f, err := makeFolder(dir)
		if err != nil {
			failed = tool.FileError(dir, err)
			continue
		}
		o.folder = f
	}
	if checkParent(o.temporary) == nil { // somebody may have agreed to it before
		sweep(o.temporary)
	}
	if o.folder != nil {
		return nil
	}
	noMemory := errors.New("there is no folder in memory: neither XDG_RUNTIME_DIR nor /dev/shm is one of a file system in memory that is fit for it")
	if failed != nil {
		noMemory = fmt.Errorf("no folder can be made in memory: %w", failed)
	}
	const advice = "-d DIR names a folder to use, which should not be on a disk that others can read, or that is backed up"
	if o.terminal == nil {
		return hint.With(fmt.Errorf("%w, and the secret is not written to a disk", noMemory), advice)
	}
	o.t.Notef("%v", noMemory)
	if err := checkParent(o.temporary); err != nil {
		return hint.With(tool.FileError(o.temporary, err), advice)
	}
	answer, err := o.ask(ctx, fmt.Sprintf("edit the secret in %s, which may be on a disk, while the editor runs (y/n)? ", o.temporary))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(strings.ToLower(answer), "y") {
		return hint.With(fmt.Errorf("%s: not edited", o.name), advice)
	}
	if o.folder, err = makeFolder(o.temporary); err != nil {
		return tool.FileError(o.temporary, err)
	}
	return nil
}

// triesMax is how often the editor is opened again where nobody is at a terminal.
const triesMax = 10

// session has the text edited until it is stored, or given up.
func (o *options) session(ctx context.Context, now version) error {
	shown, err := o.form.show(now.plain)
	if err != nil {
		return fmt.Errorf("%s: %w", o.name, err)
	}
	line := 0
	merged := false // shown is a merge, which the end of the editor confirms
	for tries := 1; ; tries++ {
		began := time.Now()
		saved, err := o.open(ctx, shown, line)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && (saved == nil || bytes.Equal(saved, shown)):
			return fmt.Errorf("%s: %w: nothing is stored", o.name, err)
		case err != nil:
			if shown, line, err = saved, 0, o.whatNow(ctx, saved, err); err != nil {
				return err
			}
			continue
		}
		same := bytes.Equal(saved, shown)
		plain, err := o.form.read(saved, now.plain)
		if err == nil && !merged && (same || o.form.same(plain, now.plain)) {
			return o.unchanged(now, "nothing has changed, and nothing is stored", same && time.Since(began) < time.Second)
		}
		if err == nil && o.form.isEmpty(plain) && (now.receipt == nil || !o.form.isEmpty(now.plain)) && !o.empty {
			return fmt.Errorf("%s: %w", o.name, tool.Usagef("nothing is left, so nothing is stored (-empty accepts it)"))
		}
		var wrong *fault
		if errors.As(err, &wrong) {
			if o.terminal == nil && (same || tries == triesMax) {
				return fmt.Errorf("%s: %w: nothing is stored, and the text is dropped", o.name, err)
			}
			if shown, line, err = saved, wrong.line, o.whatNow(ctx, saved, err); err != nil {
				return err
			}
			continue
		}
		receipt, err := o.put(ctx, plain, now)
		switch {
		case err == nil:
			return o.stored(receipt, plain, now)
		case ctx.Err() != nil:
			return err
		case !errors.Is(err, secret.ErrChanged) && !errors.Is(err, secret.ErrExists):
			if o.terminal == nil {
				return err
			}
			if shown, line, merged, err = saved, 0, true, o.whatNow(ctx, saved, err); err != nil {
				return err
			}
			continue
		}
		next, m, err := o.overtaken(ctx, plain, saved, now, err)
		switch {
		case err != nil:
			return err
		case next.receipt != nil && o.form.same(plain, next.plain):
			return o.unchanged(next, "what you have saved is what is stored already", false)
		}
		now, shown, line, merged = next, m.text, m.line, true
	}
}

// open has the editor edit a text, and returns what it has saved, though it failed, or
// nil if there is nothing.
func (o *options) open(ctx context.Context, text []byte, line int) ([]byte, error) {
	if err := o.folder.write(o.file, text); err != nil {
		return nil, tool.FileError(o.folder.path, err)
	}
	s := streams{in: o.t.Stdin, out: o.stdout, err: o.stderr}
	if !tool.IsTerminal(o.stdout) { // where the receipt goes
		s.out = o.stderr
	}
	failed := o.editor.run(ctx, o.folder, o.file, line, s)
	saved, err := o.folder.read(o.file, secret.MaxInMemory)
	switch {
	case failed != nil && err != nil:
		return nil, failed
	case err != nil && !errors.Is(err, errNoFile):
		return nil, tool.FileError(o.folder.path, err)
	case err != nil:
		return nil, err
	case len(saved) > secret.MaxInMemory:
		return nil, fmt.Errorf("the text has over %d MiB", secret.MaxInMemory>>20)
	case saved == nil:
		saved = []byte{}
	}
	return saved, failed
}

func (o *options) put(ctx context.Context, plain []byte, now version) (*secret.Receipt, error) {
	condition := &secret.PutOptions{Create: now.receipt == nil}
	if now.receipt != nil {
		condition.If = now.receipt.ETag
	}
	return o.store.Put(ctx, o.name, bytes.NewReader(plain), condition)
}

// unchanged is the end where nothing was stored.
func (o *options) unchanged(now version, why string, atOnce bool) error {
	const wait = "an editor that opens a window and returns has to be told to wait: EDITOR='code --wait'"
	if now.receipt == nil {
		err := fmt.Errorf("%s: %w in %s, and nothing was written: nothing is stored", o.name, secret.ErrNotFound, o.store)
		if atOnce {
			err = hint.With(err, wait)
		}
		return err
	}
	o.say("%s: %s", o.name, why)
	if atOnce {
		o.say("hint: %s", wait)
	}
	if o.json {
		return o.t.PrintReceipt(now.receipt, true)
	}
	return nil
}

func (o *options) stored(r *secret.Receipt, plain []byte, now version) error {
	if o.quiet {
		return nil
	}
	if r.ClockSkew != 0 {
		o.t.NoteSkew(r.ClockSkew)
	}
	if now.receipt == nil && !o.form.env && bytes.IndexByte(plain, '\n') == len(plain)-1 {
		o.t.Notef("%s: ends in a newline, as editors end a line (-chomp strips it)", o.name)
	}
	return o.t.PrintReceipt(r, o.json)
}

// overtaken is what is done when another has stored something meanwhile: whoever is at
// the terminal says what. It returns what is stored now, and the text to go on with.
func (o *options) overtaken(ctx context.Context, mine, saved []byte, base version, conflict error) (version, merger, error) {
	conflict = fmt.Errorf("%w while it was edited", withoutName(o.name, conflict))
	own := merger{text: saved}
	if o.terminal == nil {
		return version{}, own, o.whatNow(ctx, saved, conflict)
	}
	next, err := o.current(ctx)
	switch {
	case err != nil: // base is out of date, so that it is looked at again
		return base, own, o.whatNow(ctx, saved, fmt.Errorf("%w, and cannot be read: %w", conflict, err))
	case next.receipt == nil:
		return next, own, o.whatNow(ctx, saved, fmt.Errorf("%w: it was removed", conflict))
	case o.form.same(mine, next.plain):
		return next, own, nil
	case !tool.IsText(next.plain):
		return next, own, o.whatNow(ctx, saved, fmt.Errorf("%w, to what is not text and cannot be shown", conflict))
	}
	m, err := o.form.merge(base.plain, mine, next.plain)
	if err != nil && o.form.format != environ.JSON { // the other has a value that the format cannot hold
		o.form.format = environ.JSON
		m, err = o.form.merge(base.plain, mine, next.plain)
	}
	if err != nil {
		m = own
	}
	if len(m.changed) > 0 {
		o.t.Notef("%s: another has changed %s", o.name, strings.Join(m.changed, ", "))
	}
	if len(m.both) > 0 {
		o.t.Notef("%s: both have changed %s: yours is kept until you change it", o.name, strings.Join(m.both, ", "))
	}
	return next, m, o.whatNow(ctx, saved, conflict)
}

// unnamed is an error of a secret whose text does not begin with the secret's name.
type unnamed struct{ err *secret.Error }

func (e unnamed) Error() string { return e.err.Err.Error() }
func (e unnamed) Unwrap() error { return e.err }

func withoutName(name string, err error) error {
	if failed, ok := err.(*secret.Error); ok && failed.Name == name {
		return unnamed{failed}
	}
	return err
}

// whatNow asks what becomes of a text that is not stored because of an error. Nil is to
// edit it again. Where nobody is at a terminal, an environment at fault is edited again,
// and everything else is an end.
func (o *options) whatNow(ctx context.Context, text []byte, why error) error {
	why = withoutName(o.name, why)
	isFault := errors.As(why, new(*fault))
	if o.terminal == nil {
		if isFault {
			o.t.Notef("%s: %v: the editor is opened again", o.name, why)
			return nil
		}
		return fmt.Errorf("%s: %w: nothing is stored, and the text is dropped", o.name, why)
	}
	o.t.Explain(fmt.Errorf("%s: %w", o.name, why))
	for {
		answer, err := o.ask(ctx, "edit it again (e), keep your text in a file (k), or drop it (d)? ")
		switch {
		case errors.Is(err, io.EOF):
			answer = "d"
		case err != nil:
			return err
		}
		switch strings.ToLower(answer) {
		case "e", "edit", "":
			return nil
		case "d", "drop":
			return fmt.Errorf("%s: %w: nothing is stored, and the text is dropped", o.name, why)
		case "k", "keep":
			kept, err := o.keep(ctx, text)
			if err != nil {
				return err
			}
			if kept {
				return fmt.Errorf("%s: %w: nothing is stored, and the text is kept in that file", o.name, why)
			}
		}
	}
}

// keep writes a text to a new file that is asked for, and reports whether there was one.
func (o *options) keep(ctx context.Context, text []byte) (bool, error) {
	for {
		path, err := o.ask(ctx, "FILE, which is made: ")
		switch {
		case errors.Is(err, io.EOF), err == nil && path == "":
			return false, nil
		case err != nil:
			return false, err
		}
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			if home, err := os.UserHomeDir(); err == nil {
				path = filepath.Join(home, rest)
			}
		}
		if err = writeNew(path, text); err == nil {
			return true, nil
		}
		o.t.Notef("%v", tool.FileError("FILE", err))
	}
}

// writeNew writes a file that must not be there.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}

// ask asks on the terminal.
func (o *options) ask(ctx context.Context, question string) (string, error) {
	return prompt.Answer(ctx, o.terminal, o.stderr, o.t.Name+": "+question)
}
