//go:build unix

package tool

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// lookPath finds a program as execvp does, but by the absolute folders of PATH
// only: what a relative one has is returned, with exec.ErrDot, if no other has
// it. A file that may not be executed is an fs.ErrPermission if there is none
// that may.
func lookPath(command string) (path string, err error) {
	if strings.Contains(command, "/") {
		return exec.LookPath(command)
	}
	err = exec.ErrNotFound
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		candidate := filepath.Join(dir, command)
		absolute := filepath.IsAbs(candidate)
		if !absolute {
			candidate = "./" + candidate
		}
		_, failed := exec.LookPath(candidate)
		switch {
		case failed == nil && absolute:
			return candidate, nil
		case failed == nil && path == "":
			path, err = candidate, exec.ErrDot
		case errors.Is(failed, fs.ErrPermission) && path == "":
			err = failed
		}
	}
	return path, err
}
