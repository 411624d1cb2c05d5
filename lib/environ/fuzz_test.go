package environ

import (
	"path"
	"strings"
	"testing"
)

// FuzzUnsafe holds that the index of the list finds what a look at each of its rows does.
func FuzzUnsafe(f *testing.F) {
	for _, s := range []string{"", "PATH", "path", "LD_PRELOAD", "NODE_ENV", "BASH_FUNC_x%%", "MS_STORE", "GIT_SHA", "*", "NPM_CONFIG_x", "npm_config_X", "[", "\xff", "ſ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !ValidName(name) {
			return
		}
		listed := false
		for rule := range UnsafeRules() {
			for _, pattern := range rule.Names {
				s := name
				if rule.anyCase {
					s, pattern = strings.ToUpper(s), strings.ToUpper(pattern)
				}
				if ok, err := path.Match(pattern, s); err != nil {
					t.Fatal(err)
				} else if ok {
					listed = true
				}
			}
		}
		reason, unsafe := Unsafe(name)
		if unsafe != listed || unsafe != (reason != "") {
			t.Errorf("%q: %v, %q", name, unsafe, reason)
		}
		_, err := Filter{}.Apply(Env{name: "x"})
		if (err != nil) != unsafe {
			t.Errorf("%q: %v", name, err)
		}
	})
}
