package edit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"microsecrets/lib/environ"
)

func TestMergeVariables(t *testing.T) {
	for _, test := range []struct {
		base, mine, theirs string
		want, changed      string
		both               string
	}{
		{"A=1 B=2", "A=x B=2", "A=1 B=y", "A=x B=y", "B", ""},
		{"A=1 B=2", "A=x B=2", "A=y B=2", "A=x B=2", "A", "A"},
		{"A=1 B=2", "A=x B=2", "A=x B=3", "A=x B=3", "A B", ""},
		{"A=1 B=2", "A=1 B=2 C=3", "A=1", "A=1 C=3", "B", ""},
		{"A=1 B=2", "A=1", "A=1 B=3", "A=1", "B", "B"},
		{"A=1 B=2", "A=1 B=3", "A=1", "A=1 B=3", "B", "B"},
		{"A=1 B=2", "B=2", "B=2", "B=2", "A", ""},
		{"A=1", "A=1 B=2", "A=1 B=3", "A=1 B=2", "B", "B"},
		{"A=1", "A=1 B=2", "A=1 C=3", "A=1 B=2 C=3", "C", ""},
		{"", "A=1", "A=2 B=3", "A=1 B=3", "A B", "A"},
		{"A=1", "", "A=1 B=2", "B=2", "B", ""},
		{"A=", "A= B=", "", "B=", "A", ""},
	} {
		merged, changed, both := mergeVariables(variables(t, test.base), variables(t, test.mine), variables(t, test.theirs))
		got, err := merged.Render(environ.Lines)
		if err != nil {
			t.Fatal(err)
		}
		if s := strings.Join(strings.Fields(string(got)), " "); s != test.want || strings.Join(changed, " ") != test.changed || strings.Join(both, " ") != test.both {
			t.Errorf("%q, mine %q, theirs %q: %q, changed %q, both %q", test.base, test.mine, test.theirs, s, changed, both)
		}
	}
}

// variables are an environment with white space between its variables.
func variables(t testing.TB, text string) environ.Env {
	t.Helper()
	env, err := environ.Parse([]byte(strings.Join(strings.Fields(text), "\n")), environ.Lines)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func TestMergeLines(t *testing.T) {
	conflict := func(mine, theirs string) string {
		return markMine + "\n" + mine + markTheirs + "\n" + theirs + markEnd + "\n"
	}
	for _, test := range []struct {
		base, mine, theirs string
		want               string
		line               int
	}{
		{"a\nb\nc\n", "x\nb\nc\n", "a\nb\ny\n", "x\nb\ny\n", 0},
		{"a\nb\nc\n", "a\nb\ny\n", "x\nb\nc\n", "x\nb\ny\n", 0},
		{"a\nb\nc\n", "a\nb\nc\n", "a\nc\n", "a\nc\n", 0},
		{"a\nb\nc\n", "a\nc\n", "a\nb\nc\n", "a\nc\n", 0},
		{"a\nb\nc\n", "a\nx\nc\n", "a\nx\nc\n", "a\nx\nc\n", 0},
		{"a\nb\nc\n", "a\nx\nc\n", "a\ny\nc\n", "a\n" + conflict("x\n", "y\n") + "c\n", 2},
		{"a\nb\nc\n", "a\nc\n", "a\ny\nc\n", "a\n" + conflict("", "y\n") + "c\n", 2},
		{"a", "b", "c", conflict("b\n", "c\n"), 1},
		{"", "b\n", "c", conflict("b\n", "c\n"), 1},
		{"a\nb\nc\nd\n", "x\ny\nc\nd\n", "a\nz\nw\nd\n", conflict("x\ny\nc\n", "a\nz\nw\n") + "d\n", 1},
		{"a\nb\n", "a\nm\nb\n", "a\nt\nb\n", "a\n" + conflict("m\n", "t\n") + "b\n", 2},
		{"a\nb\nc", "x\nb\nc", "a\nb\nc\nd\n", "x\nb\nc\nd\n", 0},
	} {
		got, line := mergeLines([]byte(test.base), []byte(test.mine), []byte(test.theirs))
		if string(got) != test.want || line != test.line {
			t.Errorf("%q, mine %q, theirs %q: line %d, %q, not %q", test.base, test.mine, test.theirs, line, got, test.want)
		}
		if marked := conflictMarker(got); marked != test.line {
			t.Errorf("%q: the first mark is on line %d", got, marked)
		}
	}
}

// FuzzMergeLines merges anything: a merge with what has not changed is the other, both
// are in a conflict, and no line of either is lost that the other has not removed.
func FuzzMergeLines(f *testing.F) {
	f.Add("a\nb\nc\n", "x\nb\nc\n", "a\nb\ny")
	f.Add("", "a", "b\n")
	f.Add("a\na\na\n", "a\na\n", "a\na\na\na\n")
	f.Fuzz(func(t *testing.T, base, mine, theirs string) {
		if strings.Contains(base+mine+theirs, markMine) || strings.Contains(base+mine+theirs, markEnd) || strings.Contains(base+mine+theirs, markTheirs) {
			return
		}
		merge := func(base, mine, theirs string) (string, int) {
			got, line := mergeLines([]byte(base), []byte(mine), []byte(theirs))
			return string(got), line
		}
		if got, line := merge(base, base, theirs); got != theirs || line != 0 {
			t.Errorf("nothing of mine: %q, line %d", got, line)
		}
		if got, line := merge(base, mine, base); got != mine || line != 0 {
			t.Errorf("nothing of theirs: %q, line %d", got, line)
		}
		got, line := merge(base, mine, theirs)
		if line != conflictMarker([]byte(got)) {
			t.Errorf("line %d, %q", line, got)
		}
		for _, each := range [][]string{lines([]byte(mine)), lines([]byte(theirs))} {
			for _, l := range each {
				if l = strings.TrimSuffix(l, "\n"); !strings.Contains(base, l) && !strings.Contains(got, l) {
					t.Errorf("%q is lost in %q", l, got)
				}
			}
		}
	})
}

func TestMergeForms(t *testing.T) {
	lines := form{env: true, format: environ.Lines}
	stored := func(text string) []byte {
		if text == "-" {
			return nil
		}
		b, err := variables(t, text).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, test := range []struct {
		f                  form
		base, mine, theirs []byte
		want               string
		line               int
		both               string
	}{
		{lines, stored("A=1 B=2"), stored("A=x B=2"), stored("A=1 B=y"), "A=x\nB=y\n", 0, ""},
		{lines, stored("A=1 B=2"), stored("A=1 B=x"), stored("A=1 B=y"), "A=1\n# another has stored:\n# B=y\nB=x\n", 2, "B"},
		{lines, stored("A=1 B=2"), stored("A=1 B=x"), stored("A=1"), "A=1\n# another has removed B\nB=x\n", 2, "B"},
		{lines, stored("A=1 B=2"), stored("A=1"), stored("A=1 B=y"), "A=1\n# another has stored:\n# B=y\n", 2, "B"},
		{lines, stored("-"), stored("A=1"), stored("A=2"), "# another has stored:\n# A=2\nA=1\n", 1, "A"},
		{lines, stored("A=1"), stored("A=x"), []byte("no environment"), "A=x\n", 0, ""},
		{lines, stored("A=1"), stored("A=x"), []byte(`{"A":"a\nb"}`), "# another has stored another A, which cannot be shown here\nA=x\n", 1, "A"},
		{form{env: true, format: environ.JSON}, stored("A=1"), stored("A=x"), stored("A=y"), "{\n  \"A\": \"x\"\n}\n", 0, "A"},
		{form{env: true, format: environ.Dotenv}, stored("A=1"), stored("A=x"), []byte(`{"A":"a\nb"}`), "# another has stored:\n# A='a\n# b'\nA='x'\n", 1, "A"},
		{form{env: true, asIs: true, format: environ.Lines}, []byte("# c\nA=1\nB=2\n"), []byte("# c\nA=x\nB=2\n"), []byte("# c\nA=1\nB=2\nC=3\n"), "# c\nA=x\nB=2\nC=3\n", 0, ""},
		{form{}, []byte("a\nb\nc\n"), []byte("a\nb\nx\n"), []byte("y\nb\nc\n"), "y\nb\nx\n", 0, ""},
	} {
		m, err := test.f.merge(test.base, test.mine, test.theirs)
		if err != nil || string(m.text) != test.want || m.line != test.line || strings.Join(m.both, " ") != test.both {
			t.Errorf("%s, mine %s, theirs %s: line %d, both %q, %v: %q", test.base, test.mine, test.theirs, m.line, m.both, err, m.text)
		}
		if test.f.env && !test.f.asIs {
			if _, err := test.f.environment(m.text, test.base); err != nil {
				t.Errorf("%q cannot be read: %v", m.text, err)
			}
		}
	}
}

// FuzzForm judges, shows and reads anything: what is not changed is the same, whatever
// its form, and no error holds any of it.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{"", "x", "a=b\n", "A=1\nB=2", `{"A":"1","B":"x\ny"}`, "{\n \"A\" : \"'q'\"}\n", "c2VjcmV0=", "\xff", "{\"A\":\"'\"}", markEnd + "\n"} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, plain []byte, env bool) {
		o := &options{env: known{yes: env}}
		form, _, err := o.judge(plain)
		if err != nil {
			return
		}
		shown, err := form.show(plain)
		if err != nil {
			t.Fatalf("%+v: %v", form, err)
		}
		if conflictMarker(shown) > 0 {
			return
		}
		got, err := form.read(shown, plain)
		if err != nil || !form.same(got, plain) {
			t.Fatalf("%+v: %q, %v", form, got, err)
		}
		if !form.env || form.asIs {
			if added, err := form.read(append(bytes.Clone(shown), '\n'), plain); err == nil && !bytes.HasSuffix(plain, []byte("\n")) && len(plain) > 0 && !bytes.Equal(added, plain) {
				t.Fatalf("with the editor's newline: %q", added)
			}
		}
	})
}

func TestJudge(t *testing.T) {
	text, lines := form{format: environ.Lines}, form{env: true, format: environ.Lines}
	asIs := form{env: true, asIs: true, format: environ.Lines}
	for _, test := range []struct {
		o     options
		plain string // "-": none
		want  form
		shown string
	}{
		{options{}, "-", text, ""},
		{options{env: known{yes: true}}, "-", lines, ""},
		{options{format: "dotenv"}, "-", form{env: true, named: true, format: environ.Dotenv}, ""},
		{options{}, "pass", text, "pass"},
		{options{}, "", text, ""},
		{options{}, `{"A":"1","B":"2"}`, lines, "A=1\nB=2\n"},
		{options{}, "{\n  \"B\": \"2\",\n  \"A\": \"1\"\n}\n", lines, "A=1\nB=2\n"},
		{options{}, `{"A":"x\ny"}`, form{env: true, format: environ.JSON}, "{\n  \"A\": \"x\\ny\"\n}\n"},
		{options{}, "{ \"A\":\"x\\ny\" }\n", form{env: true, asIs: true, format: environ.JSON}, "{ \"A\":\"x\\ny\" }\n"},
		{options{}, `{"a": {"b": 1}}`, text, `{"a": {"b": 1}}`},
		{options{}, "{}", lines, ""},
		{options{}, "A=1\n# c\nB=2\n", asIs, "A=1\n# c\nB=2\n"},
		{options{}, "A=1\n", asIs, "A=1\n"},
		{options{}, "A=1", text, "A=1"},
		{options{}, "c2VjcmV0Cg==\n", text, "c2VjcmV0Cg==\n"},
		{options{}, "c2VjcmV0=\n", text, "c2VjcmV0=\n"},
		{options{env: known{yes: true}}, "# c\nB=2\nA=1", lines, "A=1\nB=2\n"},
		{options{env: known{no: true}}, `{"A":"1"}`, text, `{"A":"1"}`},
		{options{format: "json"}, "A=1\n", form{env: true, named: true, format: environ.JSON}, "{\n  \"A\": \"1\"\n}\n"},
		{options{format: "dotenv"}, `{"A":"x\ny"}`, form{env: true, named: true, format: environ.Dotenv}, "A='x\ny'\n"},
	} {
		plain := []byte(test.plain)
		if test.plain == "-" {
			plain = nil
		}
		got, _, err := test.o.judge(plain)
		test.want.chomp = endless(plain)
		if err != nil || got != test.want {
			t.Errorf("%+v %q: %+v, %v", test.o, test.plain, got, err)
			continue
		}
		if shown, err := got.show(plain); err != nil || string(shown) != test.shown {
			t.Errorf("%q is shown as %q, %v", test.plain, shown, err)
		}
	}
	for _, test := range []struct {
		o     options
		plain string
	}{
		{options{}, "\xff"}, {options{}, "a\x00"}, {options{}, "\x1b[2J"}, {options{}, "x\u202ey"},
		{options{env: known{yes: true}}, "pass"}, {options{format: "json"}, "A=1\npass"},
		{options{format: "lines"}, `{"A":"x\ny"}`}, {options{env: known{no: true}}, "\xff"},
	} {
		if f, _, err := test.o.judge([]byte(test.plain)); err == nil {
			t.Errorf("%+v %q: %+v", test.o, test.plain, f)
		}
	}
}

func TestRead(t *testing.T) {
	text, env, asIs := form{}, form{env: true, format: environ.Lines}, form{env: true, asIs: true, format: environ.Lines}
	named := form{env: true, format: environ.Lines, named: true}
	for _, test := range []struct {
		f            form
		stored, text string // "-": none
		want         string
	}{
		{text, "-", "a\n", "a\n"},
		{text, "", "a\n", "a\n"},
		{text, "a", "a\n", "a"},
		{text, "a", "b\nc\n", "b\nc"},
		{text, "a", "b\n\n", "b\n"},
		{text, "a", "b", "b"},
		{text, "a\n", "b", "b"},
		{text, "a\n", "b\n", "b\n"},
		{form{chomp: true}, "a\n", "b\n", "b"},
		{env, `{"A":"1"}`, "B=2\r\n# c\n\n A=1 \n", `{"A":"1","B":"2"}`},
		{env, `{"A":"1"}`, "\ufeffA=2\n", `{"A":"2"}`},
		{env, `{"A":"1"}`, `{"A":"2"}`, `{"A":"2"}`},
		{env, `{"A":"\"q\""}`, "A=\"q\"\nB='x'\n", `{"A":"\"q\"","B":"'x'"}`},
		{named, `{"A":"1"}`, "A=\"q\"\n", `{"A":"\"q\""}`},
		{asIs, "A=1\n", "# c\nA=2\n", "# c\nA=2\n"},
		{asIs, "A=1\nB=2", "A=2\nB=2\n", "A=2\nB=2"},
	} {
		stored := []byte(test.stored)
		if test.stored == "-" {
			stored = nil
		}
		test.f.chomp = test.f.chomp || endless(stored)
		if got, err := test.f.read([]byte(test.text), stored); err != nil || string(got) != test.want {
			t.Errorf("%+v, stored %q, saved %q: %q, %v", test.f, test.stored, test.text, got, err)
		}
	}
	for _, test := range []struct {
		f    form
		text string
		line int
	}{
		{env, "A=1\nhunter\n", 2},
		{env, "A=1\nB=\"hunter\"\n", 2},
		{env, "A=1\nA=hunter\n", 2},
		{env, "A=\xff", 0},
		{asIs, "A=1\nhunter\n", 2},
		{form{env: true, format: environ.JSON}, "{\n\"A\": \"1\",\n\"B\": hunter\n}", 3},
		{text, "a\n" + markMine + "\nb\n", 2},
		{text, "a\r\n\r\n" + markTheirs + "\r\n", 3},
		{asIs, "A=1\n" + markEnd + "\n", 2},
	} {
		_, err := test.f.read([]byte(test.text), []byte(`{"A":"1"}`))
		f, ok := err.(*fault)
		if !ok || f.line != test.line || strings.Contains(err.Error(), "hunter") || test.line > 0 && !strings.HasPrefix(err.Error(), fmt.Sprintf("line %d: ", test.line)) {
			t.Errorf("%+v %q: %v", test.f, test.text, err)
		}
	}
}

// endless reports whether a text does not end in a newline.
func endless(text []byte) bool { return len(text) > 0 && text[len(text)-1] != '\n' }

func TestFileName(t *testing.T) {
	text, env, json := form{}, form{env: true, format: environ.Lines}, form{env: true, format: environ.JSON}
	for _, test := range []struct {
		f          form
		name, want string
	}{
		{text, "svc/tls.key", "tls.key"},
		{text, "pass", "pass"},
		{text, "svc/-n", "n"},
		{text, "svc/-", "secret"},
		{text, "svc/a b'$(x)`%", "a_b___x___"},
		{text, "svc/hünter", "hünter"},
		{text, "svc/...", "secret"},
		{text, "svc/" + strings.Repeat("x", 300), "secret"},
		{env, "svc/env", ".env"},
		{env, "svc/prod", "prod.env"},
		{env, "svc/prod.env", "prod.env"},
		{env, "svc/.env", ".env"},
		{json, "svc/env", "env.json"},
		{json, "svc/a.json", "a.json"},
	} {
		if got := test.f.fileName(test.name); got != test.want {
			t.Errorf("%s: %q, not %q", test.name, got, test.want)
		}
	}
}
