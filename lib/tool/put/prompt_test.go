//go:build unix

package put_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/prompt/terminaltest"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/suite/suitetest"
)

func TestMain(m *testing.M) { testscript.Main(m, suitetest.Commands(tool.Main)) }

// A terminal is a pseudo-terminal with ms-put on it.
type terminal struct {
	*testing.T
	*terminaltest.Terminal
	server *fakeawstest.Server
	cmd    *exec.Cmd
}

const question = "secret, not shown: "

// atTerminal starts ms-put on a terminal and waits until it asks.
func atTerminal(t *testing.T, env []string, args ...string) *terminal {
	t.Helper()
	return runAtTerminal(t, env, append([]string{"ms-put"}, args...)...)
}

// runAtTerminal starts a command on a terminal and waits until ms-put asks there.
func runAtTerminal(t *testing.T, env []string, command ...string) *terminal {
	t.Helper()
	term := &terminal{T: t, Terminal: terminaltest.Open(t), server: fakeawstest.Start(t)}
	term.cmd = exec.Command(command[0], command[1:]...)
	term.cmd.Dir = t.TempDir()
	term.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + term.cmd.Dir, "GORACE=atexit_sleep_ms=0"}, term.server.Environ()...)
	term.cmd.Env = append(term.cmd.Env, env...)
	term.cmd.Stdin, term.cmd.Stdout, term.cmd.Stderr = term.Screen, term.Screen, term.Screen
	term.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := term.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { term.cmd.Process.Kill(); term.cmd.Wait() })
	term.Until(question, 1)
	return term
}

// typed types and returns the exit, and all that was shown, when the program has
// ended.
func (term *terminal) typed(keys string) (*os.ProcessState, string) {
	term.T.Helper()
	term.Type(keys)
	term.cmd.Wait()
	return term.cmd.ProcessState, term.End()
}

func (term *terminal) get(name string) string {
	term.Helper()
	cmd := exec.Command("ms-get", name)
	cmd.Env = term.cmd.Env
	out, err := cmd.Output()
	if err != nil {
		term.Fatal(err)
	}
	return string(out)
}

// On a terminal ms-put says where the secret goes, asks without echo and stores
// what was typed, without the end of the line.
func TestPrompt(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"hunter2 hünter", " white space ", `quotes "' \ $HOME`, strings.Repeat("x", 4000), strings.Repeat("k", 10_000)} {
		term := atTerminal(t, nil, "s/pass")
		exit, shown := term.typed(secret + "\n")
		if exit.ExitCode() != 0 || !strings.HasPrefix(shown, "ms-put: s/pass goes to s3://example-microsecrets (MS_STORE)\r\nsecret, not shown: \r\n") {
			t.Fatalf("%v: %q", exit, shown)
		}
		if strings.Contains(shown, secret) || !strings.Contains(shown, "  s/pass\r\n") {
			t.Errorf("%q", shown)
		}
		if got := term.get("s/pass"); got != secret {
			t.Errorf("typed %q, stored %q", secret, got)
		}
	}
}

// A store that a file names is announced with the file.
func TestPromptNamesFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings")
	if err := os.WriteFile(file, []byte("store s3://example-microsecrets/prod\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	term := atTerminal(t, []string{"MS_STORE=", "MS_CONFIG=" + file}, "s/pass")
	if _, shown := term.typed("hunter2\n"); !strings.HasPrefix(shown, "ms-put: s/pass goes to s3://example-microsecrets/prod ("+file+":1)\r\n") {
		t.Errorf("%q", shown)
	}
}

// Nothing typed is an empty standard input, unless that is meant.
func TestPromptEmpty(t *testing.T) {
	t.Parallel()
	term := atTerminal(t, nil, "s/pass")
	if exit, shown := term.typed("\n"); exit.ExitCode() != 2 || !strings.Contains(shown, "s/pass: standard input is empty") {
		t.Errorf("%v: %q", exit, shown)
	}
	if out := term.server.Do("ls"); out != "" {
		t.Errorf("stored %q", out)
	}
	term = atTerminal(t, nil, "-empty", "s/pass")
	if exit, shown := term.typed("\n"); exit.ExitCode() != 0 || term.get("s/pass") != "" {
		t.Errorf("%v: %q", exit, shown)
	}
}

// ^C at the prompt restores the terminal and kills by SIGINT, and stores nothing.
func TestPromptInterrupted(t *testing.T) {
	t.Parallel()
	term := atTerminal(t, nil, "s/pass")
	exit, shown := term.typed("hunt\x03")
	status, ok := exit.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("%v: %q", exit, shown)
	}
	if strings.Contains(shown, "hunt") || !strings.Contains(shown, "ms-put: interrupted\r\n") {
		t.Errorf("%q", shown)
	}
	if out := term.server.Do("counts"); out != "" {
		t.Errorf("requested %q", out)
	}
}

// What is pasted with more than one line is not stored in part, and the shell
// does not get the rest.
func TestPromptLines(t *testing.T) {
	t.Parallel()
	term := atTerminal(t, nil, "s/pass")
	exit, shown := term.typed("-----BEGIN KEY-----\nhunter2\n-----END")
	if exit.ExitCode() != 2 || !strings.Contains(shown, "ms-put: more than one line was typed: nothing is stored\r\n") || strings.Contains(shown, "hunter2") {
		t.Errorf("%v: %q", exit, shown)
	}
	if out := term.server.Do("counts"); out != "" {
		t.Errorf("requested %q", out)
	}
}

// The keys that erase do, and ^D ends what was typed, or says that it is nothing.
func TestPromptKeys(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]string{"wrong\x15hünter\x7f\x7f\x7f\x7f\x7fx2\n": "hx2", "end\x04": "end"} {
		term := atTerminal(t, nil, "s/pass")
		if exit, shown := term.typed(keys); exit.ExitCode() != 0 || term.get("s/pass") != want {
			t.Errorf("%q: %v: %q", keys, exit, shown)
		}
	}
	term := atTerminal(t, nil, "s/pass")
	if exit, shown := term.typed("\x04"); exit.ExitCode() != 2 || !strings.Contains(shown, "standard input is empty: nothing was typed") {
		t.Errorf("%v: %q", exit, shown)
	}
}

// Keys that move in the line and change it do so, and are not in the secret.
func TestPromptEditing(t *testing.T) {
	t.Parallel()
	term := atTerminal(t, nil, "s/pass")
	if exit, shown := term.typed("ab\x1b[Dc\x1b[H_\x1b[F!\n"); exit.ExitCode() != 0 || term.get("s/pass") != "_acb!" {
		t.Errorf("%v: %q", exit, shown)
	}
}

// A key that is neither text nor edits the line would be in the secret unseen.
func TestPromptRefuses(t *testing.T) {
	t.Parallel()
	for _, keys := range []string{"hunter2\tx\n", "hunter2\x1b[15~\n", "hunter2\x1b\n", "hunter2\x00\n", "hunter2\u0085\n"} {
		term := atTerminal(t, nil, "s/pass")
		exit, shown := term.typed(keys)
		if exit.ExitCode() != 2 || !strings.Contains(shown, "ms-put: a key was typed that is neither text nor edits the line: nothing is stored\r\n") || strings.Contains(shown, "hunter2") {
			t.Errorf("%q: %v: %q", keys, exit, shown)
		}
		if out := term.server.Do("counts"); out != "" {
			t.Errorf("requested %q", out)
		}
	}
}

// ^Z at the prompt suspends ms-put. In the foreground again it asks again,
// without echo though the shell has switched that on, and what was typed before
// is dropped.
func TestPromptSuspended(t *testing.T) {
	t.Parallel()
	term := runAtTerminal(t, nil, "sh", "-c", "set -m; ms-put s/pass; stty -a; stty echo icanon; fg")
	term.Type("wrong\x1a")
	term.Until(question, 2)
	exit, shown := term.typed("hunter2\n")
	if exit.ExitCode() != 0 || term.get("s/pass") != "hunter2" {
		t.Errorf("%v: %q", exit, shown)
	}
	if strings.Contains(shown, "wrong") || strings.Contains(shown, "hunter2") {
		t.Errorf("%q", shown)
	}
	if !strings.Contains(shown, " echo ") {
		t.Errorf("the shell gets a terminal without echo: %q", shown)
	}
}

// ^Z after the question suspends it as any program.
func TestPromptSuspendedLater(t *testing.T) {
	t.Parallel()
	term := runAtTerminal(t, nil, "sh", "-c", "set -m; ms-put s/pass; echo suspended; fg")
	term.server.Do("fault hold PutObject key=s/pass")
	term.Type("hunter2\n")
	term.server.Do("await PutObject 1")
	term.Type("\x1a")
	term.Until("suspended", 1)
	term.server.Do("release")
	if exit, shown := term.typed(""); exit.ExitCode() != 0 || term.get("s/pass") != "hunter2" {
		t.Errorf("%v: %q", exit, shown)
	}
}

// The same where the program is stopped without being asked, and where it cannot
// be suspended because no shell could continue it.
func TestPromptStopped(t *testing.T) {
	t.Parallel()
	term := atTerminal(t, nil, "s/pass")
	term.Type("wrong")
	if err := term.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	term.Stty("echo", "icanon")
	if err := term.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	term.Until(question, 2)
	term.Type("wrong\x1a")
	term.Until(question, 3)
	if exit, shown := term.typed("hunter2\n"); exit.ExitCode() != 0 || term.get("s/pass") != "hunter2" || strings.Contains(shown, "hunter2") {
		t.Errorf("%v: %q", exit, shown)
	}
}

// A terminal that controls no session is silenced and given back as well.
func TestPromptForeignTerminal(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("setsid is absent")
	}
	term := runAtTerminal(t, nil, "setsid", "-w", "ms-put", "s/pass")
	if exit, shown := term.typed("hunter2\n"); exit.ExitCode() != 0 || term.get("s/pass") != "hunter2" || strings.Contains(shown, "hunter2") {
		t.Errorf("%v: %q", exit, shown)
	}
}

// A terminal that is resized stays silent.
func TestPromptResized(t *testing.T) {
	t.Parallel()
	term := atTerminal(t, nil, "s/pass")
	term.Type("hun")
	term.Resize(10, 7)
	if exit, shown := term.typed("ter2\n"); exit.ExitCode() != 0 || term.get("s/pass") != "hunter2" || strings.Contains(shown, "ter2") {
		t.Errorf("%v: %q", exit, shown)
	}
}

// An environment is typed line by line no more than any other secret: one line.
func TestPromptEnvironment(t *testing.T) {
	t.Parallel()
	term := atTerminal(t, nil, "-e", "s/env")
	if exit, shown := term.typed("PASSWORD=hunter2\n"); exit.ExitCode() != 0 || term.get("s/env") != `{"PASSWORD":"hunter2"}` {
		t.Errorf("%v: %q", exit, shown)
	}
}
