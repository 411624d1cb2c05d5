//go:build unix

package become

import (
	"io"
	"os/signal"
	"syscall"
)

// Program puts a program in the place of this process, which then has its
// standard streams, and every other descriptor that may be inherited, whatever
// stdin, stdout and stderr are. It returns only if it fails. From its call on a
// signal acts as it does on a program that has just started: none is caught by
// this process and lost to the other.
func Program(path string, argv, env []string, stdin io.Reader, stdout, stderr io.Writer) (status int, err error) {
	signal.Reset()
	return 0, syscall.Exec(path, argv, env)
}
