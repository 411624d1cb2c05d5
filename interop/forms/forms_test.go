// Package forms holds each written form of an environment to readers that
// others wrote.
package forms

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	goccy "github.com/goccy/go-yaml"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/joho/godotenv"
	"github.com/magiconair/properties"
	yaml "go.yaml.in/yaml/v3"

	"microsecrets/lib/environ"
)

// pieces of values that some reader gives a meaning.
var pieces = []string{
	"a", "B", "7", "é", "ß", "中文", "😀", "\u0085", "\u00a0", "\u2028", "\u2029", "\ufeff", "\ufffd", "\ufffe", "\U0010ffff", "e\u0301", "\u212b",
	" ", "  ", "\t", "\n", "\r", "\r\n", "\v", "\f", "\x01", "\b", "\a", "\x1b[2J", "\x7f", "\u009f",
	"'", "\"", "`", "''", "\"\"", "\\", "\\n", "\\r", "\\\\", "\\'", "\\\"", "\\$", "\\u0041", "\\x41", "\\\n",
	"$", "$$", "${", "$${", "${A}", "${A:-b}", "$A", "$(id)", "%{", "%%{", "%{if}", "%", "%0A", "#", " #", " # c", "!", "=", ":", ": ", "::", "<<", "<<EOF\n",
	",", ";", "---\n", "...\n", "- ", "? ", "null", "~", "NO", "yes", "1e3", "0x1f", "1_000", "2001-01-01", "{", "}", "{{", "[", "]", "&a", "*a", "|", ">", "@", "=cmd", "+1",
	"\xff", "\xc3",
}

var names = []string{"A", "b", "Y", "N", "NO", "ON", "null", "NULL", "true", "_", "a1", "K_2", "for", "if", "export", "inf", "NaN", "nan", "e1"}

// environments returns made-up environments, the same in every run: every
// piece alone, doubled and within text, then random sequences of pieces.
func environments() []environ.Env {
	envs := []environ.Env{{}, {"A": ""}, {"A": "", "b": ""}, {strings.Repeat("K", 1022): "", "b": ""}}
	for i, p := range pieces {
		envs = append(envs, environ.Env{names[i%len(names)]: p, "x": p + p, "y": "a" + p + "b", "z": p + "z", "zz": "z" + p})
		envs = append(envs, environ.Env{names[i%len(names)]: p}, environ.Env{"A": p + p}, environ.Env{"A": "a" + p + "b"}, environ.Env{"A": p + "z"}, environ.Env{"A": "z" + p})
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		env := make(environ.Env)
		for range 1 + r.IntN(3) {
			var value strings.Builder
			for range r.IntN(6) {
				value.WriteString(pieces[r.IntN(len(pieces))])
			}
			env[names[r.IntN(len(names))]] = value.String()
		}
		envs = append(envs, env)
	}
	return envs
}

// hold renders every environment in a form, has read read all that the form
// carries, and compares.
func hold(t *testing.T, form environ.Format, read func(t *testing.T, docs [][]byte) []environ.Env) {
	t.Helper()
	var carried []environ.Env
	var docs [][]byte
	all := environments()
	for _, env := range all {
		if doc, err := env.Render(form); err == nil {
			carried, docs = append(carried, env), append(docs, append([]byte{}, doc...))
		}
	}
	if len(carried) < len(all)/5 {
		t.Errorf("%s carries only %d of %d environments", form, len(carried), len(all))
	}
	got := read(t, docs)
	if len(got) != len(docs) {
		t.Fatalf("%d environments read of %d", len(got), len(docs))
	}
	for i, env := range carried {
		if !maps.Equal(got[i], env) {
			t.Fatalf("%q\nread back as %q\nwritten as %q", env, got[i], docs[i])
		}
	}
}

// each makes a reader of many documents of a reader of one.
func each(read func(doc []byte) (map[string]string, error)) func(*testing.T, [][]byte) []environ.Env {
	return func(t *testing.T, docs [][]byte) []environ.Env {
		envs := make([]environ.Env, len(docs))
		for i, doc := range docs {
			env, err := read(doc)
			if err != nil {
				t.Fatalf("%v, in %q", err, doc)
			}
			envs[i] = env
		}
		return envs
	}
}

func TestGoReaders(t *testing.T) {
	for _, test := range []struct {
		reader string
		form   environ.Format
		read   func(doc []byte) (map[string]string, error)
	}{
		{"yaml", environ.YAML, func(doc []byte) (env map[string]string, err error) {
			return env, yaml.Unmarshal(doc, &env)
		}},
		{"yaml, untyped", environ.YAML, readUntyped(func(doc []byte, v any) error { return yaml.Unmarshal(doc, v) })},
		{"goccy/go-yaml, untyped", environ.YAML, readUntyped(func(doc []byte, v any) error { return goccy.Unmarshal(doc, v) })},
		{"hashicorp/hcl", environ.TFVars, readHCL},
		{"magiconair/properties", environ.Properties, readProperties},
		{"joho/godotenv", environ.Dotenv, godotenv.UnmarshalBytes},
		{"compose-go", environ.Dotenv, func(doc []byte) (map[string]string, error) {
			return dotenv.Parse(bytes.NewReader(doc))
		}},
	} {
		t.Run(test.reader, func(t *testing.T) { hold(t, test.form, each(test.read)) })
	}
}

// readUntyped reads names and values as whatever type the reader thinks they
// are: anything but a string is the error that quotes are there to prevent.
func readUntyped(unmarshal func(doc []byte, v any) error) func(doc []byte) (map[string]string, error) {
	return func(doc []byte) (map[string]string, error) {
		var untyped map[any]any
		if err := unmarshal(doc, &untyped); err != nil {
			return nil, err
		}
		env := make(map[string]string)
		for name, value := range untyped {
			name, _ := name.(string)
			env[name], _ = value.(string)
		}
		return env, nil
	}
}

func readHCL(doc []byte) (map[string]string, error) {
	file, diags := hclsyntax.ParseConfig(doc, "", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	attributes, diags := file.Body.JustAttributes()
	if diags.HasErrors() {
		return nil, diags
	}
	env := make(map[string]string)
	for name, attribute := range attributes {
		value, diags := attribute.Expr.Value(nil)
		if diags.HasErrors() {
			return nil, diags
		}
		env[name] = value.AsString()
	}
	return env, nil
}

var surrogatePair = regexp.MustCompile(`(?i)\\ud[89ab]..\\ud[c-f]..`)

// readProperties joins surrogate pairs first, as Java does and the library does
// not; the rest of a document is ASCII.
func readProperties(doc []byte) (map[string]string, error) {
	doc = surrogatePair.ReplaceAllFunc(doc, func(pair []byte) []byte {
		var s string
		if err := json.Unmarshal(fmt.Appendf(nil, `"%s"`, pair), &s); err != nil {
			return pair
		}
		return []byte(s)
	})
	loader := properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}
	p, err := loader.LoadBytes(doc)
	if err != nil {
		return nil, err
	}
	return p.Map(), nil
}

//go:embed read.py
var readPython string

//go:embed read.js
var readNode string

//go:embed Read.java
var readJava string

// TestOtherReaders runs a program for each form, which reads a JSON array of
// documents and writes one of environments. One that says it lacks the reader
// (status 77) is skipped.
func TestOtherReaders(t *testing.T) {
	java := filepath.Join(t.TempDir(), "Read.java")
	if err := os.WriteFile(java, []byte(readJava), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		reader  string
		form    environ.Format
		command []string
	}{
		{"python json", environ.JSON, []string{"python3", "-c", readPython, "json"}},
		{"PyYAML", environ.YAML, []string{"python3", "-c", readPython, "yaml"}},
		{"python-dotenv", environ.Dotenv, []string{"python3", "-c", readPython, "dotenv"}},
		{"python csv", environ.CSV, []string{"python3", "-c", readPython, "csv"}},
		{"python csv, unquoted", environ.TSV, []string{"python3", "-c", readPython, "tsv"}},
		{"node JSON", environ.JSON, []string{"node", "-e", readNode, "json"}},
		{"node parseEnv", environ.Dotenv, []string{"node", "-e", readNode, "parseEnv"}},
		{"npm dotenv", environ.Dotenv, []string{"node", "-e", readNode, "dotenv"}},
		{"java.util.Properties", environ.Properties, []string{"java", java}},
	} {
		t.Run(test.reader, func(t *testing.T) {
			path, err := exec.LookPath(test.command[0])
			if err != nil {
				t.Skipf("no %s in PATH to read the form %s with", test.command[0], test.form)
			}
			hold(t, test.form, func(t *testing.T, docs [][]byte) []environ.Env {
				return readBy(t, docs, exec.Command(path, test.command[1:]...))
			})
		})
	}
}

// readBy gives cmd docs as a JSON array of base64 strings, and reads one array
// NAME, VALUE, NAME, VALUE … a document in the same encoding, since values may
// hold what JSON libraries differ about.
func readBy(t *testing.T, docs [][]byte, cmd *exec.Cmd) []environ.Env {
	in, err := json.Marshal(docs)
	if err != nil {
		t.Fatal(err)
	}
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &stderr
	if err := cmd.Run(); cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 77 {
		t.Skip(stderr.String())
	} else if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	var lists [][][]byte
	if err := json.Unmarshal(out.Bytes(), &lists); err != nil {
		t.Fatal(err)
	}
	envs := make([]environ.Env, len(lists))
	for i, list := range lists {
		envs[i] = make(environ.Env)
		for ; len(list) >= 2; list = list[2:] {
			envs[i][string(list[0])] = string(list[1])
		}
	}
	return envs
}
