package environ

import (
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestMarshal(t *testing.T) {
	for _, test := range []struct {
		env       Env
		want, err string
	}{
		{nil, `{}`, ""},
		{Env{}, `{}`, ""},
		{Env{"b": "<&>\n", "B": "é\x7f", "A_1": "\"\\"}, `{"A_1":"\"\\","B":"é` + "\x7f" + `","b":"<&>\n"}`, ""},
		{Env{"A": "canary\xff"}, "", "A: its value is not valid UTF-8, as JSON requires, in which an environment is stored: put the value without -e, as a secret of its own, and pass it to a command with VAR=NAME"},
		{Env{"A": "canary\x00"}, "", "A: its value contains a NUL byte, which an environment cannot hold"},
		{Env{"can ary": "1"}, "", "a variable's name is not [A-Za-z_][A-Za-z0-9_]*"},
	} {
		got, err := test.env.Marshal()
		if string(got) != test.want || errorText(err) != test.err {
			t.Errorf("%q: %s, %v; want %s, %s", test.env, got, err, test.want, test.err)
		}
	}
}

func TestRender(t *testing.T) {
	env := Env{"B": "it's $x", "A": "1"}
	for form, want := range map[Format]string{
		JSON:       "{\"A\":\"1\",\"B\":\"it's $x\"}\n",
		Lines:      "A=1\nB=it's $x\n",
		Sh:         "export A='1'\nexport B='it'\\''s $x'\n",
		YAML:       "\"A\": \"1\"\n\"B\": \"it's $x\"\n",
		TFVars:     "A = \"1\"\nB = \"it's $x\"\n",
		Properties: "A=1\nB=it's $x\n",
		CSV:        "A,1\nB,it's $x\n",
		TSV:        "A\t1\nB\tit's $x\n",
		Nul:        "A=1\x00B=it's $x\x00",
		GitHubMask: "::add-mask::it's $x\n",
		Names:      "A\nB\n",
	} {
		if got, err := env.Render(form); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", form, got, err, want)
		}
	}
	for _, form := range OutputFormats {
		want := map[Format]string{JSON: "{}\n", YAML: "{}\n"}[form]
		if got, err := (Env{}).Render(form); string(got) != want || err != nil {
			t.Errorf("%s of nothing: %q, %v; want %q", form, got, err, want)
		}
	}
	for form, test := range map[Format]struct{ value, want string }{
		Dotenv:     {"a\n'b'", "K=\"a\\n'b'\"\n"},
		YAML:       {"\u0085\ufeff\n\"", `"K": "\u0085\ufeff\n\""` + "\n"},
		TFVars:     {"${a} %{b} $${c} $d\n\x01\"\\\U0001F600", `K = "\u0024{a} \u0025{b} $\u0024{c} $d\n\u0001\"\\😀"` + "\n"},
		Properties: {"  a\\=é\n\U0001F600", `K=\  a\\=\u00e9\u000a\ud83d\ude00` + "\n"},
		CSV:        {"a,\"b\"\n", "K,\"a,\"\"b\"\"\n\"\n"},
		GitHubMask: {"one%\r\ntwo\nthr\ree\n    \none%\nämä\n", "::add-mask::one%25\n::add-mask::thr%0Dee\n"},
	} {
		if got, err := (Env{"K": test.value}).Render(form); string(got) != test.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", form, got, err, test.want)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	const notUTF8, remedy = "K: its value is not valid UTF-8", ", -f nul can"
	for _, test := range []struct {
		form        Format
		value, want string
	}{
		{JSON, "canary\xff", notUTF8 + ": -f json cannot represent it" + remedy},
		{Lines, "canary\n", "K: its value has more than one line: -f lines cannot represent it" + remedy},
		{Lines, "canary\r", "K: its value ends in white space: -f lines cannot represent it" + remedy},
		{Lines, "canary ", "K: its value ends in white space: -f lines cannot represent it" + remedy},
		{Dotenv, "canary\xff", notUTF8 + ": -f dotenv cannot represent it" + remedy},
		{Dotenv, "canary\r", "K: its value contains a carriage return, which some readers change: -f dotenv cannot represent it" + remedy},
		{Dotenv, "canary${x}", `K: its value contains "${", which some readers expand: -f dotenv cannot represent it` + remedy},
		{Dotenv, `'canary"`, "K: its value mixes quotes, dollars or backslashes, which readers interpret in different ways: -f dotenv cannot represent it" + remedy},
		{Dotenv, `canary\`, "K: its value mixes quotes, dollars or backslashes, which readers interpret in different ways: -f dotenv cannot represent it" + remedy},
		{YAML, "canary\xff", notUTF8 + ": -f yaml cannot represent it" + remedy},
		{GitHub, "canary\xff", notUTF8 + ": -f github cannot represent it" + remedy},
		{GitHub, "canary\r", "K: its value ends in a carriage return, which runners on Windows remove: -f github cannot represent it" + remedy},
		{GitHubMask, "canary\xff", notUTF8 + ": -f github-mask cannot represent it" + remedy},
		{TFVars, "canary\xff", notUTF8 + ": -f tfvars cannot represent it" + remedy},
		{TFVars, "canarye\u0301", "K: its value is not in Unicode normalization form C, to which HCL changes it: -f tfvars cannot represent it" + remedy},
		{Properties, "canary\xff", notUTF8 + ": -f properties cannot represent it" + remedy},
		{CSV, "canary\xff", notUTF8 + ": -f csv cannot represent it" + remedy},
		{CSV, "canary\r\n", "K: its value contains a carriage return before a newline, which some readers drop: -f csv cannot represent it" + remedy},
		{TSV, "canary\xff", notUTF8 + ": -f tsv cannot represent it" + remedy},
		{TSV, "canary\t", "K: its value contains a tab, a newline or a carriage return: -f tsv cannot represent it" + remedy},
		{Auto, "canary", "this format of an environment cannot be rendered"},
	} {
		data, err := Env{"A": "1", "K": test.value}.Render(test.form)
		if data != nil || errorText(err) != test.want {
			t.Errorf("%s: %q, %v; want %s", test.form, data, err, test.want)
		}
	}
	for length, want := range map[int]string{
		1022: "",
		1023: strings.Repeat("K", 64) + "…: its name is too long for a YAML key, which has at most 1024 characters with the quotes: -f yaml cannot represent it" + remedy,
	} {
		if _, err := (Env{strings.Repeat("K", length): "canary"}).Render(YAML); errorText(err) != want {
			t.Errorf("a name of %d characters: %v; want %s", length, err, want)
		}
	}
	for _, name := range []string{"GITHUB_TOKEN", "GITHUB_SHAS", "GITHUB", "SHA", "RUNNER", "CI"} {
		if _, err := (Env{name: "1"}).Render(GitHub); err != nil {
			t.Error(err)
		}
	}
	for _, form := range OutputFormats {
		for _, env := range []Env{{"K": "canary\x00"}, {"can ary": "1"}, {"K\nL": "1"}} {
			if data, err := env.Render(form); data != nil || err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "represent") {
				t.Errorf("%s: %q: %q, %v", form, env, data, err)
			}
		}
	}
	for form, names := range map[Format][]string{GitHub: append([]string{"NODE_OPTIONS", "node_options", "RUNNER_TEMP", "github_sha"}, strings.Fields(runnerOwn)...), Sh: strings.Fields(shellOwn)} {
		for _, name := range names {
			if data, err := (Env{name: "1"}).Render(form); data != nil || err == nil {
				t.Errorf("%s carries %s", form, name)
			}
		}
	}
}

// interesting are pieces of values that some form gives a meaning.
var interesting = []string{
	"a", "é", "😀", "\u0085", "\u2028", "\ufeff", "\ufffd", "e\u0301", " ", "\t", "\n", "\r", "\r\n", "\v", "\f", "\x01", "\x1b[2J", "\x7f",
	"'", "\"", "`", "\\", "\\n", "\\\\", "\\u0041", "$", "$$", "${", "${A}", "%{", "%", "%0A", "#", " #", "=", ":", "::", "<<", "<<EOF\n",
	"::add-mask::", ",", "\"\"", "---", "- ", "null", "NO", "1e3", "{", "}", "[", "!", "&", "*", "|", ">", "@", "~", "\xff", "\xc3", "\\.",
}

// randomEnv returns an environment made of interesting pieces.
func randomEnv(r *rand.Rand) Env {
	names := []string{"A", "b", "Y", "NO", "null", "_", "ON", "a1", "true", "K"}
	env := make(Env)
	for range r.IntN(4) {
		var value strings.Builder
		for range r.IntN(7) {
			value.WriteString(interesting[r.IntN(len(interesting))])
		}
		env[names[r.IntN(len(names))]] = value.String()
	}
	return env
}

// readers read the forms that need no program and no other package.
var readers = map[Format]func(data string) (Env, error){
	Lines:  func(data string) (Env, error) { return Parse([]byte(data), Lines) },
	JSON:   func(data string) (Env, error) { return Parse([]byte(data), Auto) },
	Dotenv: func(data string) (Env, error) { return Parse([]byte(data), Dotenv) },
	GitHub: readGitHub,
	CSV: func(data string) (Env, error) {
		records, err := csv.NewReader(strings.NewReader(data)).ReadAll()
		return pairs(records), err
	},
	TSV: func(data string) (Env, error) {
		return split(data, "\n", "\t"), nil
	},
	Nul: func(data string) (Env, error) {
		return split(data, "\x00", "="), nil
	},
}

func pairs(records [][]string) Env {
	env := make(Env)
	for _, r := range records {
		env[r[0]] = r[1]
	}
	return env
}

func split(data, end, separator string) Env {
	env := make(Env)
	for record := range strings.SplitSeq(strings.TrimSuffix(data, end), end) {
		if name, value, ok := strings.Cut(record, separator); ok {
			env[name] = value
		}
	}
	return env
}

// readGitHub follows the grammar of GITHUB_ENV as the runner on Linux reads it.
func readGitHub(data string) (Env, error) {
	env := make(Env)
	for data != "" {
		var line string
		line, data, _ = strings.Cut(data, "\n")
		equals, heredoc := strings.Index(line, "="), strings.Index(line, "<<")
		switch {
		case line == "":
		case equals >= 0 && (heredoc < 0 || equals < heredoc):
			env[line[:equals]] = line[equals+1:]
		case heredoc > 0:
			name, delimiter := line[:heredoc], line[heredoc+2:]
			var lines []string
			for {
				if data == "" {
					return nil, errors.New("no delimiter")
				}
				line, data, _ = strings.Cut(data, "\n")
				if line == delimiter {
					break
				}
				lines = append(lines, line)
			}
			env[name] = strings.Join(lines, "\n")
		default:
			return nil, errors.New("no variable")
		}
	}
	return env, nil
}

func TestReadBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	carried := make(map[Format]int)
	for range 20000 {
		env := randomEnv(r)
		for form, read := range readers {
			data, err := env.Render(form)
			if err != nil {
				continue
			}
			got, err := read(string(data))
			if err != nil || !maps.Equal(got, env) {
				t.Fatalf("%s: %q\nread back: %q, %v\nwritten: %q", form, env, got, err, data)
			}
			carried[form]++
		}
	}
	for form := range readers {
		if carried[form] < 2000 {
			t.Errorf("%s carried only %d environments", form, carried[form])
		}
	}
}

func FuzzRender(f *testing.F) {
	for _, piece := range interesting {
		f.Add("K", piece, "a"+piece+"b")
	}
	f.Fuzz(func(t *testing.T, name, value, other string) {
		env := Env{name: value, "OTHER": other}
		for _, form := range OutputFormats {
			data, err := env.Render(form)
			if err != nil || readers[form] == nil {
				continue
			}
			if got, err := readers[form](string(data)); err != nil || !maps.Equal(got, env) {
				t.Fatalf("%s: %q\nread back: %q, %v\nwritten: %q", form, env, got, err, data)
			}
		}
	})
}

func TestGitHubDelimiter(t *testing.T) {
	env := Env{"A": "1", "B": "1"}
	seen := make(map[string]bool)
	for range 100 {
		data, err := env.Render(GitHub)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if _, delimiter, ok := strings.Cut(line, "<<"); ok {
				seen[delimiter] = true
				if len(delimiter) < 26 {
					t.Errorf("a delimiter of %d characters", len(delimiter))
				}
			}
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d different delimiters, want 200", len(seen))
	}
}

// TestMaskInjection: whatever a value holds, the output has no command but
// add-mask and no byte that ends a line for the runner but its own newlines.
func TestMaskInjection(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		data, err := randomEnv(r).Render(GitHubMask)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "::add-mask::")
			if !ok || strings.ContainsAny(text, "\r\n") {
				t.Fatalf("%q", line)
			}
		}
	}
}

func shells(t *testing.T) []string {
	var found []string
	for _, name := range []string{"sh", "dash", "bash", "busybox", "zsh", "ksh"} {
		if path, err := exec.LookPath(name); err == nil {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		t.Skip("no shell in PATH")
	}
	return found
}

func run(t *testing.T, shell, locale, script string, args ...string) string {
	t.Helper()
	command := append([]string{"-c", script, "sh"}, args...)
	if strings.HasSuffix(shell, "busybox") {
		command = slices.Insert(command, 0, "sh")
	}
	cmd := exec.Command(shell, command...)
	cmd.Env = []string{"LC_ALL=" + locale, "PATH=/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %q", shell, err, out)
	}
	return string(out)
}

func TestShell(t *testing.T) {
	env := make(Env)
	all := make([]byte, 0, 255)
	for b := 1; b < 256; b++ {
		all = append(all, byte(b))
		env[fmt.Sprintf("B%d", b)] = string([]byte{byte(b)})
		env[fmt.Sprintf("X%d", b)] = "x" + string([]byte{byte(b), byte(b)}) + "'y'"
	}
	env["ALL"] = string(all)
	for i, piece := range interesting {
		env[fmt.Sprintf("P%d", i)] = piece + "\n" + piece
	}
	env["RUN"] = "'; echo injected; : '$(echo injected)`echo injected`"
	data, err := env.Render(Sh)
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	print := ""
	for _, name := range env.Names() {
		want += env[name] + "\x00"
		print += ` "$` + name + `"`
	}
	for _, shell := range shells(t) {
		for _, locale := range []string{"C", "C.UTF-8"} {
			if got := run(t, shell, locale, `eval "$1" && printf '%s\0'`+print, string(data)); got != want {
				t.Errorf("%s, %s: got %q\nwant %q", shell, locale, got, want)
			}
		}
	}
}

// TestShellOwn holds the list of variables that shells set themselves to the
// shells: each is one that some shell does not let be set, and bash has no other.
func TestShellOwn(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash in PATH")
	}
	takes := func(shell, name string) bool {
		script := `(eval "export $1='no number'; printf '%s' \"\$$1\"") 2>/dev/null || :`
		return run(t, shell, "C", script, name) == "no number"
	}
	for _, name := range strings.Fields(shellOwn) {
		if !slices.ContainsFunc(shells(t), func(shell string) bool { return !takes(shell, name) }) {
			t.Errorf("every shell lets %s be set", name)
		}
	}
	for _, name := range strings.Fields(run(t, bash, "C", `compgen -A variable`)) {
		if !takes(bash, name) && !slices.Contains(strings.Fields(shellOwn), name) {
			t.Errorf("bash does not let %s be set, and it is not on the list", name)
		}
	}
}
