package iam

import "testing"

// glob is Match, one character at a time.
func glob(pattern, s []rune) bool {
	switch {
	case len(pattern) == 0:
		return len(s) == 0
	case pattern[0] == '*':
		return glob(pattern[1:], s) || len(s) > 0 && glob(pattern, s[1:])
	case len(s) == 0:
		return false
	}
	return (pattern[0] == '?' || pattern[0] == s[0]) && glob(pattern[1:], s[1:])
}

func FuzzMatch(f *testing.F) {
	f.Add("*", "a/b")
	f.Add("a?c*", "abc")
	f.Add(`\*[a-z]+.`, `\x[a-z]+.`)
	f.Add("a\n*", "a\nb\n")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		p, r := []rune(pattern), []rune(s)
		if len(p) > 16 || len(r) > 64 || string(p) != pattern || string(r) != s {
			return
		}
		if got, want := Match(pattern, s), glob(p, r); got != want {
			t.Errorf("%q, %q: %v", pattern, s, got)
		}
	})
}
