package fakescript_test

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/fakeaws/fakescript"
	"microsecrets/lib/tool/dev"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ms-dev": func() {
			os.Exit(dev.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Setup:               fakescript.Setup,
		Cmds:                fakescript.Commands(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
