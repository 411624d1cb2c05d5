//go:build unix

package put_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"microsecrets/lib/fakeaws/fakeawstest"
)

// trap is a COMMAND that says that it gets SIGINT, and exits with status 0 at SIGUSR1.
const trap = `
trap 'echo "got INT" >&2' INT
trap 'kill $child; exit 0' USR1
echo half
cat <hold >/dev/null & child=$!
echo ready >&2
while :; do wait; done
`

// startTrap starts ms-put with trap as its COMMAND, in a session of its own, and
// waits until that is ready. Its standard streams are a terminal, or nothing but a
// pipe from standard error, which is returned.
func startTrap(t *testing.T, onTerminal bool) (cmd *exec.Cmd, server *fakeawstest.Server, keyboard io.Writer, shown func(text string) string) {
	t.Helper()
	server = fakeawstest.Start(t)
	cmd = exec.Command("ms-put", "s/pass", "--", "sh", "-c", trap)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "GORACE=atexit_sleep_ms=0"}, server.Environ()...)
	if err := syscall.Mkfifo(filepath.Join(cmd.Dir, "hold"), 0o600); err != nil {
		t.Fatal(err)
	}
	var screen *os.File
	if onTerminal {
		keys, program, err := pty.Open()
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { keys.Close(); program.Close() })
		cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		screen, keyboard = keys, keys
	} else {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		cmd.Stderr = w
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		screen = r
	}
	screen.SetReadDeadline(time.Now().Add(30 * time.Second)) // a terminal may have none
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); cmd.Wait() })
	var all bytes.Buffer
	shown = func(text string) string {
		t.Helper()
		buf := make([]byte, 4096)
		for !strings.Contains(all.String(), text) {
			n, err := screen.Read(buf)
			all.Write(buf[:n])
			if err != nil {
				t.Fatalf("%q is not shown: %v: %q", text, err, all.String())
			}
		}
		return all.String()
	}
	shown("ready")
	return cmd, server, keyboard, shown
}

// interrupted wants ms-put to die of SIGINT, with nothing stored.
func interrupted(t *testing.T, cmd *exec.Cmd, server *fakeawstest.Server) {
	t.Helper()
	cmd.Wait()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("%v", cmd.ProcessState)
	}
	if out := server.Do("ls"); out != "" {
		t.Errorf("stored %q", out)
	}
}

// ^C reaches COMMAND from the terminal, and only from there. ms-put waits for
// COMMAND, and stores nothing though that exits with status 0.
func TestCommandKeyboard(t *testing.T) {
	t.Parallel()
	cmd, server, keyboard, shown := startTrap(t, true)
	if _, err := io.WriteString(keyboard, "\x03"); err != nil {
		t.Fatal(err)
	}
	shown("got INT")
	// What ms-put passes on comes in order: another SIGINT would come before this.
	if err := cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if all := shown("ms-put: interrupted"); strings.Count(all, "got INT") != 1 {
		t.Errorf("%q", all)
	}
	interrupted(t, cmd, server)
}

// A SIGINT that ms-put alone gets is passed on.
func TestCommandInterrupted(t *testing.T) {
	t.Parallel()
	cmd, server, _, shown := startTrap(t, false)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	shown("got INT")
	if err := cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	shown("ms-put: interrupted")
	interrupted(t, cmd, server)
}

// The prompt asks for the value of one variable as for any other secret.
func TestPromptVariable(t *testing.T) {
	t.Parallel()
	term := atTerminal(t, nil, "-k", "PASSWORD", "s/env")
	exit, shown := term.typed("hunter2\n")
	if exit.ExitCode() != 0 || term.get("s/env") != `{"PASSWORD":"hunter2"}` || strings.Contains(shown, "hunter2") {
		t.Errorf("%v: %q", exit, shown)
	}
}
