package secret

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
)

// block is how many bytes have a SHA-256 of their own between the two readings
// of what is too large to be held.
const block = 1 << 20

// sumsMax bounds the memory that is set aside for those of an object whose size
// nobody has checked, in bytes of the object. It may have more.
const sumsMax = 1 << 40

// Verified is a secret that has been read to its end and accepted, but not held:
// of each MiB its SHA-256 is. Reading it again releases nothing else.
type Verified struct {
	first *Secret
	sums  [][sha256.Size]byte
	any   bool // nothing was read: there is nothing to compare with
}

// Verify reads the rest of a secret and, when all of it is verified, returns
// what it takes to read it again. What is read is written to seen, too, before
// that is known: it is for a hash.
func (s *Secret) Verify(seen io.Writer) (*Verified, error) {
	v := &Verified{first: s, sums: make([][sha256.Size]byte, 0, min(max(s.Size, 0), sumsMax)/block+1)}
	b := blocks{each: func(p []byte) error {
		v.sums = append(v.sums, sha256.Sum256(p))
		_, err := seen.Write(p)
		return err
	}}
	if _, err := s.WriteTo(&b); err != nil {
		return nil, err
	}
	return v, b.finish()
}

// Unread leaves the reading of a message, whatever it holds, for later.
func (s *Secret) Unread() *Verified { return &Verified{first: s, any: true} }

// CopyTo reads again what was verified and writes it to w, a MiB at a time when
// that is seen to be the same. If the object has changed since, the error is an
// ErrConflict.
func (v *Verified) CopyTo(ctx context.Context, w io.Writer) error {
	again, err := v.first.again(ctx)
	if err != nil {
		return err
	}
	defer again.Close()
	if v.any {
		_, err := again.WriteTo(w)
		return err
	}
	sums := v.sums
	b := blocks{each: func(p []byte) error {
		if len(sums) == 0 || sha256.Sum256(p) != sums[0] {
			return errDiffers
		}
		sums = sums[1:]
		_, err := w.Write(p)
		return err
	}}
	if _, err := again.WriteTo(&b); err != nil {
		return err
	}
	if err := b.finish(); err != nil {
		return again.named(err)
	}
	if len(sums) > 0 {
		return again.named(errDiffers)
	}
	return nil
}

var errDiffers = fmt.Errorf("%w: what came the second time is not what was verified", ErrNotAuthentic)

// blocks hands on what is written to it in blocks, all full but the last.
type blocks struct {
	each func([]byte) error
	buf  []byte
}

func (b *blocks) Write(p []byte) (int, error) {
	if b.buf == nil {
		b.buf = make([]byte, 0, block)
	}
	for rest := p; len(rest) > 0; {
		n := min(len(rest), block-len(b.buf))
		b.buf, rest = append(b.buf, rest[:n]...), rest[n:]
		if len(b.buf) == block {
			if err := b.finish(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// finish hands on what is left.
func (b *blocks) finish() error {
	if len(b.buf) == 0 {
		return nil
	}
	err := b.each(b.buf)
	b.buf = b.buf[:0]
	return err
}
