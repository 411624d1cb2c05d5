package suitetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// ScriptCommands returns the commands of testdata/scripts besides "fake", for
// testscript.Params.Commands:
//
//	status N PROGRAM [ARG...]   run it, and want this very exit status
//	bytes FILE SIZE             a file of pseudo-random bytes
//	[!] same FILE1 FILE2        the same bytes, which cmp, made for text, would print
//	[!] holds FILE TEXT         a file that holds bytes, written as a Go string
//	raced                       from here on the race detector, where there is one, watches the programs
func ScriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"status": status,
		"bytes":  randomBytes,
		"same":   same,
		"holds":  holds,
		"raced":  raced,
	}
}

// Condition knows "race", beside those of testscript: the tests run under the race
// detector, where they are short. "[short] [!race]" is for what it is to see.
func Condition(name string) (bool, error) {
	if name != "race" {
		return false, fmt.Errorf("unknown condition %s", name)
	}
	return RaceDetector, nil
}

func raced(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: raced")
	}
	ts.Setenv("PATH", Raced())
}

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

func randomBytes(ts *testscript.TestScript, neg bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size)}).Read(data)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

func same(ts *testscript.TestScript, neg bool, args []string) {
	if equal := ts.ReadFile(args[0]) == ts.ReadFile(args[1]); equal == neg {
		ts.Fatalf("%s and %s: same bytes: %v", args[0], args[1], equal)
	}
}

func holds(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Unquote(`"` + strings.ReplaceAll(args[1], `"`, `\"`) + `"`)
	ts.Check(err)
	if found := bytes.Contains([]byte(ts.ReadFile(args[0])), []byte(want)); found == neg {
		ts.Fatalf("%s holds it: %v", args[0], found)
	}
}
