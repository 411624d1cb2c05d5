package fakescript_test

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/fakeaws/fakescript"
)

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Setup:               fakescript.Setup,
		Cmds:                fakescript.Commands(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
