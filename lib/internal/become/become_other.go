//go:build !unix

package become

import "io"

// Program runs a program as a child, whose exit status it returns: there is no
// execve.
func Program(path string, argv, env []string, stdin io.Reader, stdout, stderr io.Writer) (status int, err error) {
	return supervise(path, argv, env, stdin, stdout, stderr)
}
