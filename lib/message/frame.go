package message

import (
	"crypto/cipher"
	"encoding/binary"
	"slices"
)

// A frame is its sequence number (4 bytes), an IV (12), the encrypted content and a tag (16). The final frame also has
// finalMark at its beginning and the length of its content (4) after the IV. The content of every other frame has the
// frame length.
const (
	finalMark     = 1<<32 - 1 // in the place of a sequence number
	frameHead     = 4 + ivLen
	frameOverhead = frameHead + tagLen
	finalHead     = 4 + frameHead + 4
	finalOverhead = finalHead + tagLen

	regularContent = "AWSKMSEncryptionClient Frame"
	finalContent   = "AWSKMSEncryptionClient Final Frame"
)

// A frameCipher is what the frames of one message have in common.
type frameCipher struct {
	aead     cipher.AEAD
	id       [idLen]byte
	frameLen int // bytes of plaintext
}

// stride returns the length of a regular frame as stored.
func (c *frameCipher) stride() int { return c.frameLen + frameOverhead }

// perJob returns the number of frames in a full job.
func (c *frameCipher) perJob() int { return max(1, jobLen/c.stride()) }

// jobSize returns the length of the frames of a full job as stored.
func (c *frameCipher) jobSize() int { return c.perJob() * c.stride() }

// aad returns the additional authenticated data of a frame in the memory of dst: the message id, the kind of the
// frame, its sequence number and the length of its content.
func (c *frameCipher) aad(dst []byte, content string, seq uint32, length int) []byte {
	dst = append(dst[:0], c.id[:]...)
	dst = append(dst, content...)
	dst = binary.BigEndian.AppendUint32(dst, seq)
	return binary.BigEndian.AppendUint64(dst, uint64(length))
}

// A sealer encrypts plaintext into frames.
type sealer struct{ frameCipher }

func (s *sealer) work(j *job) {
	j.out = slices.Grow(j.out[:0], len(j.in)/s.frameLen*s.stride())
	for at, seq := 0, j.seq; at < len(j.in); at, seq = at+s.frameLen, seq+1 {
		plain := j.in[at : at+s.frameLen]
		j.aad = s.aad(j.aad, regularContent, seq, len(plain))
		j.out = appendSeq(j.out, seq)
		j.out = s.aead.Seal(j.out, j.out[len(j.out)-ivLen:], plain, j.aad)
	}
	j.signed = j.out
}

// final appends the final frame to out.
func (s *sealer) final(out []byte, seq uint32, plain []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, finalMark)
	out = appendSeq(out, seq)
	iv := out[len(out)-ivLen:]
	out = binary.BigEndian.AppendUint32(out, uint32(len(plain)))
	return s.aead.Seal(out, iv, plain, s.aad(nil, finalContent, seq, len(plain)))
}

// appendSeq appends a frame's sequence number and its IV, which is the same number.
func appendSeq(b []byte, seq uint32) []byte {
	b = binary.BigEndian.AppendUint32(b, seq)
	b = binary.BigEndian.AppendUint64(b, 0)
	return binary.BigEndian.AppendUint32(b, seq)
}

// An opener decrypts frames. It accepts any IVs, as the official readers do.
type opener struct{ frameCipher }

// inPlace reports whether frames are so long that each is decrypted in the memory that it was read into.
func (o *opener) inPlace() bool { return o.frameLen > maxParallelFrame }

func (o *opener) work(j *job) {
	j.signed, j.err = j.in, nil
	stride := o.stride()
	if o.inPlace() { // one frame, which fill has already hashed
		j.signed, j.out = nil, j.in[frameHead:frameHead]
	} else {
		j.out = slices.Grow(j.out[:0], len(j.in)/stride*o.frameLen)
	}
	for at, seq := 0, j.seq; at < len(j.in); at, seq = at+stride, seq+1 {
		frame := j.in[at : at+stride]
		j.aad = o.aad(j.aad, regularContent, seq, o.frameLen)
		out, err := o.aead.Open(j.out, frame[4:frameHead], frame[frameHead:], j.aad)
		if err != nil {
			j.err = notAuthentic("frame %d is altered", seq)
			return
		}
		j.out = out
	}
}

// final decrypts the final frame in place and returns its content.
func (o *opener) final(seq uint32, frame []byte) ([]byte, error) {
	aad := o.aad(nil, finalContent, seq, len(frame)-finalOverhead)
	plain, err := o.aead.Open(frame[finalHead:finalHead], frame[8:8+ivLen], frame[finalHead:], aad)
	if err != nil {
		return nil, notAuthentic("the final frame is altered")
	}
	return plain, nil
}
