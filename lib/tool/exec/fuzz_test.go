package exec

import (
	"strings"
	"testing"

	"microsecrets/lib/environ"
	"microsecrets/lib/secret"
)

// FuzzSource holds that what follows "=" is a NAME, or shown to nobody: it may be a
// value, as env(1) has it.
func FuzzSource(f *testing.F) {
	for _, s := range []string{"a/b", "V=a/b", "V=hunter2", "=a/b", "a/b=c", "V==a/b", "1V=a/b", "MICROSECRETS_SOURCE=a/b", "V=a/../b", "V=", "\x00=a/b", "path/x=a/b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		value, isAssignment := "", false
		if _, value, isAssignment = strings.Cut(arg, "="); len(value) < 16 {
			isAssignment = false // it may be part of the message by chance
		}
		silent := func(err error) {
			if err != nil && isAssignment && strings.Contains(err.Error(), value) {
				t.Errorf("%q: %q", arg, err)
			}
		}
		s, err := parseSource(arg)
		silent(err)
		if err == nil && s.variable != "" && (!environ.ValidName(s.variable) || isOwn(s.variable) || secret.CheckName(s.name) != nil || s.variable+"="+s.name != arg) {
			t.Errorf("%q: %+v", arg, s)
		}
		mems, err := parseMems([]string{arg})
		silent(err)
		for _, m := range mems {
			if !environ.ValidName(m.variable) || isOwn(m.variable) || secret.CheckName(m.name) != nil || m.variable+"="+m.name != arg {
				t.Errorf("-mem %q: %+v", arg, m)
			}
		}
		files, err := parseFiles([]string{arg})
		silent(err)
		for _, file := range files {
			if file.path == "" || secret.CheckName(file.name) != nil || file.path+"="+file.name != arg {
				t.Errorf("-file %q: %+v", arg, file)
			}
		}
	})
}
