package secret

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// A comparison is what is to be stored, read beside what is stored.
type comparison struct {
	src     io.Reader
	stored  *Secret // nil if there is none
	differs bool
	read    int64 // bytes
	held    bytes.Buffer
	buf     []byte
}

// heldMax is how many bytes are compared before anything is sent. A larger
// secret is uploaded while it is compared, which comes to nothing if it is the
// same.
const heldMax = 8 << 20

func (s *Store) compare(ctx context.Context, name string, src io.Reader) (*comparison, error) {
	stored, err := s.Open(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return &comparison{src: src, differs: true}, nil
	}
	return &comparison{src: src, stored: stored}, err
}

// ahead compares the first heldMax bytes, and tells whether they are all there
// are and the same.
func (c *comparison) ahead() (same bool, err error) {
	if c.stored == nil {
		return false, nil
	}
	_, err = io.CopyN(&c.held, reader(c.compared), heldMax)
	if err == io.EOF {
		return !c.differs, nil
	}
	return false, err
}

// Read yields what is to be stored.
func (c *comparison) Read(p []byte) (int, error) {
	if c.held.Len() > 0 {
		return c.held.Read(p)
	}
	return c.compared(p)
}

func (c *comparison) compared(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.read += int64(n)
	if c.differs || err != nil && err != io.EOF {
		return n, err
	}
	// At the end, one more byte of the other is one too many.
	want := p[:n]
	if c.buf = c.buf[:0]; err == io.EOF {
		c.buf = append(c.buf, 0)
	}
	c.buf = append(c.buf, want...)
	m, failed := io.ReadFull(c.stored, c.buf)
	if failed != nil && failed != io.EOF && failed != io.ErrUnexpectedEOF {
		return n, failed
	}
	c.differs = !bytes.Equal(c.buf[:m], want)
	return n, err
}

func (c *comparison) outcome() Outcome {
	if c.stored == nil {
		return Created
	}
	return Updated
}

func (c *comparison) receipt() *Receipt { return c.stored.receipt(c.read) }

func (c *comparison) close() {
	if c.stored != nil {
		c.stored.Close()
	}
	clear(c.buf)
}

type reader func([]byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }
