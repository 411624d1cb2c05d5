package message

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"
	"slices"
	"testing"
)

// A recipe says what a message is made of, field by field, so that a test can spoil one of them and leave all
// else, the authentication included, as it would be.
type recipe struct {
	version     byte
	suite       Suite
	pairs       [][2]string
	context     []byte // in place of the pairs, their length included
	keys        []EncryptedDataKey
	keyCount    int // as stated
	contentType byte
	frameLen    uint32
	dataKey     []byte
	commitment  []byte // if not that to dataKey
	frames      []frameRecipe
	sign        func(key *ecdsa.PrivateKey, digest []byte) []byte // nil where there is no footer
	after       []byte
}

type frameRecipe struct {
	final  bool
	seq    uint32
	iv     uint32
	plain  string
	length uint32 // as stated in a final frame
	kind   string // as authenticated
}

func regularFrame(seq uint32, plain string) frameRecipe {
	return frameRecipe{seq: seq, iv: seq, plain: plain, kind: regularContent}
}

func finalFrame(seq uint32, plain string) frameRecipe {
	return frameRecipe{final: true, seq: seq, iv: seq, plain: plain, length: uint32(len(plain)), kind: finalContent}
}

// goodPlain is the plaintext of a good recipe, in frames of 4 bytes.
const goodPlain = "onetwo..end"

// goodRecipe is that of a message of three frames, which a test may spoil.
func goodRecipe(suite Suite) *recipe {
	r := &recipe{
		version:     version,
		suite:       suite,
		pairs:       [][2]string{{"ms-name", "a/b"}, {"ms-store", "s3://c"}},
		keys:        []EncryptedDataKey{testDataKey()},
		keyCount:    1,
		contentType: framed,
		frameLen:    4,
		dataKey:     testKey(),
		frames:      []frameRecipe{regularFrame(1, "onet"), regularFrame(2, "wo.."), finalFrame(3, "end")},
	}
	if suite == Signed {
		public, err := encodePublicKey(&testSigningKey.PublicKey)
		if err != nil {
			panic(err)
		}
		r.pairs = append([][2]string{{PublicKey, public}}, r.pairs...)
		r.sign = func(key *ecdsa.PrivateKey, digest []byte) []byte {
			footer, err := appendFooter(nil, key, digest)
			if err != nil {
				panic(err)
			}
			return footer
		}
	}
	return r
}

var testSigningKey = func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}()

// put sets the context's value for key.
func (r *recipe) put(key, value string) {
	i := slices.IndexFunc(r.pairs, func(p [2]string) bool { return p[0] == key })
	r.pairs[i][1] = value
}

// drop takes key out of the context.
func (r *recipe) drop(key string) {
	r.pairs = slices.DeleteFunc(r.pairs, func(p [2]string) bool { return p[0] == key })
}

// make gives the message, and where its body begins.
func (r *recipe) make(t testing.TB) (msg []byte, bodyAt int) {
	t.Helper()
	id := [idLen]byte{7: 7}
	aead, commitment, err := derive(r.suite, id, r.dataKey)
	if err != nil {
		t.Fatal(err)
	}
	if r.commitment != nil {
		commitment = r.commitment
	}
	b := binary.BigEndian.AppendUint16([]byte{r.version}, uint16(r.suite))
	b = append(b, id[:]...)
	if r.context == nil {
		r.context = encodePairs(r.pairs)
	}
	b = append(b, r.context...)
	b = binary.BigEndian.AppendUint16(b, uint16(r.keyCount))
	for _, k := range r.keys {
		b = appendField(appendField(appendField(b, k.Provider), k.Info), k.Ciphertext)
	}
	b = binary.BigEndian.AppendUint32(append(b, r.contentType), r.frameLen)
	b = append(b, commitment...)
	b = append(b, aead.Seal(nil, headerIV, nil, b)...)
	bodyAt = len(b)

	s := &frameCipher{aead, id, int(r.frameLen)}
	for _, f := range r.frames {
		b = appendFrame(b, s, f)
	}
	if r.sign != nil {
		digest := sha512.Sum384(b)
		b = append(b, r.sign(testSigningKey, digest[:])...)
	}
	return append(b, r.after...), bodyAt
}

func appendFrame(b []byte, s *frameCipher, f frameRecipe) []byte {
	if f.final {
		b = binary.BigEndian.AppendUint32(b, finalMark)
	}
	b = appendSeq(b, f.seq)
	binary.BigEndian.PutUint32(b[len(b)-4:], f.iv)
	iv := slices.Clone(b[len(b)-ivLen:])
	if f.final {
		b = binary.BigEndian.AppendUint32(b, f.length)
	}
	return s.aead.Seal(b, iv, []byte(f.plain), s.aad(nil, f.kind, f.seq, len(f.plain)))
}

// encodePairs gives a context as stored, pairs in the order given.
func encodePairs(pairs [][2]string) []byte {
	if len(pairs) == 0 {
		return []byte{0, 0}
	}
	b := binary.BigEndian.AppendUint16(nil, uint16(len(pairs)))
	for _, p := range pairs {
		b = appendField(appendField(b, p[0]), p[1])
	}
	return appendField(nil, b)
}
