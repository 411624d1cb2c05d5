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

// WriterOptions say what a new message is like.
type WriterOptions struct {
	Suite       Suite             // 0 is Signed
	Context     map[string]string // UTF-8, at most 65,535 bytes as stored, no key that begins with "aws-crypto-"
	FrameLength int               // 1 to MaxFrameLength; 0 is DefaultFrameLength
	Rand        io.Reader         // of the message's id; nil is crypto/rand
}

// A Writer encrypts what is written to it as one message. It is for one goroutine, and leaves none behind. Until
// Close has succeeded there is no message: what dst has got is refused by every reader.
type Writer struct {
	sealer
	pipeline
	dst     io.Writer
	header  *Header
	key     *ecdsa.PrivateKey // nil when unsigned
	hash    hash.Hash         // nil when unsigned
	seq     uint32            // of the next frame
	buf     []byte            // plaintext that is in no job yet
	pending []byte            // what fills buf during Write
	src     io.Reader         // what fills buf during ReadFrom
	read    int64             // bytes that src gave
	err     error             // of every call from now on
}

var errClosed = errors.New("the message is closed")

// NewWriter gets a data key, calling wrap once, and writes the message's header to dst. Whatever is wrong with o is
// found before wrap is called.
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

// prepare checks what is known of the header, and makes the signing key.
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

// wrap gets a data key, and with it what is missing of the header.
func (w *Writer) wrap(wrap WrapFunc) error {
	h := w.header
	key, keys, err := wrap(h.Context)
	defer clear(key)
	if err != nil {
		return err
	}
	if len(key) != DataKeyLength {
		return fmt.Errorf("data key of %d bytes: it must have %d", len(key), DataKeyLength)
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
	w.body = body{aead, h.MessageID, h.FrameLength}
	return nil
}

// Header is the header of the message.
func (w *Writer) Header() *Header { return w.header }

// Size is the length in bytes of the whole message for a plaintext of that many bytes.
func (w *Writer) Size(plaintext int64) int64 {
	frameLen := int64(w.frameLen)
	frames := max(1, (plaintext+frameLen-1)/frameLen)
	n := int64(w.header.Len()) + plaintext + frames*frameOverhead + (finalOverhead - frameOverhead)
	if w.key != nil {
		n += footerLen
	}
	return n
}

// Write encrypts p. The whole of a large secret in one Write, or by ReadFrom, is encrypted on several processors;
// in small pieces, on one.
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

// ReadFrom encrypts all that src gives. An error of src is the Writer's from then on, so that what was to be a
// longer message cannot be closed as a short one.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.src, w.read = src, 0
	_, w.err = w.run(w, w.frameLen, w.hash, w.dst)
	w.src = nil
	return w.read, w.err
}

// fill takes a full job of frames. As any frame may turn out to be the final one, it waits for a byte more.
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

// number gives the sequence number of the first of n regular frames. It leaves one for the final frame.
func (w *Writer) number(n int) (uint32, error) {
	if uint64(w.seq)+uint64(n) > finalMark {
		return 0, fmt.Errorf("too long: a message has at most %d frames, here of %d bytes", uint32(finalMark), w.frameLen)
	}
	first := w.seq
	w.seq += uint32(n)
	return first, nil
}

// gather adds to w.buf what there is, until it has n bytes.
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

// grow makes room in b for at least a byte more, doubling it up to limit bytes, at last by somewhat more.
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

// Close writes the end of the message. It leaves dst open. After an error it writes nothing and gives the error.
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

// finish writes the frames that are left, the last of them as the final one, and the footer.
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
