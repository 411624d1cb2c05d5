package get

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"microsecrets/lib/internal/hint"
	"microsecrets/lib/tool"
)

// terminal is standard output that a person reads. What is not text would move the
// cursor, change what is shown, or type: it is refused.
type terminal struct {
	w       io.Writer
	partial []byte // of a character
	last    byte   // that was written
}

var errNotText = hint.With(errors.New("is not text, and is not shown on a terminal"), "-o FILE, or a pipe, takes it as it is; -force shows it")

// check reads secrets before the first of them is shown.
func (t *terminal) check(names []string, got map[string]reader) error {
	failed := make(tool.Failures, len(names))
	for i, name := range names {
		dry := &terminal{w: io.Discard}
		_, err := got[name].WriteTo(dry)
		if err == nil && len(dry.partial) > 0 {
			err = errNotText
		}
		got[name].Rewind()
		if errors.Is(err, errNotText) {
			err = fmt.Errorf("%s: %w", name, err)
		}
		failed[i] = err
	}
	return failed.Err()
}

func (t *terminal) Write(p []byte) (int, error) {
	text := append(t.partial, p...)
	whole := len(text)
	for i := max(0, whole-utf8.UTFMax+1); i < whole; i++ {
		if utf8.RuneStart(text[i]) && !utf8.FullRune(text[i:]) {
			whole = i
		}
	}
	for rest := text[:whole]; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if tool.NotText(r, n) {
			return 0, errNotText
		}
		rest = rest[n:]
	}
	if whole > 0 {
		if _, err := t.w.Write(text[:whole]); err != nil {
			return 0, err
		}
		t.last = text[whole-1]
	}
	t.partial = append([]byte(nil), text[whole:]...)
	return len(p), nil
}

// end adds the newline that the last line lacks.
func (t *terminal) end() {
	if t.last != 0 && t.last != '\n' {
		io.WriteString(t.w, "\n")
	}
}
