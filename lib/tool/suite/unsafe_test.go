package suite_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"microsecrets/lib/environ"
	"microsecrets/lib/fakeaws/fakeawstest"
)

// TestUnsafe has an environment set every unsafe name: ms-exec, and the
// two forms that set the variables of a process, refuse it and name each.
func TestUnsafe(t *testing.T) {
	env := map[string]string{}
	for s := range environ.UnsafeRules() {
		for _, pattern := range s.Names {
			env[strings.ReplaceAll(pattern, "*", "X")] = "hunter2"
		}
	}
	text, err := json.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	server := fakeawstest.Start(t)
	call := func(program ...string) (status int, stdout, stderr string) {
		var out, errs bytes.Buffer
		cmd := exec.Command(program[0], program[1:]...)
		cmd.Env = slices.Concat(server.Environ(), []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"})
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), &out, &errs
		if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), out.String(), errs.String()
	}
	if status, _, stderr := call("ms-put", "-q", "-e", "s/env"); status != 0 {
		t.Fatal(stderr)
	}
	for _, test := range []struct {
		status  int
		program []string
	}{
		{125, []string{"ms-exec", "s/env", "--", "echo", "ran"}},
		{1, []string{"ms-get", "-f", "sh", "s/env"}},
		{1, []string{"ms-get", "-f", "github", "s/env"}},
	} {
		status, stdout, stderr := call(test.program...)
		if status != test.status || stdout != "" || strings.Contains(stderr, "hunter2") {
			t.Errorf("%q: status %d: %s%s", test.program, status, stdout, stderr)
		}
		for name := range env {
			if !strings.Contains(stderr, " "+name+" (") {
				t.Errorf("%q does not name %s", test.program, name)
			}
		}
	}
	for _, form := range []string{"json", "dotenv", "github-mask"} {
		if status, stdout, stderr := call("ms-get", "-f", form, "s/env"); status != 0 || !strings.Contains(stdout, "hunter2") {
			t.Errorf("-f %s sets nothing, and is refused: %s", form, stderr)
		}
	}
}
