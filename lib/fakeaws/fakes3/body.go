package fakes3

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
)

// pieceSize is the size of the pieces in which a body is read from the network
// and kept in memory.
const pieceSize = 1 << 20

// A body is the bytes of an object or part: pieces in memory, or in files below
// the store's directory. It never changes, so that versions share pieces and a
// completed upload copies nothing.
type body []piece

type piece struct {
	Data []byte `json:"-"`    // in memory
	File string `json:"file"` // or else in this file
	Size int64  `json:"size"`

	dir *os.Root // the store's
}

// name is the file's, in the store's folder.
func (p piece) name() string { return path.Join(bodies, p.File) }

func (b body) size() int64 {
	var n int64
	for _, p := range b {
		n += p.Size
	}
	return n
}

// writeRange writes the n bytes from off to w.
func (b body) writeRange(w io.Writer, off, n int64) error {
	for _, p := range b {
		if off >= p.Size {
			off -= p.Size
			continue
		}
		part := min(n, p.Size-off)
		if err := p.writeRange(w, off, part); err != nil {
			return err
		}
		if n -= part; n == 0 {
			return nil
		}
		off = 0
	}
	return nil
}

func (p piece) writeRange(w io.Writer, off, n int64) error {
	if p.File == "" {
		_, err := w.Write(p.Data[off : off+n])
		return err
	}
	f, err := p.dir.Open(p.name())
	if err != nil {
		return err
	}
	defer f.Close()
	if m, err := io.Copy(w, io.NewSectionReader(f, off, n)); err != nil || m != n {
		return fmt.Errorf("%s: %d bytes of %d: %w", p.name(), m, n, err)
	}
	return nil
}

// bytes returns a copy of the whole body.
func (b body) bytes() ([]byte, error) {
	var buf bytes.Buffer
	err := b.writeRange(&buf, 0, b.size())
	return buf.Bytes(), err
}
