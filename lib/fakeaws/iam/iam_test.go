package iam

import "testing"

func TestMatch(t *testing.T) {
	for _, row := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "a/b", true}, {"a*", "ab", true}, {"a*c", "abbc", true},
		{"a*c", "abb", false}, {"*b*", "abc", true}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"a*b*b", "ab", false}, {"*.key", "x/y.key", true},
		{"a*?", "a", false}, {"a*?", "ab", true},
	} {
		if Match(row.pattern, row.s) != row.want {
			t.Errorf("Match(%q, %q) is not %v", row.pattern, row.s, row.want)
		}
	}
}
