//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package prompt

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode"
)

// typed is a line after keys, and how many of them it took.
func typed(keys string) (line string, taken int, done bool, err error) {
	e := editor{erase: '\x7f', word: '\x17', kill: '\x15', end: '\x04'}
	for taken < len(keys) && !done && err == nil {
		done, err = e.key(keys[taken])
		taken++
	}
	return string(e.line), taken, done, err
}

func TestEditor(t *testing.T) {
	for keys, want := range map[string]string{
		"abc\n":                         "abc",
		"abc\r":                         "abc",
		"abc\x04":                       "abc",
		" a b \n":                       " a b ",
		"\n":                            "",
		"hün\x7f\x7f\x7f\x7fx\n":        "x",
		"ab\bc\n":                       "ac",
		"wrong\x15right\n":              "right",
		"one two \x17three\n":           "one three",
		"one\x17\x17two\n":              "two",
		"ab\x1b[Dc\n":                   "acb",
		"üö\x1b[D\x1b[D\x1b[Dä\n":       "äüö",
		"ab\x1bOD\x1bOD\x1b[Cc\n":       "acb",
		"ab\x02\x02\x02\x06c\n":         "acb",
		"ab\x1b[Hc\x1b[Fd\n":            "cabd",
		"ab\x1b[1~c\x1b[4~d\n":          "cabd",
		"ab\x1b[7~c\x1b[8~d\n":          "cabd",
		"ab\x01c\x05d\n":                "cabd",
		"abc\x01\x1b[3~\x1b[3~\n":       "c",
		"abc\x1b[3~\n":                  "abc",
		"abc\x02\x02\x0b\n":             "a",
		"abc\x02\x15x\n":                "x",
		"ab cd\x02\x17x\n":              "ab xd",
		"a\x1b[A\x1b[Bb\n":              "ab",
		"a\xff\xfeb\n":                  "a\xff\xfeb",
		strings.Repeat("k", 1e5) + "\n": strings.Repeat("k", 1e5),
	} {
		if line, taken, done, err := typed(keys); line != want || !done || err != nil || taken != len(keys) {
			t.Errorf("%.40q: %.40q, %v after %d, %v", keys, line, done, taken, err)
		}
	}
}

func TestEditorRefuses(t *testing.T) {
	for _, keys := range []string{
		"a\x00", "a\t", "a\x16", "a\x1bx", "a\x1b\x1b", "a\x1b\n", "a\x1b[15", "a\x1b[1;", "a\x1b[2~", "a\x1b[Z", "a\u0085\n", "a\u009b\n",
	} {
		if line, taken, done, err := typed(keys); !errors.Is(err, ErrKey) || done || taken < len(keys)-1 {
			t.Errorf("%q: %q, %v after %d, %v", keys, line, done, taken, err)
		}
	}
}

// FuzzEditor types anything: no control character is ever in a line, and what is
// only text is there as it was typed.
func FuzzEditor(f *testing.F) {
	f.Add([]byte("hün\x7f\x1b[D\x1b[3~ter\x17\x01\x1bOH2\n"))
	f.Add([]byte("\x1b[\x1b[1~\x04"))
	f.Add([]byte("abc\u0085\n"))
	f.Fuzz(func(t *testing.T, keys []byte) {
		line, _, done, err := typed(string(keys) + "\n")
		switch {
		case err != nil:
			if !errors.Is(err, ErrKey) {
				t.Fatal(err)
			}
			return
		case !done:
			t.Fatal("the line does not end")
		case strings.ContainsFunc(line, unicode.IsControl):
			t.Fatalf("%q", line)
		}
		if !bytes.ContainsFunc(keys, unicode.IsControl) && line != string(keys) {
			t.Fatalf("typed %q: %q", keys, line)
		}
	})
}
