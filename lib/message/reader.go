package message

import (
	"crypto/ecdsa"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"io"
)

// ReaderOptions says which messages a Reader accepts.
type ReaderOptions struct {
	AcceptUnsigned bool // accept messages under the Unsigned suite as well

	// SkipSignature skips the verification of the signature, which takes most of the time. Use it only to read a
	// message a second time, if all the plaintext is compared with what a verifying Reader returned the first time.
	SkipSignature bool
}

// A Reader decrypts a message. It is not safe for concurrent use. It leaves no goroutines behind.
//
// The plaintext is authenticated frame by frame. Only at the end, io.EOF from Read or nil from WriteTo, is it known that
// the message is complete and, if it is signed, that the signature is valid. The Reader withholds the content of the
// final frame until then.
type Reader struct {
	opener
	pipeline
	src    io.Reader
	header *Header
	key    *ecdsa.PublicKey // nil when unsigned
	hash   hash.Hash        // nil when unsigned or skipped
	seq    uint32           // of the next frame
	buf    []byte           // input that is not in a job yet
	plain  []byte           // authenticated plaintext that was not returned yet
	whole  bool             // the whole message is verified
	err    error            // returned by every call once plain is empty
}

// NewReader reads the header of a message from src, calls unwrap once for the data key, and verifies the commitment to
// the key, then the header. It refuses what it can without the key before it calls unwrap.
//
// Errors about the message wrap [ErrNotAuthentic]; those of src and unwrap are returned unchanged.
func NewReader(src io.Reader, o ReaderOptions, unwrap UnwrapFunc) (*Reader, error) {
	h, err := ReadHeader(src)
	if err != nil {
		return nil, err
	}
	r := &Reader{src: src, header: h, seq: 1}
	public, signed := h.Context[PublicKey]
	switch {
	case h.Suite == Unsigned && !o.AcceptUnsigned:
		return nil, ErrUnsigned
	case h.Suite == Unsigned && signed:
		return nil, notAuthentic("the message is unsigned but has a public key: its signature was stripped")
	case h.Suite == Signed && !signed:
		return nil, notAuthentic("the message has no public key to verify its signature")
	case signed:
		if r.key, err = decodePublicKey(public); err != nil {
			return nil, err
		}
		if !o.SkipSignature {
			r.hash = sha512.New384()
			r.hash.Write(h.body)
			r.hash.Write(h.tag[:])
		}
	}
	if err := r.unwrap(unwrap); err != nil {
		return nil, err
	}
	return r, nil
}

// unwrap gets the data key and verifies the header with it.
func (r *Reader) unwrap(unwrap UnwrapFunc) error {
	h := r.header
	key, err := unwrap(h)
	defer clear(key)
	if err != nil {
		return err
	}
	if len(key) != DataKeyLength {
		return notAuthentic("the data key has %d bytes, not %d", len(key), DataKeyLength)
	}
	aead, commitment, err := derive(h.Suite, h.MessageID, key)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(commitment, h.Commitment[:]) != 1 {
		return notAuthentic("the message is not committed to its data key")
	}
	if _, err := aead.Open(nil, headerIV, h.tag[:], h.body); err != nil {
		return notAuthentic("the header is altered")
	}
	r.frameCipher = frameCipher{aead, h.MessageID, h.FrameLength}
	return nil
}

// Header returns the header of the message, authenticated by the data key. The signature covers it as well.
func (r *Reader) Header() *Header { return r.header }

// Read returns plaintext as soon as its frame is authenticated.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.plain) == 0 {
		switch {
		case r.err != nil:
			return 0, r.err
		case r.whole:
			return 0, io.EOF
		}
		r.next()
	}
	n := copy(p, r.plain)
	r.plain = r.plain[n:]
	return n, nil
}

// next decrypts the frames that have arrived, at least one, into r.plain.
func (r *Reader) next() {
	j := r.job(0)
	ok, err := r.fill(j)
	if !ok {
		if r.err = err; err == nil {
			r.err = r.finish()
		}
		return
	}
	r.work(j)
	if r.hash != nil {
		r.hash.Write(j.signed)
	}
	r.plain, r.err = j.out, j.err
}

// WriteTo writes the rest of the plaintext to dst. It decrypts a long message on several processors. After an error of
// dst every call returns that error, since the plaintext that dst did not take is lost.
func (r *Reader) WriteTo(dst io.Writer) (int64, error) {
	written := r.flush(dst)
	if r.err == nil && !r.whole {
		var n int64
		n, r.err = r.run(r, r.frameLen, r.hash, dst)
		if written += n; r.err == nil {
			r.err = r.finish()
		}
		written += r.flush(dst)
	}
	return written, r.err
}

// flush writes r.plain to dst.
func (r *Reader) flush(dst io.Writer) int64 {
	n, err := write(dst, r.plain)
	r.plain = nil
	if r.err == nil {
		r.err = err
	}
	return int64(n)
}

// fill puts the regular frames that have arrived into j, at least one. It returns false at the final frame.
func (r *Reader) fill(j *job) (bool, error) {
	if err := r.need(4); err != nil {
		return false, err
	}
	mark := binary.BigEndian.Uint32(r.buf)
	if mark == finalMark {
		return false, nil
	}
	if mark != r.seq {
		return false, notAuthentic("frame %d is where frame %d must be", mark, r.seq)
	}
	stride := r.stride()
	if err := r.need(stride); err != nil {
		return false, err
	}
	used, seq := stride, r.seq+1
	for len(r.buf)-used >= stride && seq != finalMark && binary.BigEndian.Uint32(r.buf[used:]) == seq {
		used, seq = used+stride, seq+1
	}
	j.in, j.seq = r.buf[:used], r.seq
	r.seq = seq
	if r.inPlace() { // no more than this frame was read, and the next one will overwrite it
		r.buf = r.buf[:0]
		if r.hash != nil {
			r.hash.Write(j.in)
		}
		return true, nil
	}
	if room := min(2*len(r.buf), r.jobSize()); cap(j.buf) < room {
		j.buf = make([]byte, 0, room)
	}
	j.buf, r.buf = r.buf, append(j.buf[:0], r.buf[used:]...)
	return true, nil
}

// more reads into r.buf, up to limit bytes or a full job. It may make room for the final frame and the footer as well,
// so that a long final frame is not moved.
func (r *Reader) more(limit int) error {
	limit = max(limit, r.jobSize())
	r.buf = grow(r.buf, max(limit, r.frameLen+finalOverhead+maxFooterLen))
	n, err := read(r.src, r.buf[len(r.buf):min(limit, cap(r.buf))])
	r.buf = r.buf[:len(r.buf)+n]
	if n == 0 {
		return truncated(err)
	}
	return nil
}

// need reads until r.buf has at least n bytes.
func (r *Reader) need(n int) error {
	for len(r.buf) < n {
		if err := r.more(n); err != nil {
			return err
		}
	}
	return nil
}

// finish decrypts the final frame and verifies the signature and that the message ends there. Only then does it set
// r.plain.
func (r *Reader) finish() error {
	if err := r.need(finalHead); err != nil {
		return err
	}
	if seq := binary.BigEndian.Uint32(r.buf[4:]); seq != r.seq {
		return notAuthentic("final frame %d is where frame %d must be", seq, r.seq)
	}
	length := binary.BigEndian.Uint32(r.buf[finalHead-4:])
	if int64(length) > int64(r.frameLen) {
		return notAuthentic("the final frame is longer than the frame length")
	}
	end := finalOverhead + int(length)
	if err := r.need(end); err != nil {
		return err
	}
	if r.hash != nil {
		r.hash.Write(r.buf[:end])
	}
	plain, err := r.final(r.seq, r.buf[:end])
	if err != nil {
		return err
	}
	if r.key != nil {
		if end, err = r.verify(end); err != nil {
			return err
		}
	}
	if err := r.atEnd(end); err != nil {
		return err
	}
	r.plain, r.whole = plain, true
	r.buf, r.jobs = nil, nil // free memory: a Reader may be kept for its header
	return nil
}

// verify checks the footer, which begins at index at of r.buf, and returns the index of its end.
func (r *Reader) verify(at int) (int, error) {
	if err := r.need(at + 2); err != nil {
		return 0, err
	}
	length := int(binary.BigEndian.Uint16(r.buf[at:]))
	if length > maxSignatureLen {
		return 0, notAuthentic("the signature has %d bytes, more than %d", length, maxSignatureLen)
	}
	at += 2
	if err := r.need(at + length); err != nil {
		return 0, err
	}
	if r.hash != nil && !ecdsa.VerifyASN1(r.key, r.hash.Sum(nil), r.buf[at:at+length]) {
		return 0, notAuthentic("the signature is wrong")
	}
	return at + length, nil
}

// atEnd checks that nothing follows the first n bytes of r.buf.
func (r *Reader) atEnd(n int) error {
	if len(r.buf) == n {
		got, err := read(r.src, make([]byte, 1))
		if got == 0 && err == io.EOF {
			return nil
		}
		if got == 0 {
			return err
		}
	}
	return notAuthentic("bytes follow the message")
}
