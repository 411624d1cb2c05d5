// Package suite_test holds the tests of the programs as a whole that are no
// scripts: what every one of them must do, and what takes a pseudo-terminal, a
// benchmark or another program.
package suite_test

import (
	"context"
	"io"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/tool"
	"microsecrets/lib/tool/dev"
	msexec "microsecrets/lib/tool/exec"
	"microsecrets/lib/tool/get"
	"microsecrets/lib/tool/ls"
	"microsecrets/lib/tool/ms"
	"microsecrets/lib/tool/put"
	"microsecrets/lib/tool/rm"
	"microsecrets/lib/tool/rotate"
)

// atRoot runs the tests in the top-level folder, whose documents they read.
type atRoot struct{ *testing.M }

func (m atRoot) Run() int {
	if err := os.Chdir("../../.."); err != nil {
		panic(err)
	}
	return m.M.Run()
}

func program(run tool.Run) func() {
	return func() {
		tool.Main(func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
			defer tellPeak()
			return run(ctx, args, stdin, stdout, stderr)
		})
	}
}

func TestMain(m *testing.M) {
	testscript.Main(atRoot{m}, map[string]func(){
		"ms":        program(ms.Run),
		"ms-put":    program(put.Run),
		"ms-get":    program(get.Run),
		"ms-ls":     program(ls.Run),
		"ms-exec":   program(msexec.Run),
		"ms-rm":     program(rm.Run),
		"ms-rotate": program(rotate.Run),
		"ms-dev":    program(dev.Run),

		"plain-put": program(plainPut),
		"plain-get": program(plainGet),
	})
}
