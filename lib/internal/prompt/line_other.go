//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package prompt

import (
	"bytes"
	"context"
	"io"
	"os"
	"unicode"

	"golang.org/x/term"
)

// Line asks a question on out, and reads a line from a terminal without echo.
func Line(ctx context.Context, terminal *os.File, out io.Writer, question string) ([]byte, error) {
	type answer struct {
		line []byte
		err  error
	}
	state, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return nil, err
	}
	defer io.WriteString(out, "\n")
	io.WriteString(out, question)
	typed := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(int(terminal.Fd()))
		typed <- answer{line, err}
	}()
	select {
	case a := <-typed:
		if a.err == nil && bytes.ContainsFunc(a.line, unicode.IsControl) {
			a.err = ErrKey
		}
		return a.line, a.err
	case <-ctx.Done():
		term.Restore(int(terminal.Fd()), state)
		return nil, context.Cause(ctx)
	}
}
