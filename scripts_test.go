// Package microsecrets_test runs the scenarios in testdata/scripts: the
// programs as a user calls them, against an emulated S3 and KMS.
package microsecrets_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
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
	commands["status"] = status
	commands["bytes"] = randomBytes
	commands["same"] = same
	commands["holds"] = holds
	commands["raced"] = raced
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/scripts",
		Setup:               setup,
		Cmds:                commands,
		Condition:           condition,
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

// condition knows race, beside those of testscript: the tests run under the race
// detector, where they are short. "[short] [!race]" is for what it is to see.
func condition(name string) (bool, error) {
	if name != "race" {
		return false, fmt.Errorf("unknown condition %s", name)
	}
	return suitetest.RaceDetector, nil
}

// status runs a program and wants this very exit status: status 5 ms-get NAME.
func status(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: status N PROGRAM [ARG...]")
	}
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, not %d", got, want)
	}
}

// randomBytes writes a file of pseudo-random bytes: bytes FILE SIZE.
func randomBytes(ts *testscript.TestScript, neg bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size)}).Read(data)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// same wants two files to have the same bytes, which cmp, made for text, would
// print.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if equal := ts.ReadFile(args[0]) == ts.ReadFile(args[1]); equal == neg {
		ts.Fatalf("%s and %s: same bytes: %v", args[0], args[1], equal)
	}
}

// holds wants a file to hold bytes, written as a Go string: ! holds FILE hunter2.
func holds(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Unquote(`"` + strings.ReplaceAll(args[1], `"`, `\"`) + `"`)
	ts.Check(err)
	if found := bytes.Contains([]byte(ts.ReadFile(args[0])), []byte(want)); found == neg {
		ts.Fatalf("%s holds it: %v", args[0], found)
	}
}

// raced has the race detector, where there is one, watch the programs of the script
// from here on: for scripts in which a program does several things at once.
func raced(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: raced")
	}
	ts.Setenv("PATH", suitetest.Raced())
}
