package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"
	"unicode"

	"microsecrets/lib/environ"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/tool"
)

// A form is what a secret is to be edited as.
type form struct {
	env    bool
	format environ.Format // of an environment, in the file
	named  bool           // the format was asked for
	asIs   bool           // an environment is stored as the text that is saved, and not as JSON

	// chomp strips one trailing newline: it was asked for, or what was stored when the
	// editor was first opened has none, so that it is the editor's and not the user's.
	chomp bool
}

var (
	errNotEnvironment = errors.New("what is stored is not an environment")
	errControls       = errors.New("a value has a character that is not text")
	errNotText        = errors.New("is not text, and is not edited")
)

// judge says in which form a stored secret is edited, or a new one where plain is nil.
// Note is what there is to say about it. An environment that ms-put -e has stored, or
// any other JSON object of strings, is edited as lines, if lines can hold it, and what
// is stored as lines, or in another way that lines cannot hold, as it is.
func (o *options) judge(plain []byte) (f form, note string, err error) {
	f = form{
		format: environ.Format(o.format),
		named:  o.format != "",
		chomp:  o.chomp || len(plain) > 0 && !bytes.HasSuffix(plain, []byte("\n")),
	}
	wanted := f.named || o.env.yes
	if f.format == "" {
		f.format = environ.Lines
	}
	switch {
	case plain == nil:
		f.env = wanted
		return f, "", nil
	case o.env.no:
		return f, "", checkText(plain)
	}
	env, failed := parse(plain)
	isJSON := bytes.HasPrefix(bytes.TrimLeft(plain, " \t\r\n"), []byte("{"))
	switch {
	case failed != nil && wanted:
		return f, "", fmt.Errorf("%w: %w", errNotEnvironment, failed)
	case failed != nil, !wanted && !isJSON && !looksLikeLines(plain, env):
		return f, "", checkText(plain)
	}
	f.env = true
	if !wanted && !isJSON {
		f.asIs = true
		return f, "", checkText(plain)
	}
	stored, failed := env.Marshal()
	if failed != nil {
		return f, "", failed
	}
	text, refused := f.render(env)
	switch {
	case refused == nil && tool.IsText(text):
		return f, "", nil
	case refused == nil:
		refused = errControls
	}
	if f.named {
		return f, "", refused
	}
	f.format = environ.JSON
	f.asIs = !bytes.Equal(stored, plain)
	if text, err = f.show(plain); err == nil {
		err = checkText(text)
	}
	return f, fmt.Sprintf("it is edited as JSON: %v", cause(refused)), err
}

// cause is an error of Render without the formats that it advises, which are not those
// of this program.
func cause(err error) error {
	text, _, _ := strings.Cut(err.Error(), ": -f ")
	return errors.New(text)
}

func checkText(plain []byte) error {
	if !tool.IsText(plain) {
		return hint.With(errNotText, "ms-get -o FILE writes it to a file, and ms-put NAME FILE stores that")
	}
	return nil
}

// looksLikeLines reports whether a text that can be read as lines is likely to be an
// environment: a key in base64, which may end in "=", is none.
func looksLikeLines(plain []byte, env environ.Env) bool {
	if len(env) != 1 {
		return len(env) > 1
	}
	for _, value := range env {
		return value != "" && value != "=" && bytes.HasSuffix(plain, []byte("\n"))
	}
	return false
}

func parse(plain []byte) (environ.Env, error) {
	if len(plain) == 0 {
		return nil, errors.New("it is empty")
	}
	return environ.Parse(plain, environ.Auto)
}

// show is a stored secret as the file has it.
func (f form) show(plain []byte) ([]byte, error) {
	if !f.env || f.asIs || plain == nil {
		return plain, nil
	}
	env, err := parse(plain)
	if err != nil {
		return nil, err
	}
	return f.render(env)
}

func (f form) render(env environ.Env) ([]byte, error) {
	text, err := env.Render(f.format)
	if f.format != environ.JSON || err != nil {
		return text, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, text, "", "  ")
	return b.Bytes(), err
}

// A fault is what keeps a text from being stored. Line is 0 where it is in no one line.
type fault struct {
	line int
	err  error
}

func (e *fault) Error() string { return e.err.Error() }
func (e *fault) Unwrap() error { return e.err }

// read is what is to be stored of a text, given what is stored now, which is nil if
// there is nothing. Its error is a fault.
func (f form) read(text, stored []byte) ([]byte, error) {
	if line := conflictMarker(text); line > 0 {
		return nil, &fault{line, fmt.Errorf("line %d: both changed this: leave what is to be stored, and remove the lines that mark it", line)}
	}
	if !f.env {
		return f.trim(text), nil
	}
	env, err := f.environment(text, stored)
	if err != nil {
		return nil, err
	}
	if f.asIs {
		return f.trim(text), nil
	}
	plain, err := env.Marshal()
	if err != nil {
		return nil, &fault{0, err}
	}
	return plain, nil
}

// environment is a text as an environment. Lines take quotes literally, which few who
// type them mean, so they are refused, unless the format was asked for, or what is
// stored has some.
func (f form) environment(text, stored []byte) (environ.Env, error) {
	format := f.format
	if format == environ.Lines && !f.named && !hasQuotes(stored) {
		format = environ.Auto
	}
	env, err := environ.Parse(text, format)
	if err == nil {
		return env, nil
	}
	line := environ.Line(err)
	if line > 0 && !strings.HasPrefix(err.Error(), "line ") {
		err = fmt.Errorf("line %d: %w", line, err)
	}
	return nil, &fault{line, err}
}

func hasQuotes(stored []byte) bool {
	env, _ := parse(stored)
	for _, value := range env {
		if last := len(value) - 1; last > 0 && value[0] == value[last] && (value[0] == '"' || value[0] == '\'') {
			return true
		}
	}
	return false
}

func (f form) trim(text []byte) []byte {
	if f.chomp {
		return bytes.TrimSuffix(text, []byte("\n"))
	}
	return text
}

// same reports whether two secrets are the same in this form. Nil is none.
func (f form) same(a, b []byte) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if f.env && !f.asIs {
		x, errX := parse(a)
		y, errY := parse(b)
		if errX == nil && errY == nil {
			return maps.Equal(x, y)
		}
	}
	return bytes.Equal(a, b)
}

// isEmpty reports whether nothing would be left.
func (f form) isEmpty(plain []byte) bool {
	if f.env {
		env, err := parse(plain)
		return len(plain) == 0 || err == nil && len(env) == 0
	}
	return len(plain) == 0
}

// usual is what a file's name has of a secret's: editors and their plug-ins may make
// something of other characters.
func usual(r rune) rune {
	if unicode.IsLetter(r) || unicode.IsNumber(r) || strings.ContainsRune("._-", r) {
		return r
	}
	return '_'
}

// nameMax is how long a file's name may be, in bytes.
const nameMax = 100

// fileName is the name of the file for a secret: the last segment of its own, by which
// an editor knows how to show it.
func (f form) fileName(name string) string {
	base := strings.TrimLeftFunc(strings.Map(usual, path.Base(name)), func(r rune) bool { return r == '-' })
	suffix := ""
	switch {
	case f.env && f.format == environ.JSON:
		suffix = ".json"
	case f.env:
		suffix = ".env"
	}
	switch {
	case suffix == ".env" && base == "env":
		base = ""
	case strings.HasSuffix(base, suffix):
		suffix = ""
	}
	if base == "" && suffix == "" || strings.Trim(base, ".") == "" && base != "" || len(base) > nameMax {
		base = "secret"
	}
	return base + suffix
}
