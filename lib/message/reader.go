package message

import (
	"crypto/ecdsa"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"io"
)

// ReaderOptions say which messages are read.
type ReaderOptions struct {
	AcceptUnsigned bool // those under the Unsigned suite too

	// SkipSignature leaves the signature unverified, which takes most of the time. It is for whoever compares all
	// that comes with what an earlier Reader, which did verify it, gave of the same message.
	SkipSignature bool
}

// A Reader decrypts a message. It is for one goroutine, and leaves none behind.
//
// What it has given is authentic, frame by frame, but until the end, io.EOF from Read or nil from WriteTo, it is
// not known that the message is whole, nor, if it is signed, who made it. The final frame is held back until
// both are verified.
type Reader struct {
	opener
	pipeline
	src    io.Reader
	header *Header
	key    *ecdsa.PublicKey // nil when unsigned
	hash   hash.Hash        // nil when unsigned or skipped
	seq    uint32           // of the next frame
	buf    []byte           // what src gave and is in no job yet
	plain  []byte           // what is authentic and not read yet
	whole  bool             // all of it is verified
	err    error            // of every call once plain is read
}

// NewReader reads a message's header from src, gets its data key, calling unwrap once, and verifies the commitment
// to the key and the header. What it refuses without the key it refuses before it calls unwrap.
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

// unwrap gets the data key, and with it verifies the header.
func (r *Reader) unwrap(unwrap UnwrapFunc) error {
	h := r.header
	key, err := unwrap(h)
	defer clear(key)
	if err != nil {
		return err
	}
	if len(key) != DataKeyLength {
		return notAuthentic("data key of %d bytes: it must have %d", len(key), DataKeyLength)
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
	r.body = body{aead, h.MessageID, h.FrameLength}
	return nil
}

// Header is the header of the message, verified but for the signature.
func (r *Reader) Header() *Header { return r.header }

// Read gives decrypted bytes as their frames arrive.
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

// next decrypts what has come of the message, at least a frame, to r.plain.
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

// WriteTo writes all that is left to dst, decrypting a long message on several processors. An error of dst is the
// Reader's from then on, since what dst did not take is lost.
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

// fill takes the regular frames that have come, at least one. It is false at the final frame.
func (r *Reader) fill(j *job) (bool, error) {
	if err := r.need(4); err != nil {
		return false, err
	}
	mark := binary.BigEndian.Uint32(r.buf)
	if mark == finalMark {
		return false, nil
	}
	if mark != r.seq {
		return false, notAuthentic("frame %d comes where frame %d must", mark, r.seq)
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
	if r.inPlace() { // and no more than that frame was read: what becomes of it is gone when the next one is
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

// more reads into r.buf, which need not have more than limit bytes or a full job. It may get room for a final frame and
// the footer, too, so that a long one need not move.
func (r *Reader) more(limit int) error {
	limit = max(limit, r.jobSize())
	r.buf = grow(r.buf, max(limit, r.frameLen+finalOverhead+maxFooterLen))
	n, err := read(r.src, r.buf[len(r.buf):min(limit, cap(r.buf))])
	r.buf = r.buf[:len(r.buf)+n]
	if n == 0 {
		return cutShort(err)
	}
	return nil
}

// need reads until r.buf has n bytes.
func (r *Reader) need(n int) error {
	for len(r.buf) < n {
		if err := r.more(n); err != nil {
			return err
		}
	}
	return nil
}

// finish decrypts the final frame, verifies that it is where the message ends, and by whom it is signed, and only then
// sets r.plain to its content.
func (r *Reader) finish() error {
	if err := r.need(finalHead); err != nil {
		return err
	}
	if seq := binary.BigEndian.Uint32(r.buf[4:]); seq != r.seq {
		return notAuthentic("final frame %d comes where frame %d must", seq, r.seq)
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
	r.buf, r.jobs = nil, nil // a Reader may be kept for its header
	return nil
}

// verify checks the footer, which begins at at in r.buf, and gives where it ends.
func (r *Reader) verify(at int) (int, error) {
	if err := r.need(at + 2); err != nil {
		return 0, err
	}
	length := int(binary.BigEndian.Uint16(r.buf[at:]))
	if length > maxSignatureLen {
		return 0, notAuthentic("signature of %d bytes: it has at most %d", length, maxSignatureLen)
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
