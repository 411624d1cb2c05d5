package become

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
)

// supervise runs a program as a child and returns its exit status. An interrupt
// from the keyboard reaches the child as well, which alone decides what to do.
func supervise(path string, argv, env []string, stdin io.Reader, stdout, stderr io.Writer) (status int, err error) {
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	cmd := &exec.Cmd{Path: path, Args: argv, Env: env, Stdin: stdin, Stdout: stdout, Stderr: stderr}
	err = cmd.Run()
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		return e.ExitCode(), nil
	}
	return 0, err
}
