//go:build unix

package edit_test

import (
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/prompt/terminaltest"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/suite/suitetest"
)

func TestMain(m *testing.M) { testscript.Main(m, suitetest.Commands(tool.Main)) }

// A desk is a pseudo-terminal, an emulator and a home.
type desk struct {
	*testing.T
	*terminaltest.Terminal
	server *fakeawstest.Server
	home   string
	memory string // where the folders of ms-edit are
	cmd    *exec.Cmd
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{T: t, Terminal: terminaltest.Open(t), server: fakeawstest.Start(t), home: t.TempDir()}
	var err error
	if d.memory, err = os.MkdirTemp("/dev/shm", "test."); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if left, _ := os.ReadDir(d.memory); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
		os.RemoveAll(d.memory)
	})
	d.Resize(24, 80)
	return d
}

func (d *desk) environ() []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + d.home, "XDG_RUNTIME_DIR=" + d.memory, "TERM=vt100", "GORACE=atexit_sleep_ms=0",
	}, d.server.Environ()...)
}

func (d *desk) run(stdin string, args ...string) string {
	d.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Stdin = d.environ(), strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		d.Fatalf("%q: %v", args, err)
	}
	return string(out)
}

// edit starts a command on the terminal.
func (d *desk) edit(editor string, command ...string) {
	d.Helper()
	d.cmd = exec.Command(command[0], command[1:]...)
	d.cmd.Dir = d.home
	d.cmd.Env = append(d.environ(), "EDITOR="+editor)
	d.cmd.Stdin, d.cmd.Stdout, d.cmd.Stderr = d.Screen, d.Screen, d.Screen
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := d.cmd.Start(); err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL); d.cmd.Wait() })
}

// script is a shell script as EDITOR. Each of its runs says which it is, "run 1", and
// does what stands behind the number.
func (d *desk) script(runs ...string) string {
	d.Helper()
	var b strings.Builder
	b.WriteString("echo x >>runs; n=$(grep -c x runs); echo run $n $1; case $n in\n")
	for i, run := range runs {
		b.WriteString(string(rune('1'+i)) + ") " + run + " ;;\n")
	}
	b.WriteString("*) exit 9 ;;\nesac\n")
	path := filepath.Join(d.home, "editor")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		d.Fatal(err)
	}
	return "sh " + path
}

func (d *desk) ends(status int) string {
	d.Helper()
	const ended = "MS-EDIT HAS ENDED" // read all the time, or it would wait to be
	go func() {
		d.cmd.Wait()
		io.WriteString(d.Screen, ended)
	}()
	d.Until(ended, 1)
	shown := strings.TrimSuffix(d.End(), ended)
	if got := d.cmd.ProcessState.ExitCode(); got != status {
		d.Errorf("%v, not status %d: %q", d.cmd.ProcessState, status, shown)
	}
	return shown
}

func (d *desk) want(name, secret string) {
	d.Helper()
	if got := d.run("", "ms-get", name); got != secret {
		d.Errorf("%q is stored, not %q", got, secret)
	}
}

func contains(t *testing.T, shown string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			t.Errorf("%q is not in %q", text, shown)
		}
	}
}

// Editors as they are installed: what is typed into them is stored, and nothing of it is
// left in the home, whatever the user's own settings say.
func TestEditors(t *testing.T) {
	t.Parallel()
	const (
		vi   = ":%s/one/two/\ryy:wq\r"
		nano = "\x0b" + "hunter-two" + "\x0f\r\x18" // cut the line, type, write out, exit
	)
	for _, test := range []struct{ editor, keys string }{
		{"vi", vi}, {"vim", vi}, {"vim.tiny", vi}, {"nvim", vi}, {"nvi", vi}, {"busybox vi", vi}, {"vim -u hostile", vi},
		{"nano", nano}, {"nano -w", nano}, {"ed", ",s/one/two/\nw\nq\n"},
	} {
		program, args, _ := strings.Cut(test.editor, " ")
		if _, err := exec.LookPath(program); err != nil {
			continue
		}
		t.Run(test.editor, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			hostile := strings.ReplaceAll(`set nocompatible undofile undodir=HOME backup backupcopy=no writebackup backupdir=HOME patchmode=.orig
set swapfile directory=HOME updatecount=1 viminfo='100,f1,<50,nHOME/.viminfo
`, "HOME", d.home)
			for _, name := range []string{".vimrc", "hostile"} {
				if strings.Contains(args, "hostile") || name == "hostile" {
					if err := os.WriteFile(filepath.Join(d.home, name), []byte(hostile), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			d.run("hunter-one\n", "ms-put", "-q", "s/text")
			d.edit(test.editor, "ms-edit", "s/text")
			if program == "ed" {
				d.Until("11\r\n", 1)
			} else {
				d.Until("hunter-one", 1)
			}
			d.Type(test.keys)
			contains(t, d.ends(0), "  s/text\r\n")
			d.want("s/text", "hunter-two\n")
			filepath.WalkDir(d.home, func(path string, entry fs.DirEntry, err error) error {
				if text, _ := os.ReadFile(path); strings.Contains(string(text), "hunter") {
					t.Errorf("%s holds the secret", path)
				}
				if name := filepath.Base(path); path != d.home && name != ".vimrc" && name != "hostile" && !entry.IsDir() {
					t.Logf("%s is left", path)
				}
				return nil
			})
		})
	}
}

// An environment at fault: the message can be read before the editor is opened again, at
// the line, by Enter.
func TestFault(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("vim"); err != nil {
		t.Skip(err)
	}
	d := newDesk(t)
	d.run("A=1\nB=2\n", "ms-put", "-q", "-e", "s/env")
	d.edit("vim -u NONE", "ms-edit", "s/env")
	d.Until("B=2", 1)
	d.Type(":2s/=/+/\r:wq\r")
	d.Until(`ms-edit: s/env: line 2: no "=": a line is NAME=VALUE`, 1)
	d.Until("edit it again (e), keep your text in a file (k), or drop it (d)? ", 1)
	d.Type("\r")
	d.Until("B+2", 1)
	d.Type("cc" + "B=3\x1b:wq\r") // the line where the editor was opened
	d.ends(0)
	d.want("s/env", `{"A":"1","B":"3"}`)
}

func TestFaultKept(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("A=1\n", "ms-put", "-q", "-e", "s/env")
	d.edit(d.script(`printf 'hunter\n' >"$1"`, `printf 'hunter2\n' >"$1"`), "ms-edit", "s/env")
	d.Until("(d)? ", 1)
	d.Type("what\n")
	d.Until("(d)? ", 2)
	d.Type("E\n")
	d.Until("(d)? ", 3)
	d.Type("k\n")
	d.Until("FILE, which is made: ", 1)
	d.Type("\n")
	d.Until("(d)? ", 4)
	d.Type("k\n")
	d.Until("FILE, which is made: ", 2)
	d.Type("editor\n") // is there
	d.Until("ms-edit: FILE: file exists\r\n", 1)
	d.Type("none/x\n")
	d.Until("ms-edit: FILE: no such file or directory\r\n", 1)
	d.Type("~/kept\n")
	contains(t, d.ends(1), `line 1: no "="`, "nothing is stored, and the text is kept in that file\r\n")
	d.want("s/env", `{"A":"1"}`)
	info, err := os.Stat(filepath.Join(d.home, "kept"))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if text, _ := os.ReadFile(filepath.Join(d.home, "kept")); string(text) != "hunter2\n" {
		t.Errorf("%q", text)
	}
}

func TestFaultDropped(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"d\n", "drop\n", "\x04"} {
		d := newDesk(t)
		d.run("A=1\n", "ms-put", "-q", "-e", "s/env")
		d.edit(d.script(`printf 'hunter\n' >"$1"`), "ms-edit", "s/env")
		d.Until("(d)? ", 1)
		d.Type(answer)
		contains(t, d.ends(1), "nothing is stored, and the text is dropped\r\n")
	}
}

// Another has stored something meanwhile. Where both have changed different variables,
// the editor has both; where both have changed one, it says what the other has stored.
func TestConflict(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("A=1\nB=2\n", "ms-put", "-q", "-e", "s/env")
	d.edit(d.script(
		`printf 'A=x\nB=2\n' >"$1"; echo B=y | ms-put -q -e -merge s/env`,
		`cp "$1" first; printf 'A=x\nB=y\nC=mine\n' >"$1"; echo C=theirs | ms-put -q -e -merge s/env`,
		`cp "$1" second`,
	), "ms-edit", "s/env")
	d.Until("ms-edit: s/env: has changed in s3://example-microsecrets while it was edited\r\n", 1)
	d.Until("(d)? ", 1)
	d.Type("e\n")
	d.Until("(d)? ", 2)
	d.Type("e\n")
	shown := d.ends(0)
	contains(t, shown, "ms-edit: s/env: another has changed B\r\n", "ms-edit: s/env: both have changed C: yours is kept until you change it\r\n")
	for name, want := range map[string]string{
		"first":  "A=x\nB=y\n",
		"second": "A=x\nB=y\n# another has stored:\n# C=theirs\nC=mine\n",
	} {
		if text, _ := os.ReadFile(filepath.Join(d.home, name)); string(text) != want {
			t.Errorf("%s: %q", name, text)
		}
	}
	d.want("s/env", `{"A":"x","B":"y","C":"mine"}`)
}

// A text on top of another's: marks where both have changed it, which must not be stored.
func TestConflictText(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("a\nb\n", "ms-put", "-q", "s/text")
	d.edit(d.script(
		`printf 'a\nmine\n' >"$1"; printf 'a\ntheirs\n' | ms-put -q s/text`,
		`cp "$1" first`,
		`printf 'a\nboth\n' >"$1"`,
	), "ms-edit", "s/text")
	d.Until("(d)? ", 1)
	d.Type("e\n")
	d.Until("ms-edit: s/text: line 2: both changed this: leave what is to be stored, and remove the lines that mark it\r\n", 1)
	d.Until("(d)? ", 2)
	d.Type("e\n")
	d.ends(0)
	if text, _ := os.ReadFile(filepath.Join(d.home, "first")); string(text) != "a\n<<<<<<< what you have saved\nmine\n======= what another has stored\ntheirs\n>>>>>>> end\n" {
		t.Errorf("%q", text)
	}
	d.want("s/text", "a\nboth\n")
}

func TestConflictEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		first, second string // what the editor does
		answers       string
		status        int
		said          string
		secret        string
		kept          string
	}{
		{`echo mine >"$1"; echo theirs | ms-put -q s/text`, "", "d\n", 6, "nothing is stored, and the text is dropped", "theirs\n", ""},
		{`echo mine >"$1"; echo theirs | ms-put -q s/text`, "", "k\nkept\n", 6, "the text is kept in that file", "theirs\n", "mine\n"},
		{`echo mine >"$1"; echo mine | ms-put -q s/text`, "", "", 0, "what you have saved is what is stored already", "mine\n", ""},
		{`echo mine >"$1"; ms-rm s/text`, ":", "e\n", 0, "while it was edited: it was removed", "mine\n", ""},
		{`echo mine >"$1"; printf '\0' | ms-put -q s/text`, ":", "e\n", 0, "to what is not text and cannot be shown", "mine\n", ""},
		{`echo mine >"$1"; echo theirs | ms-put -q s/text`, "exit 3", "e\n", 1, "exited with status 3: nothing is stored", "theirs\n", ""},
	} {
		d := newDesk(t)
		d.run("first\n", "ms-put", "-q", "s/text")
		d.edit(d.script(test.first, test.second), "ms-edit", "s/text")
		d.Type(test.answers)
		contains(t, d.ends(test.status), test.said)
		d.want("s/text", test.secret)
		if text, _ := os.ReadFile(filepath.Join(d.home, "kept")); string(text) != test.kept {
			t.Errorf("%q is kept", text)
		}
	}
}

// What cannot be stored is not lost: it can be tried again.
func TestNotStored(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("first\n", "ms-put", "-q", "s/text")
	d.server.Do("fault answer 403 AccessDenied PutObject")
	d.edit(d.script(`echo mine >"$1"`, ":"), "ms-edit", "s/text")
	d.Until("(d)? ", 1)
	d.server.Do("clear")
	d.Type("e\n")
	contains(t, d.ends(0), "ms-edit: s/text: ", "not allowed")
	d.want("s/text", "mine\n")
}

// At a terminal it is told that a secret is new.
func TestNewName(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.edit(d.script(`cp "$1" first; echo A=1 >"$1"`), "ms-edit", "-e", "s/env")
	contains(t, d.ends(0), "ms-edit: s/env: no such secret in s3://example-microsecrets: what is saved makes it\r\n")
	if text, err := os.ReadFile(filepath.Join(d.home, "first")); len(text) > 0 || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	d.want("s/env", `{"A":"1"}`)
}

// An editor that was killed after it has saved: the terminal is as it was, and the text
// is not lost.
func TestEditorKilled(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("first\n", "ms-put", "-q", "s/text")
	d.edit(d.script(`echo mine >"$1"; stty raw -echo; kill -9 $$`, ":"), "ms-edit", "s/text")
	d.Until("ms-edit: s/text: the editor in EDITOR was killed by SIGKILL\r\n", 1)
	d.Until("(d)? ", 1)
	d.Type("k\nkept\n")
	d.ends(1)
	if text, _ := os.ReadFile(filepath.Join(d.home, "kept")); string(text) != "mine\n" {
		t.Errorf("%q", text)
	}
	d.want("s/text", "first\n")
}

// ^C and ^\ belong to the editor. At a question they end ms-edit.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("A=1\n", "ms-put", "-q", "-e", "s/env")
	d.edit(d.script(`trap 'echo got INT' INT; trap 'echo got QUIT; echo hunter >"$1"; exit 0' QUIT; echo ready; while :; do read x; done`), "ms-edit", "s/env")
	d.Until("ready", 1)
	d.Type("\x03")
	d.Until("got INT", 1)
	d.Type("\x1c")
	d.Until("(d)? ", 1)
	d.Type("\x03")
	shown := d.ends(-1)
	contains(t, shown, "got QUIT", "ms-edit: interrupted\r\n")
	if status := d.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("%v", d.cmd.ProcessState)
	}
	d.want("s/env", `{"A":"1"}`)
}

// ^Z suspends ms-edit with its editor, and both go on.
func TestSuspended(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("first\n", "ms-put", "-q", "s/text")
	d.edit(d.script(`echo ready; read x; echo "$x" >"$1"`), "sh", "-c", "set -m; ms-edit s/text; echo suspended; fg")
	d.Until("ready", 1)
	d.Type("\x1a")
	d.Until("suspended", 1)
	d.Type("second\n")
	d.ends(0)
	d.want("s/text", "second\n")
}

// The terminal is gone: SIGHUP ends the editor and ms-edit, nothing is stored and nothing
// is left.
func TestHangup(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ editor, until string }{{"", "ready"}, {"vi", "first"}, {"nano", "first"}} {
		d := newDesk(t)
		if test.editor == "" {
			test.editor = d.script(`echo other >"$1"; echo ready; read x; sleep 60`)
		} else if _, err := exec.LookPath(test.editor); err != nil {
			continue
		}
		d.run("first\n", "ms-put", "-q", "s/text")
		d.edit(test.editor, "ms-edit", "s/text")
		d.Until(test.until, 1)
		d.Type("x")
		d.Screen.Close()
		d.Keys.Close()
		d.cmd.Wait()
		if status := d.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGHUP {
			t.Errorf("%s: %v", test.editor, d.cmd.ProcessState)
		}
		d.want("s/text", "first\n")
		deadline := time.Now().Add(30 * time.Second)
		for left, _ := os.ReadDir(d.memory); len(left) > 0; left, _ = os.ReadDir(d.memory) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %v is left", test.editor, left)
			}
		}
	}
}
