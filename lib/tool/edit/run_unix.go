//go:build unix

package edit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"microsecrets/lib/internal/hint"
	"microsecrets/lib/tool"
)

// grace is how long an editor may take to end when ms-edit is to end.
const grace = 2 * time.Second

// streams are the standard streams of an editor.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run runs the editor on a file of a folder, and returns when it has ended. While it
// runs, the signals of the keyboard are its own; any other that ends ms-edit is passed
// on. The terminal is then as it was before.
func (e editor) run(ctx context.Context, dir *folder, file string, line int, s streams) error {
	sh, err := tool.FindCommand("sh")
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{
		Path:  sh,
		Args:  append([]string{"sh", "-c", e.script(), "sh"}, e.args(dir.path+"/"+file, line)...),
		Env:   os.Environ(),
		Stdin: s.in, Stdout: s.out, Stderr: s.err,
	}
	if e.private() {
		cmd.Env = append(cmd.Env, "TMPDIR="+dir.path)
	}
	noCore()
	defer tool.Shield(ctx)()
	defer keepTerminal(s.in)()
	if err := cmd.Start(); err != nil {
		return tool.CommandError("sh", sh, err)
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(grace):
			cmd.Process.Kill()
		}
	}()
	err = cmd.Wait()
	close(ended)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return e.failure(err)
}

// keepTerminal keeps the state of a terminal, which the function that it returns puts
// back: an editor that was killed leaves it as it needs it itself.
func keepTerminal(stdin any) (restore func()) {
	f, ok := stdin.(*os.File)
	if !ok {
		return func() {}
	}
	state, err := term.GetState(int(f.Fd()))
	if err != nil {
		return func() {}
	}
	return func() {
		if group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP); err == nil && group == unix.Getpgrp() { // else it would be stopped
			term.Restore(int(f.Fd()), state)
		}
	}
}

// noCore keeps an editor that crashes from leaving the secret in a core file. Nothing
// depends on it.
func noCore() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &limit) == nil {
		limit.Cur = 0
		unix.Setrlimit(unix.RLIMIT_CORE, &limit)
	}
}

// The exit statuses of a shell that has not run a command.
const (
	cannotRun = 126
	notFound  = 127
)

// failure is what becomes of an editor that did not exit with status 0.
func (e editor) failure(err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &exit):
		return fmt.Errorf("%s: %w", e, err)
	}
	if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
		name := unix.SignalName(status.Signal())
		if name == "" {
			name = status.Signal().String()
		}
		return fmt.Errorf("%s was killed by %s", e, name)
	}
	failed := fmt.Errorf("%s exited with status %d", e, exit.ExitCode())
	if exit.ExitCode() == notFound || exit.ExitCode() == cannotRun {
		return hint.With(failed, "VISUAL, or EDITOR, is the command line of an editor that is installed, such as EDITOR=nano")
	}
	return failed
}
