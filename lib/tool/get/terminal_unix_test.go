//go:build unix

package get_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/prompt/terminaltest"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/suite/suitetest"
)

func TestMain(m *testing.M) { testscript.Main(m, suitetest.Commands(tool.Main)) }

func TestOnTerminal(t *testing.T) {
	server := fakeawstest.Start(t)
	store, err := secret.New(server.Config(), fakeaws.DefaultBucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"s/text": "hunter2", "s/line": "a line\n", "s/escape": "\x1b[31mred", "s/env": `{"A":"1"}`, "s/odd": `{"A":"\u001b[31mred"}`} {
		if _, err := store.Put(t.Context(), name, strings.NewReader(text), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		args   []string
		status int
		shown  string
		says   string
	}{
		{[]string{"s/text"}, 0, "hunter2\r\n", ""},
		{[]string{"s/line"}, 0, "a line\r\n", ""},
		{[]string{"-k", "A", "s/env"}, 0, "1\r\n", ""},
		{[]string{"s/text", "s/escape"}, 1, "", "ms-get: s/escape: is not text, and is not shown on a terminal\nms-get: hint: -o FILE, or a pipe, takes it as it is; -force shows it\n"},
		{[]string{"-raw", "s/text"}, 1, "", "ms-get: s/text: is not text"},
		{[]string{"-k", "A", "s/env", "s/odd"}, 1, "", "ms-get: s/odd: is not text, and is not shown on a terminal\n"},
		{[]string{"-stream", "s/escape"}, 1, "", "not text"},
		{[]string{"-force", "s/escape"}, 0, "\x1b[31mred", ""},
	} {
		term := terminaltest.Open(t)
		cmd := exec.Command("ms-get", test.args...)
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}, server.Environ()...)
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = term.Screen, &stderr
		cmd.Run()
		shown := term.End()
		if cmd.ProcessState.ExitCode() != test.status || shown != test.shown || !strings.Contains(stderr.String(), test.says) {
			t.Errorf("%q: status %d, %q: %s", test.args, cmd.ProcessState.ExitCode(), shown, &stderr)
		}
	}
}
