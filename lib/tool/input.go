package tool

import (
	"bytes"
	"context"
	"io"
	"strings"
)

// Interruptible returns a reader of r whose Read returns when the context ends,
// though r blocks. What was read of r by then is lost.
func Interruptible(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	go func() {
		_, err := io.Copy(in, r)
		in.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { in.CloseWithError(context.Cause(ctx)) })
	return out
}

// pieceLen is how many bytes output hands on at a time.
const pieceLen = 128 << 10

// output is standard output, whose Write returns when the context ends, though
// whoever reads it has stopped to. What is being written then is a copy, and
// nothing is written after it.
type output struct {
	ctx   context.Context
	w     io.Writer
	piece []byte
}

// Output returns standard output.
func (t *Tool) Output(ctx context.Context) io.Writer { return &output{ctx: ctx, w: t.Stdout} }

func (o *output) Write(p []byte) (written int, err error) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	for {
		if o.ctx.Err() != nil {
			return written, context.Cause(o.ctx)
		}
		o.piece = append(o.piece[:0], p[:min(len(p), pieceLen)]...)
		go func() {
			n, err := o.w.Write(o.piece)
			done <- result{n, err}
		}()
		select {
		case r := <-done:
			written, p = written+r.n, p[r.n:]
			if r.err != nil {
				return written, FileError("standard output", r.err)
			}
		case <-o.ctx.Done():
			return written, context.Cause(o.ctx)
		}
		if len(p) == 0 {
			return written, nil
		}
	}
}

// namesMax bounds what ReadNames reads, in bytes.
const namesMax = 256 << 20

// ReadNames reads names, one a line, or each ended by a NUL. Empty ones do not
// count.
func (t *Tool) ReadNames(ctx context.Context, nul bool) ([]string, error) {
	text, err := io.ReadAll(io.LimitReader(Interruptible(ctx, t.Stdin), namesMax+1))
	if err != nil {
		return nil, FileError("standard input", err)
	}
	if len(text) > namesMax {
		return nil, Usagef("more than %d MiB of names on standard input", namesMax>>20)
	}
	end := "\n"
	if nul {
		end = "\x00"
	}
	var names []string
	for name := range strings.SplitSeq(string(bytes.TrimSuffix(text, []byte(end))), end) {
		if name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}
