package exec

import (
	"strings"
	"testing"

	"microsecrets/lib/environ"
	"microsecrets/lib/internal/hint"
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

// FuzzSources holds that a FILE of -sources has what the command line could have as
// well, and that nothing of its text is shown.
func FuzzSources(f *testing.F) {
	for _, s := range []string{
		"", "\n\n", "s/env\nV=s/token\n", "# none\n  s/env # why\n", "s/env\r\n", "a b#c", "V=hunter2", "-----BEGIN PRIVATE KEY-----", "\ufeffs/env", "a//b",
		"MICROSECRETS_SOURCE=a/b", "=a/b", "1V=a/b", "a\tb", "\xff", strings.Repeat("x", 5000), "V=s/\u202ex",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sources, wrong := parseSources("flag -sources: FILE", text)
		if len(wrong) > linesTold+1 {
			t.Errorf("%d errors", len(wrong))
		}
		for _, line := range strings.Split(text, "\n") {
			if line = strings.TrimSpace(line); len(line) < 16 || strings.HasPrefix("MICROSECRETS_METADATA", line) {
				continue // it may be part of a message by chance
			}
			for _, err := range wrong {
				if said := err.Error() + hint.Of(err); strings.Contains(said, line) && !strings.Contains(line, "A-Za-z") {
					t.Errorf("%q: %q", line, said)
				}
			}
		}
		for _, s := range sources {
			written := s.name
			if s.variable != "" {
				written = s.variable + "=" + s.name
			}
			again, err := parseSource(written)
			if err != nil || again != s || secret.CheckName(s.name) != nil || strings.HasPrefix(written, "-") {
				t.Errorf("%+v is %+v on the command line: %v", s, again, err)
			}
		}
	})
}
