package environ

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

var parseTests = []struct {
	name string
	form Format
	in   string
	want Env
	err  string
}{
	{"empty", Lines, "", Env{}, ""},
	{"several", Lines, "A=1\nB=2\n", Env{"A": "1", "B": "2"}, ""},
	{"no newline at the end", Lines, "A=1", Env{"A": "1"}, ""},
	{"blank lines and comments", Lines, "\n  \n# x\n  #A=1\nB=#2\n", Env{"B": "#2"}, ""},
	{"white space around a line", Lines, " \t A= x y \t\v\f\r\n", Env{"A": " x y"}, ""},
	{"CRLF", Lines, "A=1\r\nB=2\r\n", Env{"A": "1", "B": "2"}, ""},
	{"first = splits", Lines, "A=b=c==", Env{"A": "b=c=="}, ""},
	{"empty value", Lines, "A=", Env{"A": ""}, ""},
	{"literal", Lines, `A="x" $HOME \n 'y'`, Env{"A": `"x" $HOME \n 'y'`}, ""},
	{"quotes kept", Lines, `A="x"`, Env{"A": `"x"`}, ""},
	{"any bytes", Lines, "A=\xff\x01\x80", Env{"A": "\xff\x01\x80"}, ""},
	{"byte order mark", Lines, "\ufeffA=1", Env{"A": "1"}, ""},
	{"DB URL", Auto, "DB_URL=db://user:pass@example.com:123\nPASSWORD=hunter2\n", Env{"DB_URL": "db://user:pass@example.com:123", "PASSWORD": "hunter2"}, ""},
	{"one quote", Auto, `A="`, Env{"A": `"`}, ""},
	{"unlike quotes", Auto, `A="x'`, Env{"A": `"x'`}, ""},

	{"no =", Lines, "A=1\n\ncanary", nil, `line 3: no "=": a line is NAME=VALUE (-f dotenv reads values that span lines)`},
	{"space before =", Lines, "canary = canary", nil, `line 1: the text before "=" is not [A-Za-z_][A-Za-z0-9_]* (-f dotenv accepts "export" and spaces)`},
	{"export", Lines, "export canary=canary", nil, `line 1: the text before "=" is not [A-Za-z_][A-Za-z0-9_]* (-f dotenv accepts "export" and spaces)`},
	{"no name", Lines, "=canary", nil, `line 1: the text before "=" is not [A-Za-z_][A-Za-z0-9_]* (-f dotenv accepts "export" and spaces)`},
	{"digit first", Lines, "1canary=canary", nil, `line 1: the text before "=" is not [A-Za-z_][A-Za-z0-9_]* (-f dotenv accepts "export" and spaces)`},
	{"twice", Lines, "A=canary\nB=2\nA=canary", nil, "line 3: A: already given on line 1"},
	{"NUL", Lines, "A=canary\x00", nil, "line 1: A: its value contains a NUL byte, which an environment cannot hold"},
	{"double quotes, guessed", Auto, "B=1\nA=\"canary\"", nil, "line 2: A: its value is in quotes (-f dotenv removes them, -f lines keeps them)"},
	{"single quotes, guessed", Auto, "A='canary'", nil, "line 1: A: its value is in quotes (-f dotenv removes them, -f lines keeps them)"},
	{"UTF-16", Auto, "\xff\xfeA\x00=\x00", nil, "the input is UTF-16: convert it to UTF-8"},

	{"object", Auto, " \n{\"A\":\"1\",\"B\":\"2\"}\n", Env{"A": "1", "B": "2"}, ""},
	{"empty object", JSON, "{}", Env{}, ""},
	{"escapes", JSON, `{"A":"\u00e9\n\"\\\/\ud83d\ude00\ufffd"}`, Env{"A": "é\n\"\\/😀\ufffd"}, ""},
	{"escaped name", JSON, `{"\u0041":"1"}`, Env{"A": "1"}, ""},
	{"byte order mark", JSON, "\ufeff{\"A\":\"1\"}", Env{"A": "1"}, ""},

	{"no JSON", JSON, `canary`, nil, "not valid JSON at byte 1"},
	{"nothing", JSON, ``, nil, "not valid JSON at byte 0"},
	{"array", JSON, `["canary"]`, nil, "the JSON is not an object of strings"},
	{"string", JSON, `"canary"`, nil, "the JSON is not an object of strings"},
	{"cut", JSON, `{"A":"canary`, nil, "not valid JSON at byte 12"},
	{"trailing comma", JSON, `{"A":"canary",}`, nil, "not valid JSON at byte 15"},
	{"comment", JSON, "{\"A\":\"canary\"} // canary", nil, "not valid JSON at byte 16"},
	{"trailing data", JSON, `{"A":"canary"} {}`, nil, "not valid JSON at byte 16"},
	{"single quotes", JSON, `{'A':'canary'}`, nil, "not valid JSON at byte 2"},
	{"raw newline", JSON, "{\"A\":\"canary\n\"}", nil, "not valid JSON at byte 13"},
	{"number", JSON, `{"A":"canary","B":1e999}`, nil, "B: its value is not a string: put it in quotes"},
	{"true", JSON, `{"A":true}`, nil, "A: its value is not a string: put it in quotes"},
	{"null", JSON, `{"A":null}`, nil, "A: its value is not a string: put it in quotes"},
	{"object within", JSON, `{"A":{"canary":"canary"}}`, nil, "A: its value is not a string: put it in quotes, as a text that holds JSON (jq tojson)"},
	{"array within", JSON, `{"A":["canary"]}`, nil, "A: its value is not a string: put it in quotes, as a text that holds JSON (jq tojson)"},
	{"twice", JSON, `{"A":"canary","\u0041":"canary"}`, nil, "A: given twice"},
	{"name", JSON, `{"A":"1","canary canary":"canary"}`, nil, "member 2: its name is not [A-Za-z_][A-Za-z0-9_]*"},
	{"empty name", JSON, `{"":"canary"}`, nil, "member 1: its name is not [A-Za-z_][A-Za-z0-9_]*"},
	{"not UTF-8", JSON, "{\"A\":\"canary\xff\"}", nil, "the JSON is not valid UTF-8"},
	{"high surrogate", JSON, `{"A":"canary\ud83d"}`, nil, "A: its value contains half of a surrogate pair, which is not a character"},
	{"low surrogate", JSON, `{"A":"canary\ude00"}`, nil, "A: its value contains half of a surrogate pair, which is not a character"},
	{"two high surrogates", JSON, `{"A":"canary\ud83d\ud83d\ude00"}`, nil, "A: its value contains half of a surrogate pair, which is not a character"},
	{"escaped backslash", JSON, `{"A":"\\ud83d"}`, Env{"A": `\ud83d`}, ""},
	{"NUL", JSON, `{"A":"canary\u0000"}`, nil, "A: its value contains a NUL byte, which an environment cannot hold"},

	{"export and space", Dotenv, "export  A=1\nexport\tB='2'\n\texport \t C = \"3\"\nexport=4", Env{"A": "1", "B": "2", "C": "3", "export": "4"}, ""},
	{"export and no space", Dotenv, "export\u00a0A=canary", nil, "line 1: " + errDotenv.Error()},
	{"export twice", Dotenv, "export export A=canary", nil, "line 1: " + errDotenv.Error()},
	{"bare", Dotenv, "A=1\nexport B = 2 # x\nC=\nD=  # x\nE=a b\t# x\n F=a\\b\n", Env{"A": "1", "B": "2", "C": "", "D": "", "E": "a b", "F": `a\b`}, ""},
	{"single quotes", Dotenv, `A='$x "y" # \n'`, Env{"A": `$x "y" # \n`}, ""},
	{"double quotes", Dotenv, `A="a\n\t\"b\" # \\ \u00e9 'c'" # x`, Env{"A": "a\n\t\"b\" # \\ é 'c'"}, ""},
	{"several lines", Dotenv, "A='-----BEGIN\nx\n\n-----END\n'\r\nB=\"1\r\n\t2\"\n\nC=3", Env{"A": "-----BEGIN\nx\n\n-----END\n", "B": "1\n\t2", "C": "3"}, ""},
	{"comments", Dotenv, "# A='\n\n  # B=\nC=1", Env{"C": "1"}, ""},
	{"CRLF", Dotenv, "A=1\r\nB='2'\r\n", Env{"A": "1", "B": "2"}, ""},

	{"no =", Dotenv, "A=1\ncanary", nil, "line 2: " + errDotenv.Error()},
	{"name", Dotenv, "canary.canary=1", nil, "line 1: " + errDotenv.Error()},
	{"twice", Dotenv, "A='1\n2'\nA=canary", nil, "line 3: A: already given on line 1"},
	{"dollar", Dotenv, "A=canary$HOME", nil, "line 1: " + errDollar.Error()},
	{"dollar in double quotes", Dotenv, `A="canary${HOME}"`, nil, "line 1: " + errDollar.Error()},
	{"hash", Dotenv, "A=canary#canary", nil, "line 1: " + errHash.Error()},
	{"inner quote", Dotenv, "A=it's\nB=it's", nil, "line 1: " + errInnerQuote.Error()},
	{"unclosed", Dotenv, "B=1\nA='canary\n", nil, "line 2: " + errUnclosed.Error()},
	{"after the quote", Dotenv, `A="canary"canary`, nil, "line 1: " + errAfterQuote.Error()},
	{"escaped single quote", Dotenv, `A='canary\'canary'`, nil, "line 1: " + errBackslash.Error()},
	{"unknown escape", Dotenv, `A="\canary"`, nil, "line 1: " + errDotenv.Error()},
	{"surrogate", Dotenv, `A="\ud800canary"`, nil, "line 1: " + errSurrogate.Error()},
	{"NUL", Dotenv, `A="\u0000"`, nil, "line 1: A: " + errNUL.Error()},
	{"long", Dotenv, "A=" + strings.Repeat("canary", 11000), nil, "line 1: " + errLongLine.Error()},

	{"too large", Lines, strings.Repeat("#", MaxSize+1), nil, "the environment has 16777217 bytes, more than 16777216"},
	{"a form that is only written", YAML, "A: canary", nil, "this format of an environment cannot be parsed"},
}

func TestParse(t *testing.T) {
	for _, test := range parseTests {
		t.Run(string(test.form)+"/"+test.name, func(t *testing.T) {
			got, err := Parse([]byte(test.in), test.form)
			if text := errorText(err); text != test.err {
				t.Fatalf("error %q, want %q", text, test.err)
			}
			if !maps.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if strings.Contains(errorText(err), "canary") {
				t.Errorf("the error holds a part of the input: %v", err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestErrorsHoldNoInput cuts and damages inputs whose every part but the
// names is a canary.
func TestErrorsHoldNoInput(t *testing.T) {
	inputs := map[Format]string{
		Lines:  "A=canary\nB=canary\n",
		JSON:   `{"A":"canary","B":"canary\ud83d\ude00"}`,
		Dotenv: "A='canary\ncanary'\nexport B=\"canary\\n\" # canary\nC=canary\n",
	}
	for form, in := range inputs {
		for i := range in {
			for _, junk := range []string{"", "\x00", "\xff", "\"", "'", "\\", "=", "\n", "{", "$", "#", "canary", " canary=", "\\u", "."} {
				for _, damaged := range []string{in[:i] + junk, in[:i] + junk + in[i:], in[:i] + junk + in[i+1:]} {
					_, err := Parse([]byte(damaged), form)
					text := strings.ReplaceAll(errorText(err), "canary: given", "")
					if strings.Contains(text, "anar") {
						t.Fatalf("%s: Parse(%q): %v", form, damaged, err)
					}
				}
			}
		}
	}
}

func fuzzParse(f *testing.F, form Format) {
	for _, test := range parseTests {
		if test.form == form && len(test.in) < 1000 {
			f.Add([]byte(test.in))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		env, err := Parse(data, form)
		raised, failed := ParseUpper(data, form)
		for name := range raised {
			if name != upper(name) {
				t.Fatalf("%q is not in upper case", name)
			}
		}
		if err == nil && failed == nil && len(raised) != len(env) {
			t.Fatalf("%q in upper case is %q", env, raised)
		}
		if err != nil {
			if env != nil {
				t.Fatalf("an environment beside the error %v", err)
			}
			return
		}
		if err := env.check(refuseNothing); err != nil {
			t.Fatal(err)
		}
		readBack(t, env, form)
		readBack(t, env, JSON)
	})
}

// readBack renders env and parses that again: the same, or a refusal.
func readBack(t *testing.T, env Env, form Format) {
	t.Helper()
	data, err := env.Render(form)
	if err != nil {
		return
	}
	again, err := Parse(data, form)
	if err != nil || !maps.Equal(again, env) {
		t.Fatalf("%s: %q\nread back: %q, %v\nwritten: %q", form, env, again, err, data)
	}
}

func FuzzParseLines(f *testing.F)  { fuzzParse(f, Lines) }
func FuzzParseDotenv(f *testing.F) { fuzzParse(f, Dotenv) }
func FuzzParseJSON(f *testing.F)   { fuzzParse(f, JSON) }

// FuzzParseJSONAgrees holds parseJSON to encoding/json.
func FuzzParseJSONAgrees(f *testing.F) {
	for _, test := range parseTests {
		f.Add([]byte(test.in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		env, err := parseJSON(data, asIs)
		var want map[string]string
		if jsonErr := json.Unmarshal(data, &want); err == nil && (jsonErr != nil || !maps.Equal(env, want)) {
			t.Fatalf("got %q, encoding/json %q, %v", env, want, jsonErr)
		}
	})
}

func TestFormats(t *testing.T) {
	for _, f := range InputFormats {
		if got, err := InputFormat(string(f)); got != f || err != nil {
			t.Errorf("InputFormat(%q) = %q, %v", f, got, err)
		}
	}
	for _, f := range OutputFormats {
		if got, err := OutputFormat(string(f)); got != f || err != nil {
			t.Errorf("OutputFormat(%q) = %q, %v", f, got, err)
		}
	}
	_, err := InputFormat("canary")
	if want := "no such format of an environment: choose one of auto, lines, json, dotenv"; errorText(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = OutputFormat("auto")
	if want := "no such format of an environment: choose one of names, json, lines, sh, dotenv, yaml, github, github-mask, tfvars, properties, csv, tsv, nul"; errorText(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestParseUpper(t *testing.T) {
	for _, test := range []struct {
		form     Format
		in, want string // in JSON, or the error
	}{
		{Lines, "db-url=a-b\nX_y=1", `{"DB_URL":"a-b","X_Y":"1"}`},
		{Auto, `{"db-url":"a-b"}`, `{"DB_URL":"a-b"}`},
		{Dotenv, "export db-url='a-b'\nexport\tx-y=1\nz-z = 2", `{"DB_URL":"a-b","X_Y":"1","Z_Z":"2"}`},
		{Lines, "a-b=1\nA_B=2", "line 2: A_B: already given on line 1"},
		{JSON, `{"a-b":"1","a_B":"2"}`, "A_B: given twice"},
		{Dotenv, "a-b=1\nA_B=2", "line 2: A_B: already given on line 1"},
		{JSON, `{"a.b":"1"}`, "member 1: its name is not [A-Za-z_][A-Za-z0-9_]*"},
		{JSON, `{"\u0131d":"1"}`, "member 1: its name is not [A-Za-z_][A-Za-z0-9_]*"}, // a letter whose upper case is I
		{JSON, `{"-":"1"}`, `{"_":"1"}`},
		{JSON, `{"1-a":"1"}`, "member 1: its name is not [A-Za-z_][A-Za-z0-9_]*"},
	} {
		env, err := ParseUpper([]byte(test.in), test.form)
		got := errorText(err)
		if err == nil {
			stored, err := env.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			got = string(stored)
		}
		if got != test.want {
			t.Errorf("%s %q: %s, not %s", test.form, test.in, got, test.want)
		}
	}
}

func TestMerge(t *testing.T) {
	low, high := Env{"A": "1", "B": "2", "C": "3"}, Env{"C": "4", "B": "5", "D": "6"}
	merged, overridden := low.Merge(high)
	if want := (Env{"A": "1", "B": "5", "C": "4", "D": "6"}); !maps.Equal(merged, want) {
		t.Errorf("merged %v, want %v", merged, want)
	}
	if got := strings.Join(overridden, " "); got != "B C" {
		t.Errorf("overridden %s, want B C", got)
	}
	if low["B"] != "2" || len(low) != 3 || len(high) != 3 {
		t.Error("an argument was changed")
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"A": true, "_": true, "a1_Z": true, "": false, "1A": false, "A-B": false, "A.B": false, "A ": false,
		"Ä": false, "A\n": false, "@": false, "[": false, "`": false, "{": false, "A\x00": false,
	} {
		if got := ValidName(name); got != want {
			t.Errorf("ValidName(%q) = %v", name, got)
		}
	}
}

// Line is where an editor is to be opened.
func TestLine(t *testing.T) {
	for _, test := range []struct {
		text   string
		format Format
		want   int
	}{
		{"A=1\n# x\n\nB\n", Lines, 4},
		{"A=1\n-=2\n", Lines, 2},
		{"A=1\nB=\"2\"\n", Auto, 2},
		{"A=1\nB=2\nA=3", Lines, 3},
		{"A=1\nB=\x00", Lines, 2},
		{"A='1\n'\nB=$C\n", Dotenv, 3},
		{"A='1\n'\nA=2\n", Dotenv, 3},
		{"{\n \"A\": \"1\"\n \"B\": \"2\"\n}\n", JSON, 3},
		{"{\n \"A\": \"1\",\n \"B\": 2\n}\n", JSON, 3},
		{"{\n \"A\": \"1\",\n \"A\": \"2\"\n}\n", JSON, 3},
		{"{\n \"A\": \"1\",\n \"-\": \"2\"\n}\n", JSON, 3},
		{"{\n \"A\": \"1\"\n", JSON, 2},
		{"[]", JSON, 0},
		{"\xff\xfe", Lines, 0},
	} {
		_, err := Parse([]byte(test.text), test.format)
		if err == nil || Line(err) != test.want {
			t.Errorf("%q: line %d, not %d: %v", test.text, Line(err), test.want, err)
		}
	}
	if Line(nil) != 0 {
		t.Error("no error is in a line")
	}
}
