package tool

import (
	"slices"
	"strings"
	"testing"
)

// FuzzReadNames holds that names are what is between the ends of lines, or NULs, and
// never empty.
func FuzzReadNames(f *testing.F) {
	for _, s := range []string{"", "a\nb\n", "a\n\nb", "a\x00b\x00", "\n", "a\r\nb", "\xff"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, nul bool) {
		names, err := (&Tool{Stdin: strings.NewReader(text)}).ReadNames(t.Context(), nul)
		if err != nil {
			t.Fatal(err)
		}
		end := "\n"
		if nul {
			end = "\x00"
		}
		want := slices.DeleteFunc(strings.Split(text, end), func(s string) bool { return s == "" })
		if !slices.Equal(names, want) {
			t.Errorf("%q: %q, not %q", text, names, want)
		}
	})
}
