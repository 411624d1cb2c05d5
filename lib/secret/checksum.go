package secret

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"hash"
)

// Checksum is what a secret must match: the SHA-256 of its stored message, as
// a Receipt gives it, or the SHA-1, 256, 384 or 512 of its plaintext. Its
// length says which.
type Checksum []byte

var algorithms = map[int]func() hash.Hash{
	sha1.Size:      sha1.New,
	sha256.Size:    sha256.New,
	sha512.Size384: sha512.New384,
	sha512.Size:    sha512.New,
}

// ParseChecksum reads a Checksum in hexadecimal digits. The error is an
// ErrInvalid.
func ParseChecksum(digits string) (Checksum, error) {
	sum, err := hex.DecodeString(digits)
	if err != nil || algorithms[len(sum)] == nil {
		return nil, invalidf("HASH is a SHA-1, 256, 384 or 512 in hexadecimal digits")
	}
	return sum, nil
}

// check compares a secret with a Checksum as it is read. Without one it does
// nothing.
type check struct {
	want           Checksum
	message, plain hash.Hash
}

func newCheck(want Checksum) (*check, error) {
	if want == nil {
		return &check{}, nil
	}
	algorithm := algorithms[len(want)]
	if algorithm == nil {
		return nil, invalidf("a checksum of %d bytes", len(want))
	}
	return &check{want: want, message: sha256.New(), plain: algorithm()}, nil
}

// Write takes plaintext.
func (c *check) Write(p []byte) (int, error) {
	if c.plain != nil {
		c.plain.Write(p)
	}
	return len(p), nil
}

// verify compares when all has been read. The error shows the hash of the stored
// message, never that of the plaintext.
func (c *check) verify() error {
	if c.want == nil {
		return nil
	}
	message := c.message.Sum(nil)
	if subtle.ConstantTimeCompare(c.want, message)|subtle.ConstantTimeCompare(c.want, c.plain.Sum(nil)) == 1 {
		return nil
	}
	return &kindError{fmt.Errorf("wrong checksum: the stored message's SHA-256 is %x", message), ErrNotAuthentic}
}
