package settings

import (
	"os"
	"strings"
	"testing"
)

// The manual has every setting, in the words of the usage, with its variable and
// its default, in the same order, and no other.
func TestManual(t *testing.T) {
	b, err := os.ReadFile("../../../doc/man/msrc.5")
	if err != nil {
		t.Fatal(err)
	}
	_, page, _ := strings.Cut(string(b), "\nThe settings are:\n")
	list, rest, ok := strings.Cut(page, "\n.El\n")
	if !ok {
		t.Fatal("msrc.5 has no list of settings")
	}
	entries := strings.Split(list, "\n.It Cm ")[1:]
	if len(entries) != len(table) {
		t.Fatalf("msrc.5 has %d settings, there are %d", len(entries), len(table))
	}
	for i, s := range table {
		head, text, _ := strings.Cut(entries[i], "\n")
		want := s.name
		if s.metavar != "" {
			want += " Ar " + s.metavar
		}
		if head != want {
			t.Errorf("msrc.5 has %q, want %q", head, want)
		}
		if !strings.Contains(text, s.standard) {
			t.Errorf("msrc.5 does not say that the default of %s is %s", s.name, s.standard)
		}
		if !strings.Contains(rest, s.variable()) {
			t.Errorf("msrc.5 does not name %s", s.variable())
		}
	}
}

// The usage has lines of at most 80 characters.
func TestUsage(t *testing.T) {
	for line := range strings.Lines(Usage()) {
		if len(line) > 81 || !strings.HasPrefix(line, "  -") && !strings.HasPrefix(line, "                   ") {
			t.Errorf("%q", line)
		}
	}
}
