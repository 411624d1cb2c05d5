package printable

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzPrintable holds that whatever others wrote is one short line that moves no
// cursor.
func FuzzPrintable(f *testing.F) {
	for _, text := range []string{"", "plain", "\x1b[31m", "a\nb\r\n", "\u202e\u2028", "\xff\xfe", "ä€😀", strings.Repeat("é", 300), `"\`, "\x00\x7f\u0085"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line, quoted, path := Line(text), Quote(text), Path(text)
		if len(line) > 3*lineMax || len(quoted) > 10*quoteMax+8 {
			t.Errorf("%d and %d bytes", len(line), len(quoted))
		}
		for _, shown := range []string{line, quoted, path} {
			if !utf8.ValidString(shown) || strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q", shown)
			}
		}
		if Token(text) && (Line(text) != text && len(text) <= lineMax || strings.ContainsAny(text, " \n\x1b")) {
			t.Errorf("the token %q", text)
		}
		if Word(text, 64, "-_/") && !Token(text) {
			t.Errorf("the word %q", text)
		}
		marshalled, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var back, want string
		ascii := JSON(marshalled)
		if strings.ContainsFunc(string(ascii), func(r rune) bool { return r < ' ' || r >= 0x7f }) {
			t.Errorf("JSON %q", ascii)
		}
		if json.Unmarshal(marshalled, &want) != nil || json.Unmarshal(ascii, &back) != nil || back != want {
			t.Errorf("JSON %q is %q, not %q", ascii, back, want)
		}
	})
}
