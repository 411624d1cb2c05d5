//go:build unix

package ms

import (
	"io"
	"os"
	"syscall"
)

// replace puts the program in place of this process. It returns only if it
// cannot.
func replace(path string, argv []string, _ io.Reader, _, _ io.Writer) (int, error) {
	return 0, syscall.Exec(path, argv, os.Environ())
}
