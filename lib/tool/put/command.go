package put

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/printable"
	"microsecrets/lib/tool"
)

// splitCommand takes COMMAND, which is after NAME and "--", off the arguments that
// follow the flags. It is nil if there is no "--".
func splitCommand(args []string) (names, command []string) {
	for i, arg := range args {
		if i > 0 && arg == "--" {
			return args[:i], args[i+1:]
		}
	}
	return args, nil
}

// findCommand looks COMMAND up before anything else is done. A single word after "--"
// that is no program may be a secret, and is not shown.
func findCommand(argv []string) (program string, err error) {
	program, err = tool.FindCommand(argv[0])
	switch {
	case err == nil:
	case strings.Contains(argv[0], "="):
		err = hint.With(err, "set variables before ms-put: COMMAND inherits them")
	case len(argv) == 1 && errors.Is(err, fs.ErrNotExist):
		remedy := strings.TrimPrefix(hint.Of(err)+"\na secret is given on standard input or in a FILE, never as an argument", "\n")
		err = hint.With(errors.New("COMMAND: command not found"), remedy)
	}
	return program, err
}

// A command is COMMAND while it runs. Reading yields its standard output, and comes
// to an end only if COMMAND has exited with status 0. The caller closes it.
type command struct {
	ctx     context.Context
	name    string // in messages
	output  *os.File
	timeout time.Duration // see heldOpen
	exited  chan struct{}
	failed  error // why nothing is stored; to be read once COMMAND has exited
}

// startCommand starts COMMAND, which inherits the environment. Signals to this process
// are passed on to it until it has exited.
func startCommand(ctx context.Context, program string, argv []string, stdin io.Reader, stderr io.Writer, timeout time.Duration) (*command, error) {
	output, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c := &command{ctx: ctx, name: commandName(argv[0]), output: output, timeout: timeout, exited: make(chan struct{})}
	cmd := &exec.Cmd{Path: program, Args: argv, Stdin: stdin, Stdout: w, Stderr: stderr}
	relay := newRelay()
	err = cmd.Start()
	w.Close()
	if err != nil {
		relay.stop()
		output.Close()
		return nil, tool.CommandError(argv[0], program, err)
	}
	go relay.to(ctx, cmd.Process)
	go func() {
		if err := cmd.Wait(); err != nil {
			c.failed = c.failure(err)
		}
		relay.stop()
		close(c.exited)
		c.limit()
	}()
	context.AfterFunc(ctx, c.limit)
	return c, nil
}

// commandName is COMMAND as messages show it. What has a "=" is not shown.
func commandName(command string) string {
	if strings.Contains(command, "=") {
		return "COMMAND"
	}
	return printable.Path(command)
}

// failure is what becomes of a COMMAND that did not exit with status 0.
func (c *command) failure(err error) error {
	var exit *exec.ExitError
	switch {
	case !errors.As(err, &exit):
		return fmt.Errorf("%s: %w, nothing stored", c.name, err)
	case killedBy(exit.ProcessState) != "":
		return fmt.Errorf("%s was killed by %s, nothing stored", c.name, killedBy(exit.ProcessState))
	}
	return fmt.Errorf("%s exited with status %d, nothing stored", c.name, exit.ExitCode())
}

// heldOpen is the failure of a COMMAND that has exited while processes that it has
// started hold its standard output, and write nothing for as long as the timeout: what
// they would have written would be missing.
func (c *command) heldOpen() error {
	return hint.With(
		fmt.Errorf("%s has exited, but a process that it started still holds its standard output after %v, nothing stored", c.name, c.timeout),
		"have COMMAND wait for that process, or start it with its standard output elsewhere, >/dev/null")
}

// limit sets how long a Read may wait from now on: not at all if nothing will be
// stored. Windows has no such limit for pipes: there a Read ends when the last
// process that holds the pipe does.
func (c *command) limit() {
	select {
	case <-c.exited:
		if c.failed == nil {
			c.output.SetReadDeadline(time.Now().Add(c.timeout))
		} else {
			c.output.SetReadDeadline(time.Unix(1, 0))
		}
	default:
	}
	if c.ctx.Err() != nil {
		c.output.SetReadDeadline(time.Unix(1, 0))
	}
}

func (c *command) Read(p []byte) (int, error) {
	c.limit()
	n, err := c.output.Read(p)
	if err == nil {
		return n, nil
	}
	select {
	case <-c.exited:
	case <-c.ctx.Done():
	}
	switch {
	case c.ctx.Err() != nil:
		return 0, context.Cause(c.ctx)
	case c.failed != nil:
		return 0, c.failed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, c.heldOpen()
	case err != io.EOF:
		return 0, fmt.Errorf("%s: %w", c.name, err)
	}
	return n, io.EOF
}

// Close returns when COMMAND has exited. If its output has not been read to the end,
// it finds that nobody reads it.
func (c *command) Close() error {
	c.output.Close()
	<-c.exited
	return nil
}
