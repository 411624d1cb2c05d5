package message

import (
	"crypto/cipher"
	"encoding/binary"
	"slices"
)

// A frame is its sequence number (4 bytes), an IV (12), the encrypted content and a tag (16). The last one has
// finalMark in front and the length of its content (4) after the IV; all others are of the frame length.
const (
	finalMark     = 1<<32 - 1 // in place of a sequence number
	frameHead     = 4 + ivLen
	frameOverhead = frameHead + tagLen
	finalHead     = 4 + frameHead + 4
	finalOverhead = finalHead + tagLen

	regularContent = "AWSKMSEncryptionClient Frame"
	finalContent   = "AWSKMSEncryptionClient Final Frame"
)

// A body is what the frames of one message have in common.
type body struct {
	aead     cipher.AEAD
	id       [idLen]byte
	frameLen int // bytes of plaintext
}

// stride is the length of a regular frame as stored.
func (b *body) stride() int { return b.frameLen + frameOverhead }

// perJob is the number of frames in a full job.
func (b *body) perJob() int { return max(1, jobLen/b.stride()) }

// jobSize is the length of a full job's frames as stored.
func (b *body) jobSize() int { return b.perJob() * b.stride() }

// aad writes to dst the additional data of a frame: its message, its kind, its place and its length.
func (b *body) aad(dst []byte, content string, seq uint32, length int) []byte {
	dst = append(dst[:0], b.id[:]...)
	dst = append(dst, content...)
	dst = binary.BigEndian.AppendUint32(dst, seq)
	return binary.BigEndian.AppendUint64(dst, uint64(length))
}

// A sealer makes frames of plaintext.
type sealer struct{ body }

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

// An opener makes plaintext of frames. It takes whatever IVs they have, as the official readers do.
type opener struct{ body }

// inPlace tells whether frames are so long that each is opened in the memory that it came in.
func (o *opener) inPlace() bool { return o.frameLen > maxWideLen }

func (o *opener) work(j *job) {
	j.signed, j.err = j.in, nil
	stride := o.stride()
	if o.inPlace() { // one frame, which fill has hashed
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

// final gives the content of the final frame, in its place.
func (o *opener) final(seq uint32, frame []byte) ([]byte, error) {
	aad := o.aad(nil, finalContent, seq, len(frame)-finalOverhead)
	plain, err := o.aead.Open(frame[finalHead:finalHead], frame[8:8+ivLen], frame[finalHead:], aad)
	if err != nil {
		return nil, notAuthentic("the final frame is altered")
	}
	return plain, nil
}
