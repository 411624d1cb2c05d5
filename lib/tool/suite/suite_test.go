// Package suite_test holds the tests of the programs as a whole that are no
// scripts: what every one of them must do, and what takes a pseudo-terminal, a
// benchmark or another program.
package suite_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"microsecrets/lib/tool"
	"microsecrets/lib/tool/suite/suitetest"
)

// atRoot runs the tests in the top-level folder, whose documents they read.
type atRoot struct{ *testing.M }

func (m atRoot) Run() int {
	if err := os.Chdir("../../.."); err != nil {
		panic(err)
	}
	return m.M.Run()
}

// rooted returns the absolute name of a file in the top-level folder. By a relative
// name go test would not notice that the file has changed, since the tests have left
// their own folder.
func rooted(t testing.TB, name string) string {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, name)
}

// page returns the text of a file in the top-level folder.
func page(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(rooted(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// measured is tool.Main for a program that says how much memory it took.
func measured(run tool.Run) {
	tool.Main(func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
		defer tellPeak()
		return run(ctx, args, stdin, stdout, stderr)
	})
}

func TestMain(m *testing.M) {
	commands := suitetest.Commands(measured)
	commands["plain-put"] = func() { measured(plainPut) }
	commands["plain-get"] = func() { measured(plainGet) }
	suitetest.Main(atRoot{m}, commands)
}
