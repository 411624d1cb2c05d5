//go:build unix

package become

import (
	"io"
	"syscall"
)

// Program puts a program in the place of this process, which then has its
// standard streams, and every other descriptor that may be inherited, whatever
// stdin, stdout and stderr are. It returns only if it fails.
func Program(path string, argv, env []string, stdin io.Reader, stdout, stderr io.Writer) (status int, err error) {
	return 0, syscall.Exec(path, argv, env)
}
