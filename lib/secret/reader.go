package secret

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"microsecrets/lib/message"
)

// Reader reads a secret that has been verified, all of it, whatever its size: up
// to MaxInMemory in all it is held in memory. What does not fit is read a second
// time, and each MiB of it is released only if it equals what was verified. If it has been replaced since, the error is an
// ErrChanged. A Reader is for one goroutine.
type Reader struct{ replay }

// NewReader verifies a secret and returns a Reader of it, which the caller closes.
// Its errors are those of Get, but for ErrTooLarge. Ctx is also that of reading.
func (s *Store) NewReader(ctx context.Context, name string, o *GetOptions) (*Reader, error) {
	given := orZero(o)
	r := &Reader{replay{store: s, heldMax: given.HeldMax}}
	err := s.reading(ctx, name, given, func(first *opened, c *check) error {
		t, ring, err := s.resolveToRead(name, given)
		if err != nil {
			return err
		}
		r.reopen = func() (*opened, error) {
			object, err := first.object.Again(ctx)
			if err != nil {
				return nil, err
			}
			o := message.ReaderOptions{AcceptUnsigned: s.options.Unsigned, SkipSignature: true}
			return s.decrypt(ctx, t, object, nil, o, ring.Unwrap)
		}
		return r.verify(first, c)
	})
	if err != nil {
		return nil, s.fail("get", name, err)
	}
	return r, nil
}

// Equal reports whether two secrets have the same content. It takes as long whatever
// they differ in, their lengths aside, and reads neither of them again.
func (r *Reader) Equal(other *Reader) bool {
	if r.isHeld && other.isHeld {
		return subtle.ConstantTimeCompare(r.held, other.held) == 1
	}
	return subtle.ConstantTimeCompare(r.digests(), other.digests()) == 1
}

// digests are the SHA-256 of each MiB of the content.
func (r *replay) digests() (all []byte) {
	if !r.isHeld {
		for _, sum := range r.sums {
			all = append(all, sum[:]...)
		}
		return all
	}
	for block := range slices.Chunk(r.held, blockSize) {
		sum := sha256.Sum256(block)
		all = append(all, sum[:]...)
	}
	return all
}

// RawReader reads the message that holds a secret, as it is stored: encrypted, and
// not verified but for GetOptions.Checksum, which is compared before the first
// byte comes out. A RawReader is for one goroutine.
type RawReader struct{ replay }

// NewRawReader returns a RawReader of a secret, which the caller closes. KMS is not
// asked. Ctx is also that of reading.
func (s *Store) NewRawReader(ctx context.Context, name string, o *GetOptions) (*RawReader, error) {
	given := orZero(o)
	r, err := s.newRawReader(ctx, name, given)
	for try := 1; isConflict(err) && try < attempts; try++ {
		r, err = s.newRawReader(ctx, name, given)
	}
	if err != nil {
		return nil, s.fail("get", name, err)
	}
	return r, nil
}

func (s *Store) newRawReader(ctx context.Context, name string, o GetOptions) (*RawReader, error) {
	t, err := s.locate(name)
	if err != nil {
		return nil, err
	}
	c, err := newCheck(o.Checksum)
	if err != nil {
		return nil, err
	}
	first, err := s.openRaw(ctx, t, o.Version)
	if err != nil {
		return nil, err
	}
	defer first.object.Close()
	first.hash = c.message
	r := &RawReader{replay{store: s}}
	r.reopen = func() (*opened, error) {
		object, err := first.object.Again(ctx)
		if err != nil {
			return nil, err
		}
		again := &opened{Info: first.Info, object: object}
		again.content = raw{again}
		return again, nil
	}
	return r, r.verify(first, c)
}

// memory bounds what a Store holds in memory at once.
type memory struct {
	held   atomic.Int64
	large  chan struct{} // holds a value while a message in long frames is read
	copies chan struct{} // holds a value while a large secret is copied into the store
}

func newMemory() *memory {
	return &memory{large: make(chan struct{}, 1), copies: make(chan struct{}, 1)}
}

const (
	// heldMax bounds the messages whose content is held at once, in bytes: a
	// message is little longer than its plaintext, and one of MaxInMemory bytes is
	// held.
	heldMax = MaxInMemory + 256<<10

	// longFrame is the frame length in bytes above which messages are read one at a
	// time: several frames are in memory beside what is held.
	longFrame = 1 << 20
)

// lockLarge waits until a message in frames of that length may be read.
func (m *memory) lockLarge(ctx context.Context, frameLength int) (unlock func(), err error) {
	if frameLength <= longFrame {
		return func() {}, nil
	}
	return lock(ctx, m.large)
}

// lock waits until a channel has room.
func lock(ctx context.Context, c chan struct{}) (unlock func(), err error) {
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// hold reserves room for a message of that size, if there is any.
func (m *memory) hold(size int64) bool {
	if size < 0 || size > heldMax {
		return false
	}
	if m.held.Add(size) <= heldMax {
		return true
	}
	m.held.Add(-size)
	return false
}

// replay is content that has been accepted, and can be read from its beginning any
// number of times.
type replay struct {
	store *Store
	info  Info

	heldMax int64 // of this one; 0 or below is none of its own
	isHeld  bool
	held    []byte // all of it

	reopen func() (*opened, error) // where it is not held
	sums   [][sha256.Size]byte     // of each MiB; nil if nothing was verified

	at     int     // the next byte of held, or the next of sums
	second *opened // being read
	block  []byte  // what compares equal, and is not read yet
	err    error   // of every read once block is
}

// blockSize is how many bytes have a SHA-256 of their own between the two readings
// of what is not held.
const blockSize = 1 << 20

// verify reads all of first, and holds it if there is room. It does not read a raw
// message without a checksum for which there is no room: there is nothing to verify.
func (r *replay) verify(first *opened, c *check) error {
	r.info = first.Info
	if (r.heldMax <= 0 || first.Size <= r.heldMax) && r.store.memory.hold(first.Size) {
		var err error
		if r.held, err = first.all(heldMax, c); err != nil {
			r.store.memory.held.Add(-first.Size)
			return err
		}
		r.isHeld = true
		return nil
	}
	if first.header == nil && c.want == nil {
		return nil
	}
	r.sums = [][sha256.Size]byte{}
	b := blocks{each: func(p []byte) error {
		r.sums = append(r.sums, sha256.Sum256(p))
		c.Write(p)
		return nil
	}}
	if _, err := first.content.WriteTo(&b); err != nil {
		return err
	}
	if err := b.finish(); err != nil {
		return err
	}
	return c.verify()
}

// Info is what is known of the secret.
func (r *replay) Info() Info { return r.info }

// Read yields the content.
func (r *replay) Read(p []byte) (int, error) {
	if r.isHeld {
		if r.at == len(r.held) {
			return 0, io.EOF
		}
		n := copy(p, r.held[r.at:])
		r.at += n
		return n, nil
	}
	for len(r.block) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.next()
	}
	n := copy(p, r.block)
	r.block = r.block[n:]
	return n, nil
}

// next reads a block a second time and compares it.
func (r *replay) next() {
	if r.err = r.begin(); r.err != nil {
		return
	}
	block := make([]byte, blockSize)
	n, err := io.ReadFull(r.second.content, block)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	if n > 0 && (err == nil || err == io.EOF) {
		if differs := r.compare(block[:n]); differs != nil {
			err = differs
		} else {
			r.block = block[:n]
		}
	}
	if err == io.EOF && r.at < len(r.sums) {
		err = errDiffers
	}
	if err != io.EOF {
		err = r.fail(err)
	}
	r.err = err
}

// begin opens the second reading, unless it has begun.
func (r *replay) begin() (err error) {
	if r.second == nil {
		if r.second, err = r.reopen(); err != nil {
			return r.fail(err)
		}
	}
	return nil
}

func (r *replay) compare(p []byte) error {
	if r.sums == nil {
		return nil
	}
	if r.at == len(r.sums) || sha256.Sum256(p) != r.sums[r.at] {
		return errDiffers
	}
	r.at++
	return nil
}

var errDiffers = fmt.Errorf("%w: what came the second time is not what was verified", ErrNotAuthentic)

// WriteTo writes what is left of the content to w, faster than Read does where it
// was not held.
func (r *replay) WriteTo(w io.Writer) (int64, error) {
	if r.isHeld {
		n, err := w.Write(r.held[r.at:])
		r.at += n
		return int64(n), err
	}
	n, err := w.Write(r.block)
	written := int64(n)
	r.block = r.block[n:]
	switch {
	case err != nil:
		return written, err
	case r.err == io.EOF:
		return written, nil
	case r.err != nil:
		return written, r.err
	}
	if r.err = r.begin(); r.err != nil {
		return written, r.err
	}
	b := blocks{each: func(p []byte) error {
		if err := r.compare(p); err != nil {
			return err
		}
		n, err := w.Write(p)
		written += int64(n)
		return err
	}}
	if r.sums == nil {
		n, failed := r.second.content.WriteTo(w)
		written, err = written+n, failed
	} else {
		_, err = r.second.content.WriteTo(&b)
	}
	if err == nil {
		err = b.finish()
	}
	if err == nil && r.at < len(r.sums) {
		err = errDiffers
	}
	if r.err = io.EOF; err != nil {
		r.err = r.fail(err)
		return written, r.err
	}
	return written, nil
}

func (r *replay) fail(err error) error { return r.store.fail("get", r.info.Name, err) }

// Rewind has the content read from its beginning again.
func (r *replay) Rewind() {
	if r.second != nil {
		r.second.object.Close()
	}
	r.at, r.second, r.block, r.err = 0, nil, nil, nil
}

// Close ends the reading, and wipes what was held.
func (r *replay) Close() error {
	if r.isHeld {
		r.store.memory.held.Add(-r.info.Size)
		clear(r.held)
		r.isHeld, r.held = false, nil
	}
	r.Rewind()
	r.err = errClosed
	return nil
}

var errClosed = fmt.Errorf("read after Close")

// blocks passes on what is written to it in blocks, of which only the last may be
// short.
type blocks struct {
	each func([]byte) error
	buf  []byte
}

func (b *blocks) Write(p []byte) (int, error) {
	if b.buf == nil {
		b.buf = make([]byte, 0, blockSize)
	}
	for rest := p; len(rest) > 0; {
		n := min(len(rest), blockSize-len(b.buf))
		b.buf, rest = append(b.buf, rest[:n]...), rest[n:]
		if len(b.buf) == blockSize {
			if err := b.finish(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// finish passes on what is left.
func (b *blocks) finish() error {
	if len(b.buf) == 0 {
		return nil
	}
	err := b.each(b.buf)
	b.buf = b.buf[:0]
	return err
}
