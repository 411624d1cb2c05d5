// Package lib_test holds the import law: which room of the house may know which.
package lib_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A room is a package, and those below it that are not rooms of their own.
type room struct {
	name string   // its folder
	may  []string // the rooms that it may import, those below them aside
	aws  bool     // whether it may import the AWS SDK
}

// law has the rooms from the bottom up. Arrows point one way: tool to settings,
// secret and environ; secret to message, keyring and bucket. That nothing outside
// lib imports lib/internal is held by the compiler.
var law = []room{
	{name: "lib/message"},
	{name: "lib/environ"},
	{name: "lib/internal/atomicfile"},
	{name: "lib/internal/become"},
	{name: "lib/internal/hint"},
	{name: "lib/internal/printable"},
	{name: "lib/internal/prompt"},
	{name: "lib/internal/racetest"},
	{name: "lib/internal/version"},
	{name: "lib/internal/defaults"},
	{name: "lib/internal/settings", may: []string{"lib/internal/hint", "lib/internal/printable", "lib/internal/defaults"}},
	{name: "lib/internal/awsclient", may: []string{"lib/internal/hint", "lib/internal/printable"}, aws: true},
	{name: "lib/internal/bucket", may: []string{"lib/internal/awsclient", "lib/internal/hint", "lib/internal/printable"}, aws: true},
	{name: "lib/internal/keyring", may: []string{"lib/message", "lib/internal/awsclient", "lib/internal/hint", "lib/internal/printable"}, aws: true},
	{name: "lib/internal/survey", may: []string{"lib/internal/awsclient", "lib/internal/hint", "lib/internal/printable"}, aws: true},
	{name: "lib/internal/amend", may: []string{"lib/internal/survey", "lib/internal/awsclient", "lib/internal/hint"}, aws: true},
	{name: "lib/secret", may: []string{
		"lib/message", "lib/internal/awsclient", "lib/internal/bucket", "lib/internal/keyring",
		"lib/internal/hint", "lib/internal/printable", "lib/internal/defaults",
	}, aws: true},

	// The emulator knows nothing that it is there to test.
	{name: "lib/fakeaws"},
	{name: "lib/fakeaws/fakeawstest", may: []string{"lib/fakeaws"}, aws: true},
	{name: "lib/fakeaws/fakescript", may: []string{"lib/fakeaws"}},

	{name: "lib/tool", may: []string{
		"lib/secret", "lib/environ", "lib/internal/awsclient", "lib/internal/settings", "lib/internal/hint", "lib/internal/printable", "lib/internal/prompt",
		"lib/internal/version",
	}},
	{name: "lib/tool/names", may: []string{"lib/secret", "lib/internal/settings"}},
	{name: "lib/tool/put", may: []string{
		"lib/tool", "lib/secret", "lib/environ", "lib/internal/atomicfile", "lib/internal/hint", "lib/internal/printable", "lib/internal/prompt",
	}},
	{name: "lib/tool/get", may: []string{"lib/tool", "lib/secret", "lib/environ", "lib/internal/atomicfile", "lib/internal/hint", "lib/internal/printable"}},
	{name: "lib/tool/ls", may: []string{"lib/tool", "lib/tool/names", "lib/secret", "lib/internal/awsclient", "lib/internal/hint", "lib/internal/printable"}},
	{name: "lib/tool/exec", may: []string{
		"lib/tool", "lib/secret", "lib/environ", "lib/internal/atomicfile", "lib/internal/become", "lib/internal/settings", "lib/internal/hint",
		"lib/internal/printable",
	}},
	{name: "lib/tool/rm", may: []string{"lib/tool", "lib/secret", "lib/internal/hint"}},
	{name: "lib/tool/rotate", may: []string{"lib/tool", "lib/secret", "lib/internal/hint"}},
	{name: "lib/tool/cp", may: []string{"lib/tool", "lib/secret", "lib/internal/hint"}},
	{name: "lib/tool/diff", may: []string{"lib/tool", "lib/secret", "lib/environ", "lib/internal/hint"}},
	{name: "lib/tool/edit", may: []string{"lib/tool", "lib/secret", "lib/environ", "lib/internal/hint", "lib/internal/prompt"}},
	{name: "lib/tool/initialize", may: []string{
		"lib/tool", "lib/secret", "lib/internal/amend", "lib/internal/awsclient", "lib/internal/survey", "lib/internal/keyring", "lib/internal/settings", "lib/internal/defaults", "lib/internal/hint",
		"lib/internal/printable",
	}},
	{name: "lib/tool/check", may: []string{
		"lib/tool", "lib/secret", "lib/internal/awsclient", "lib/internal/survey", "lib/internal/keyring", "lib/internal/settings", "lib/internal/hint", "lib/internal/printable",
	}},
	{name: "lib/tool/dev", may: []string{"lib/tool", "lib/fakeaws", "lib/internal/version"}},
	{name: "lib/tool/suite", may: []string{
		"lib/tool", "lib/tool/put", "lib/tool/get", "lib/tool/ls", "lib/tool/exec", "lib/tool/rm", "lib/tool/rotate", "lib/tool/cp", "lib/tool/diff", "lib/tool/edit", "lib/tool/initialize", "lib/tool/check", "lib/tool/dev",
	}},
	{name: "lib/tool/completion", may: []string{"lib/tool", "lib/tool/names", "lib/tool/suite", "lib/secret"}},
	{name: "lib/tool/ms", may: []string{"lib/tool", "lib/tool/suite", "lib/tool/completion", "lib/internal/become", "lib/internal/hint", "lib/internal/version"}},
	{name: "lib/tool/suite/suitetest", may: []string{"lib/internal/racetest", "lib/tool", "lib/tool/completion", "lib/tool/suite", "lib/tool/ms"}},
}

// exceptions are imports beside the law, each with its reason.
var exceptions = map[string]string{
	"lib/tool/get lib/message": "-inspect prints a message's header",
	"lib/tool lib/message":     "the hint of the setting unsigned",
}

const module = "microsecrets/"

// find returns the room that a folder belongs to.
func find(folder string) (room, bool) {
	for ; folder != "."; folder = path.Dir(folder) {
		if i := slices.IndexFunc(law, func(r room) bool { return r.name == folder }); i >= 0 {
			return law[i], true
		}
	}
	return room{}, false
}

// sources calls do for every Go file of lib that is not a test, on any system.
func sources(t *testing.T, do func(file string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
			do(filepath.ToSlash(file))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestImports holds the law.
func TestImports(t *testing.T) {
	needed := map[string]bool{}
	sources(t, func(file string) {
		syntax, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		from, ok := find(path.Join("lib", path.Dir(file)))
		if !ok {
			t.Errorf("lib/%s is in no room: say in lib/imports_test.go what its package may import", file)
			return
		}
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(imported, "github.com/aws/") && !from.aws {
				t.Errorf("lib/%s imports %s: %s must not know the AWS SDK", file, imported, from.name)
			}
			folder, ours := strings.CutPrefix(imported, module)
			to, ok := find(folder)
			exception := from.name + " " + folder
			switch {
			case !ours, to.name == from.name, ok && slices.Contains(from.may, to.name):
			case exceptions[exception] != "":
				needed[exception] = true
			default:
				t.Errorf("lib/%s imports %s: of this project %s may import only %q", file, imported, from.name, from.may)
			}
		}
	})
	for _, r := range law {
		if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(r.name))); err != nil {
			t.Errorf("the law has a room that is not there: %v", err)
		}
	}
	for exception := range exceptions {
		if !needed[exception] {
			t.Errorf("the exception %q is not needed any more: remove it", exception)
		}
	}
}

// process is what only a main may touch.
var process = regexp.MustCompile(`\bos\.(Exit|Stdin|Stdout|Stderr)\b`)

// Only tool.Main ends the process and uses its standard streams. Everything else
// is given what it reads and writes, and returns.
func TestProcess(t *testing.T) {
	sources(t, func(file string) {
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			code, _, _ := strings.Cut(line, "//")
			if used := process.FindString(code); used != "" && file != "tool/main.go" {
				t.Errorf("lib/%s:%d uses %s, as only tool.Main may", file, i+1, used)
			}
		}
	})
}

// compiled is a regular expression that is compiled when a program starts.
var compiled = regexp.MustCompile(`^(var |\t)\w+ += regexp\.MustCompile`)

// No program compiles a regular expression that it may not need: each takes as long as
// the rest of a package's initialization. sync.OnceValue does it when it is needed.
func TestStart(t *testing.T) {
	sources(t, func(file string) {
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if compiled.MatchString(line) && !strings.Contains(line, "OnceValue") {
				t.Errorf("lib/%s:%d compiles a regular expression at start", file, i+1)
			}
		}
	})
}
