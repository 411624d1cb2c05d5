package put

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"

	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/prompt"
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

// ask asks for a secret on a terminal, without echo, and takes one line.
func ask(ctx context.Context, t *tool.Tool, f *os.File) ([]byte, error) {
	line, err := prompt.Line(ctx, f, t.Stderr, "secret, not shown: ")
	switch {
	case errors.Is(err, prompt.ErrLines), errors.Is(err, prompt.ErrKey):
		return nil, hint.With(tool.Usagef("%v: nothing is stored", err), "give the secret as a FILE, or through a pipe")
	case err != nil && ctx.Err() == nil:
		return nil, tool.FileError("standard input", err)
	}
	return line, err
}
