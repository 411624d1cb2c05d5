package control

import (
	"slices"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, row := range []struct {
		line string
		want []string
	}{
		{"", nil}, {"  # nothing", nil}, {"a  b\tc\n", []string{"a", "b", "c"}}, {"a'b c'd", []string{"ab cd"}}, {`"a \" b" '\'`, []string{`a " b`, `\`}},
		{`a\ b`, []string{"a b"}}, {"'' x", []string{"", "x"}}, {"a#b", []string{"a#b"}},
	} {
		if got, err := Split(row.line); err != nil || !slices.Equal(got, row.want) {
			t.Errorf("%q: %q, %v", row.line, got, err)
		}
	}
	for _, line := range []string{"'a", `"a`, `a\`} {
		if words, err := Split(line); err == nil {
			t.Errorf("%q: %q", line, words)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("fault answer 409 X PutObject key=a times=1")
	f.Add(`write 'a b' "c"`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := Split(line)
		if err == nil && len(words) > len(line) {
			t.Errorf("%d words", len(words))
		}
	})
}
