//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package put

import (
	"os"

	"golang.org/x/term"
)

// readLine reads a line from a terminal without echo.
func readLine(f *os.File) ([]byte, error) { return term.ReadPassword(int(f.Fd())) }
