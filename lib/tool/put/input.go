package put

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"microsecrets/lib/internal/hint"
	"microsecrets/lib/tool"
)

// source gives the errors of reading the name of an argument: what stands
// there may be a secret in the wrong place.
type source struct {
	r        io.Reader
	argument string
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		err = tool.FileError(s.argument, err)
	}
	return n, err
}

// chomper leaves out one newline at the very end of what it reads.
type chomper struct{ src *bufio.Reader }

func (c chomper) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	if n > 0 && p[n-1] == '\n' {
		if _, end := c.src.Peek(1); end == io.EOF {
			n--
			err = io.EOF
		}
	}
	return n, err
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// announce says where the secret will go, and what says so: to a person at a
// terminal, and to anybody where that is a file that was found, which may have
// come with a repository.
func announce(t *tool.Tool, name string) error {
	s, err := t.Settings()
	if err != nil {
		return err
	}
	stdin, ok := t.Stdin.(*os.File)
	if !s.Found && !t.OnTerminal() && !(ok && isTerminal(stdin)) {
		return nil
	}
	t.Notef("%s goes to %s (%s)", name, s.Store, s.Source("store"))
	return nil
}

// prompt asks for a secret on a terminal, without echo, and takes one line.
func prompt(ctx context.Context, t *tool.Tool, f *os.File) ([]byte, error) {
	state, err := term.GetState(int(f.Fd()))
	if err != nil {
		return nil, tool.FileError("standard input", err)
	}
	fmt.Fprint(t.Stderr, "secret, not shown: ")
	defer fmt.Fprintln(t.Stderr)
	defer term.Restore(int(f.Fd()), state)
	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		text, err := readLine(f)
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		switch {
		case errors.Is(l.err, errLines):
			return nil, l.err
		case l.err != nil:
			return nil, tool.FileError("standard input", l.err)
		}
		return l.text, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// errLines is the error of what goes on behind the line that is asked for: a key
// that was pasted, whose other lines the shell would get.
var errLines = hint.With(tool.Usagef("more than one line was typed, and none is stored"), "give it as a FILE, or through a pipe")
