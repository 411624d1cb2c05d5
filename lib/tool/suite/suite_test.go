// Package suite_test holds the tests of the programs as a whole that are no
// scripts: what every one of them must do, and what takes a pseudo-terminal, a
// benchmark or another program.
package suite_test

import (
	"context"
	"flag"
	"io"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

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

// measured is tool.Main for a program that says how much memory it took.
func measured(run tool.Run) {
	tool.Main(func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
		defer tellPeak()
		return run(ctx, args, stdin, stdout, stderr)
	})
}

func TestMain(m *testing.M) {
	// Many tests wait, for a timeout or a child, more than they work.
	flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	commands := suitetest.Commands(measured)
	commands["plain-put"] = func() { measured(plainPut) }
	commands["plain-get"] = func() { measured(plainGet) }
	testscript.Main(atRoot{m}, commands)
}
