package get

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// What a person reads is text: nothing else is written, wherever writes are cut.
func TestTerminal(t *testing.T) {
	for text, ok := range map[string]bool{
		"":                            true,
		"hunter2":                     true,
		"line\nline\n":                true,
		"tab\tand\r\nmore €, ä, 漢, 🙂": true,
		"\x1b]0;title\x07":            false,
		"a\x00b":                      false,
		"a\u009b31m":                  false,
		"a\u202eb":                    false,
		"a\xffb":                      false,
		"\xe2\x82":                    false,
		"\x7f":                        false,
	} {
		for size := 1; size <= 5; size++ {
			var out bytes.Buffer
			w := &terminal{w: &out}
			var err error
			for rest := text; len(rest) > 0 && err == nil; {
				n := min(size, len(rest))
				_, err = w.Write([]byte(rest[:n]))
				rest = rest[n:]
			}
			whole := err == nil && len(w.partial) == 0
			if whole != ok || err != nil && !errors.Is(err, errNotText) {
				t.Errorf("%q by %d: %v, %q left", text, size, err, w.partial)
			}
			if !ok {
				continue
			}
			w.end()
			want := text
			if want != "" {
				want = strings.TrimSuffix(want, "\n") + "\n"
			}
			if out.String() != want {
				t.Errorf("%q by %d: %q", text, size, &out)
			}
		}
	}
}
