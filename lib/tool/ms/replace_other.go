//go:build !unix

package ms

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
)

// replace runs the program as a child and returns its exit status. An interrupt
// from the keyboard reaches the child too, which alone decides what to do.
func replace(path string, argv []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	cmd := &exec.Cmd{Path: path, Args: argv, Stdin: stdin, Stdout: stdout, Stderr: stderr}
	err := cmd.Run()
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		return e.ExitCode(), nil
	}
	return 0, err
}
