package message

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
)

// WriterOptions describes a new message.
type WriterOptions struct {
	Suite       Suite             // 0 means Signed
	Context     map[string]string // UTF-8, at most 65,535 bytes as stored, no key with the prefix "aws-crypto-"
	FrameLength int               // bytes of plaintext, 1 to MaxFrameLength; 0 means DefaultFrameLength
	Rand        io.Reader         // source of the message id; nil means crypto/rand
}

// A Writer encrypts what is written to it as one message. It is not safe for concurrent use. It leaves no goroutines
// behind. The message is complete only when Close has returned nil; every reader refuses what was written before.
type Writer struct {
	sealer
	pipeline
	dst     io.Writer
	header  *Header
	key     *ecdsa.PrivateKey // nil when unsigned
	hash    hash.Hash         // nil when unsigned
	seq     uint32            // of the next frame
	buf     []byte            // plaintext that is not in a job yet
	pending []byte            // the argument of Write that is not in buf yet
	src     io.Reader         // the argument of ReadFrom
	read    int64             // bytes read from src
	err     error             // returned by every later call
}

var errClosed = errors.New("the message is closed")

// NewWriter calls wrap once for a data key and writes the header of the message to dst. It returns an error for invalid
// options before it calls wrap, and for invalid data keys before it writes anything: a Writer never writes what a Reader
// refuses. The error of wrap or dst is returned unchanged.
func NewWriter(dst io.Writer, o WriterOptions, wrap WrapFunc) (*Writer, error) {
	h := &Header{Suite: o.Suite, FrameLength: o.FrameLength, Context: maps.Clone(o.Context)}
	if h.Suite == 0 {
		h.Suite = Signed
	}
	if h.FrameLength == 0 {
		h.FrameLength = DefaultFrameLength
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	w := &Writer{dst: dst, header: h, seq: 1}
	if err := w.prepare(); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(o.Rand, h.MessageID[:]); err != nil {
		return nil, fmt.Errorf("message id: %w", err)
	}
	if err := w.wrap(wrap); err != nil {
		return nil, err
	}
	b := slices.Concat(h.body, h.tag[:])
	if w.hash != nil {
		w.hash.Write(b)
	}
	if _, err := write(dst, b); err != nil {
		return nil, err
	}
	return w, nil
}

// prepare checks the options and makes the signing key.
func (w *Writer) prepare() error {
	h := w.header
	if h.Suite != Signed && h.Suite != Unsigned {
		return fmt.Errorf("algorithm %v is not supported", h.Suite)
	}
	if h.FrameLength < 1 || h.FrameLength > MaxFrameLength {
		return fmt.Errorf("frame length of %d bytes: at least 1 and at most %d", h.FrameLength, MaxFrameLength)
	}
	if err := checkContext(h.Context); err != nil {
		return err
	}
	if h.Suite == Signed {
		if err := w.makeSigningKey(); err != nil {
			return fmt.Errorf("signing key: %w", err)
		}
	}
	if n := contextLen(h.Context); n > maxField {
		return fmt.Errorf("encryption context of %d bytes as stored: at most %d", n, maxField)
	}
	return nil
}

func (w *Writer) makeSigningKey() (err error) {
	if w.key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader); err != nil {
		return err
	}
	public, err := encodePublicKey(&w.key.PublicKey)
	if err != nil {
		return err
	}
	if w.header.Context == nil {
		w.header.Context = make(map[string]string, 1)
	}
	w.header.Context[PublicKey] = public
	w.hash = sha512.New384()
	return nil
}

// wrap gets a data key and completes the header with it.
func (w *Writer) wrap(wrap WrapFunc) error {
	h := w.header
	key, keys, err := wrap(maps.Clone(h.Context))
	defer clear(key)
	if err != nil {
		return err
	}
	if len(key) != DataKeyLength {
		return fmt.Errorf("the data key has %d bytes, not %d", len(key), DataKeyLength)
	}
	if err := checkDataKeys(keys); err != nil {
		return err
	}
	aead, commitment, err := derive(h.Suite, h.MessageID, key)
	if err != nil {
		return err
	}
	h.DataKeys = keys
	h.Commitment = [commitLen]byte(commitment)
	h.encode()
	h.tag = [tagLen]byte(aead.Seal(nil, headerIV, nil, h.body))
	w.frameCipher = frameCipher{aead, h.MessageID, h.FrameLength}
	return nil
}

// Header returns the header of the message.
func (w *Writer) Header() *Header { return w.header }

// Size returns the length in bytes of the complete message for a plaintext of that many bytes.
func (w *Writer) Size(plaintext int64) int64 {
	frameLen := int64(w.frameLen)
	frames := max(1, (plaintext+frameLen-1)/frameLen)
	n := int64(w.header.Len()) + plaintext + frames*frameOverhead + (finalOverhead - frameOverhead)
	if w.key != nil {
		n += footerLen
	}
	return n
}

// Write encrypts p. It encrypts a long p on several processors, as ReadFrom does a long source. Many short ones are
// encrypted on one.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.pending = p
	_, w.err = w.run(w, w.frameLen, w.hash, w.dst)
	n := len(p) - len(w.pending)
	w.pending = nil
	return n, w.err
}

// ReadFrom encrypts everything that it reads from src until io.EOF. After any other error of src every call returns that
// error, so that a message that was to be longer cannot be completed.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.src, w.read = src, 0
	_, w.err = w.run(w, w.frameLen, w.hash, w.dst)
	w.src = nil
	return w.read, w.err
}

// fill puts the plaintext of a full job into j. It needs one byte more, since the last frame may be the final one.
func (w *Writer) fill(j *job) (bool, error) {
	full := w.perJob() * w.frameLen
	if len(w.buf) == 0 && len(w.pending) > full {
		j.in, w.pending = w.pending[:full], w.pending[full:]
	} else {
		if err := w.gather(full + 1); err != nil || len(w.buf) <= full {
			return false, err
		}
		last := w.buf[full]
		j.buf, w.buf = w.buf, append(slices.Grow(j.buf[:0], full+1), last)
		j.in = j.buf[:full]
	}
	var err error
	j.seq, err = w.number(w.perJob())
	return err == nil, err
}

// number returns the sequence number of the first of n regular frames. It leaves one number for the final frame.
func (w *Writer) number(n int) (uint32, error) {
	if uint64(w.seq)+uint64(n) > MaxFrames {
		return 0, fmt.Errorf("the message is too long: it has at most %d frames, of %d bytes", int64(MaxFrames), w.frameLen)
	}
	first := w.seq
	w.seq += uint32(n)
	return first, nil
}

// gather appends to w.buf from pending and src until it has n bytes or there is no more.
func (w *Writer) gather(n int) error {
	taken := min(n-len(w.buf), len(w.pending))
	w.buf, w.pending = append(w.buf, w.pending[:taken]...), w.pending[taken:]
	for w.src != nil && len(w.buf) < n {
		w.buf = grow(w.buf, n)
		got, err := read(w.src, w.buf[len(w.buf):min(n, cap(w.buf))])
		w.buf = w.buf[:len(w.buf)+got]
		w.read += int64(got)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// grow makes room in b for at least one more byte. It doubles b; near limit it allocates limit bytes.
func grow(b []byte, limit int) []byte {
	if len(b) < cap(b) {
		return b
	}
	n := max(2*len(b), minReadSize)
	if n+n/2 > limit {
		n = limit
	}
	return append(make([]byte, 0, n), b...)
}

// Close completes the message. It does not close dst. If an earlier call failed, it writes nothing and returns that
// error. A second call returns nil.
func (w *Writer) Close() error {
	if w.err == errClosed {
		return nil
	}
	if w.err != nil {
		return w.err
	}
	if w.err = w.finish(); w.err != nil {
		return w.err
	}
	w.err = errClosed
	return nil
}

// finish writes the remaining frames, the last of them as the final frame, and the footer.
func (w *Writer) finish() error {
	frames := max(0, len(w.buf)-1) / w.frameLen
	regular, final := w.buf[:frames*w.frameLen], w.buf[frames*w.frameLen:]
	j := w.job(0)
	var err error
	if j.seq, err = w.number(frames); err != nil {
		return err
	}
	j.in = regular
	w.work(j)
	out := w.final(j.out, w.seq, final)
	if w.hash != nil {
		w.hash.Write(out)
		if out, err = appendFooter(out, w.key, w.hash.Sum(nil)); err != nil {
			return fmt.Errorf("signature: %w", err)
		}
	}
	_, err = write(w.dst, out)
	return err
}
