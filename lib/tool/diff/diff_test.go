package diff

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Names with the same rest are side by side, and all are sorted by it.
func TestMerge(t *testing.T) {
	for _, test := range []struct{ first, second, pairs string }{
		{"", "", ""},
		{"a/x", "", "a/x="},
		{"", "bb/x", "=bb/x"},
		{"a/x", "bb/x", "a/x=bb/x"},
		{"a/a a/c a/d", "bb/b bb/c bb/e", "a/a= =bb/b a/c=bb/c a/d= =bb/e"},
		{"a/x a/x/y a/x0", "bb/x/y", "a/x= a/x/y=bb/x/y a/x0="},
	} {
		var got []string
		for _, p := range merge(strings.Fields(test.first), strings.Fields(test.second), "a/", "bb/") {
			for _, s := range p {
				if s.listed != (s.name != "") {
					t.Errorf("%v: listed %v", s.name, s.listed)
				}
			}
			got = append(got, p[0].name+"="+p[1].name)
		}
		if strings.Join(got, " ") != test.pairs {
			t.Errorf("%q and %q: %q", test.first, test.second, got)
		}
	}
}

// Pairs are printed in their order, whichever is done first.
func TestPrinter(t *testing.T) {
	const pairs = 20
	order := rand.Perm(pairs)
	var out bytes.Buffer
	p := &printer{w: &out, named: true}
	for _, i := range order {
		if i%3 == 0 {
			p.printAt(i, nil)
			continue
		}
		p.printAt(i, []change{{sign: changed, name: string(rune('a' + i)), variable: "V"}})
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if !slices.IsSorted(lines) || len(lines) != 13 || lines[0] != "~ b\tV" || len(p.waiting) != 0 || p.err != nil {
		t.Errorf("%v: %q", order, lines)
	}
}

// Nothing is printed after what could not be.
func TestPrinterFails(t *testing.T) {
	w := &failing{}
	p := &printer{w: w}
	for i := range 3 {
		p.printAt(i, []change{{sign: changed, name: "n"}})
	}
	if !p.broken() || !errors.Is(p.err, errFull) || w.calls != 1 {
		t.Errorf("%v after %d calls", p.err, w.calls)
	}
}

var errFull = errors.New("full")

type failing struct{ calls int }

func (f *failing) Write([]byte) (int, error) { f.calls++; return 0, errFull }
