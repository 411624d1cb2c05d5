package tool

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"microsecrets/lib/internal/hint"
)

// FindCommand returns the path of COMMAND, which it looks for as execvp does, but
// in the absolute folders of PATH only. If there is no such program the error is
// an fs.ErrNotExist.
func FindCommand(command string) (path string, err error) {
	path, err = lookPath(command)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrDot):
		err := fmt.Errorf("%s is found only by a relative folder in PATH", shown(command))
		if !strings.Contains(path, "=") {
			err = hint.With(err, "write "+path+" if it is meant")
		}
		return "", err
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		err := fmt.Errorf("%s: %w", shown(command), errNoCommand)
		if !strings.Contains(command, "=") && strings.ContainsAny(command, " \t") {
			err = hint.With(err, "COMMAND and its arguments are separate words: -- COMMAND ARG, or -- sh -c 'COMMAND ARG'")
		}
		return "", err
	}
	return "", CommandError(command, command, err)
}

// CommandError is the error of a COMMAND that could not be started as program. It
// shows COMMAND, but no argument.
func CommandError(command, program string, err error) error {
	var wrapped *exec.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	failed := FileError(shown(command)+" cannot be run", err)
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return hint.With(failed, "a script needs a first line that names its interpreter, #!/bin/sh")
	case errors.Is(err, fs.ErrNotExist) && endsInCR(program):
		return hint.With(failed, "its first line ends in a carriage return, which is taken for a part of the interpreter's name: sed -i 's/\\r$//'")
	}
	return failed
}

// errNoCommand is an fs.ErrNotExist.
var errNoCommand error = noCommand{}

type noCommand struct{}

func (noCommand) Error() string        { return "command not found" }
func (noCommand) Is(target error) bool { return target == fs.ErrNotExist }

// shown is COMMAND in an error. What has a "=" may be VAR=value, as env(1) takes it,
// and is not shown.
func shown(command string) string {
	if strings.Contains(command, "=") {
		return "COMMAND (not shown: it has a \"=\")"
	}
	return strconv.Quote(command)
}

// endsInCR reports whether the line of a script that names its interpreter ends in
// a carriage return.
func endsInCR(program string) bool {
	f, err := os.Open(program)
	if err != nil {
		return false
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, 4096)).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "#!") && strings.HasSuffix(line, "\r\n")
}
