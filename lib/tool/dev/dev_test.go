package dev_test

import (
	"bufio"
	"os/exec"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/fakeaws/fakescript"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/dev"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ms-dev": func() { tool.Main(dev.Run) },
	})
}

func TestScripts(t *testing.T) {
	fakescript.DefaultSignals()
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true})
}

// An interrupt from the terminal reaches the command once, and does not end
// ms-dev before it.
func TestTerminal(t *testing.T) {
	fakescript.DefaultSignals()
	cmd := exec.Command("ms-dev", "--", "sh", "-c", `trap 'echo interrupted' INT; echo ready; until read x; do :; done; exit 3`)
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	var seen []string
	answers := map[string]string{"ready": "\x03", "interrupted": "go on\n"}
	for lines := bufio.NewScanner(terminal); lines.Scan(); {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "^C"))
		if line == "ready" || line == "interrupted" {
			seen = append(seen, line)
			terminal.WriteString(answers[line])
			delete(answers, line)
		}
	}
	cmd.Wait()
	if got := strings.Join(seen, " "); got != "ready interrupted" || cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("%s; status %d", got, cmd.ProcessState.ExitCode())
	}
}
