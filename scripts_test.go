// Package microsecrets_test runs the scenarios in testdata/scripts: the
// programs as a user calls them, against an emulated S3 and KMS.
package microsecrets_test

import (
	"maps"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/fakeaws/fakescript"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/suite/suitetest"
)

func TestMain(m *testing.M) { suitetest.Main(m, suitetest.Commands(tool.Main)) }

func TestScripts(t *testing.T) {
	fakescript.DefaultSignals()
	commands := fakescript.Commands()
	maps.Copy(commands, suitetest.ScriptCommands())
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/scripts",
		Setup:               setup,
		Cmds:                commands,
		Condition:           suitetest.Condition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

func setup(env *testscript.Env) error {
	env.Setenv("AWS_MAX_ATTEMPTS", "2")
	env.Setenv("GORACE", "atexit_sleep_ms=0")
	env.Setenv("COMPLETION_LIMIT", "1m")
	return fakescript.Setup(env)
}
