package completion

import (
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"microsecrets/lib/tool"
	"microsecrets/lib/tool/suite"
)

// known reports whether completion knows what a metavariable stands for.
func known(metavar string) bool {
	for part := range strings.SplitSeq(metavar, "=") {
		if kinds[part] == "" && part != strings.ToLower(part) {
			return false
		}
	}
	return metavar != ""
}

// The usage text of every program and its flags say the same, in words that
// completion understands.
func TestPrograms(t *testing.T) {
	for _, p := range suite.Programs {
		d, u := tool.Describe(p.Run), parseUsage(p.Usage)
		if d.Flags == nil {
			t.Errorf("%s does not parse its flags by tool.Parse before anything else", p.Name)
			continue
		}
		flags := map[string]bool{"h": true}
		d.Flags.VisitAll(func(f *flag.Flag) {
			flags[f.Name] = true
			metavar := u.flags[f.Name].metavar
			if isSwitch(f) != (metavar == "") {
				t.Errorf("%s -%s: its usage gives it the value %q", p.Name, f.Name, metavar)
			}
			for each := range strings.SplitSeq(metavar, "|") {
				if metavar != "" && !known(each) {
					t.Errorf("%s -%s: completion does not know what %s is: see kinds", p.Name, f.Name, each)
				}
				if w, ok := f.Value.(interface{ Words() []string }); kinds[each] == words && (!ok || len(w.Words()) == 0) {
					t.Errorf("%s -%s: %s is one of a few words, which the flag's value does not have", p.Name, f.Name, each)
				}
			}
		})
		if got, want := slices.Sorted(maps.Keys(u.flags)), slices.Sorted(maps.Keys(flags)); !slices.Equal(got, want) {
			t.Errorf("%s: its usage has the flags %q, it has %q", p.Name, got, want)
		}
		for name, f := range u.flags {
			if f.text == "" {
				t.Errorf("%s -%s: its usage does not say what it does", p.Name, name)
			}
		}
		if len(u.forms) == 0 {
			t.Errorf("%s: its usage does not begin with how it is called", p.Name)
		}
		for _, f := range u.forms {
			for _, a := range f.arguments {
				for _, m := range a.metavars {
					if !known(m) {
						t.Errorf("%s: completion does not know what the argument %s is: see kinds", p.Name, m)
					}
				}
			}
		}
	}
}

func TestParseUsage(t *testing.T) {
	u := parseUsage(`usage: ms-x [flags] NAME [FILE]
       ms-x -from FORMAT [flags] NAME|PREFIX/... | -n DIR > SEALED
       ms-x [VAR=NAME...] [-- COMMAND [ARG...]]

What it does:
  -not a flag

  -a               one
  -long-one TEXT   two; and so
                   on
  -bucket-owner ID three, in
                   two lines
  -last-writer-wins
                   four
`)
	at := func(i int) string { return strings.Join(u.at(i), " ") }
	if at(0) != "NAME NAME PREFIX/ VAR=NAME" || at(1) != "FILE NAME PREFIX/ VAR=NAME" || at(9) != "NAME PREFIX/ VAR=NAME" || !u.command() {
		t.Errorf("%q, %q, %q, %v", at(0), at(1), at(9), u.command())
	}
	want := map[string]flagUsage{"a": {"", "one"}, "long-one": {"TEXT", "two"}, "bucket-owner": {"ID", "three, in two lines"}, "last-writer-wins": {"", "four"}}
	if !maps.Equal(u.flags, want) {
		t.Errorf("%q", u.flags)
	}
}

// What readline is given makes bash pass on exactly the text.
func FuzzBash(f *testing.F) {
	for _, text := range []string{"a b/c", "it's", `"x"`, `back\slash`, "!a$b`c`", "~x", "=a:b@c", "é/ü"} {
		f.Add("ms-get "+text, 3, text)
		f.Add(`ms-get "`+text, 0, text)
		f.Add("ms-get '"+text, 1, text)
	}
	f.Fuzz(func(t *testing.T, line string, n int, text string) {
		const breaks = " \t\n\"'><=;|&(:@"
		parseBash(line, breaks)
		if strings.ContainsAny(text, "\n\x00") || text == "" {
			return
		}
		n = max(0, min(n, len(text)))
		for _, typed := range []string{escape(text[:n]), "'" + strings.ReplaceAll(text[:n], "'", `'\''`), `"` + inDoubleQuotes.Replace(text[:n])} {
			l := parseBash("ms-get "+typed, breaks)
			if l.current != text[:n] || !slices.Equal(l.words, []string{"ms-get"}) || l.kept > n {
				t.Fatalf("%q is %+v, not %q", typed, l, text[:n])
			}
			quote := ""
			if l.quote != 0 {
				quote = string(l.quote)
			}
			// What stays of the word, and then what readline puts there.
			line := "ms-get " + escape(text[:l.kept]) + quote + l.replace(text) + quote
			if got := parseBash(strings.TrimSuffix(line, " ")+" ", breaks); !slices.Equal(got.words, []string{"ms-get", text}) || got.computed {
				t.Fatalf("%q becomes %q: %q, not %q", typed, line, got.words, text)
			}
		}
	})
}

// escape quotes every byte.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteByte('\\')
		b.WriteByte(text[i])
	}
	return b.String()
}

var manualFlag = regexp.MustCompile(`(?m)^\.It Fl ([a-z0-9-]+)(.*)$`)

// The manual page of every program gives its flags the values that its usage does.
// Those of the settings are in msrc(5), which lib/internal/settings holds.
func TestManual(t *testing.T) {
	for _, p := range suite.Programs {
		page, err := os.ReadFile("../../../doc/man/" + p.Name + ".1")
		if err != nil {
			t.Fatal(err)
		}
		u := parseUsage(p.Usage)
		for _, m := range manualFlag.FindAllStringSubmatch(string(page), -1) {
			words := slices.DeleteFunc(strings.Fields(m[2]), func(w string) bool { return w == "Ar" || w == "Ns" })
			if value := strings.Join(words, ""); value != u.flags[m[1]].metavar {
				t.Errorf("%s.1 has -%s %s, the usage -%s %s", p.Name, m[1], value, m[1], u.flags[m[1]].metavar)
			}
		}
	}
}
