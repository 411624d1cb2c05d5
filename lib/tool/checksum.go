package tool

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"

	"microsecrets/lib/secret"
)

// Checksum is what a secret must match: the SHA-256 of its stored message, as
// a receipt gives it, or the SHA-1, 256, 384 or 512 of its plaintext. Its
// length tells which.
type Checksum []byte

var algorithms = map[int]func() hash.Hash{
	sha1.Size:      sha1.New,
	sha256.Size:    sha256.New,
	sha512.Size384: sha512.New384,
	sha512.Size:    sha512.New,
}

// Checksums are checksums by the secret's name.
type Checksums map[string]Checksum

// Check is the check of one secret, whose plaintext is written to it.
type Check struct {
	name    string
	sum     Checksum
	message func() [sha256.Size]byte
	plain   hash.Hash // nil where there is nothing to check
}

// Check begins the check of a secret that nothing was read of yet.
func (s Checksums) Check(opened *secret.Secret) *Check {
	sum, ok := s[opened.Name]
	if !ok {
		opened.SkipSum()
		return new(Check)
	}
	return &Check{opened.Name, sum, opened.MessageSum, algorithms[len(sum)]()}
}

// Needed tells whether there is a checksum to compare with.
func (c *Check) Needed() bool { return c.plain != nil }

func (c *Check) Write(p []byte) (int, error) {
	if c.plain != nil {
		c.plain.Write(p)
	}
	return len(p), nil
}

// Verify compares, when all was read. A difference is an ErrMismatch, which
// tells the stored message's hash and never the plaintext's.
func (c *Check) Verify() error {
	if c.plain == nil {
		return nil
	}
	message := c.message()
	if subtle.ConstantTimeCompare(c.sum, message[:])|subtle.ConstantTimeCompare(c.sum, c.plain.Sum(nil)) == 1 {
		return nil
	}
	return fmt.Errorf("%s: %w: the stored message's SHA-256 is %x", c.name, ErrMismatch, message)
}

// ChecksumFlag is the flag -c, which may be given again: HASH, or NAME=HASH.
type ChecksumFlag struct {
	alone Checksum
	named Checksums
}

// String is part of flag.Value.
func (f *ChecksumFlag) String() string { return "" }

// Set is part of flag.Value.
func (f *ChecksumFlag) Set(s string) error {
	name, digits := "", s
	if i := strings.LastIndexByte(s, '='); i >= 0 {
		name, digits = s[:i], s[i+1:]
	}
	sum, err := hex.DecodeString(digits)
	if err != nil || algorithms[len(sum)] == nil {
		return &Refusal{"HASH is a SHA-1, 256, 384 or 512 in hexadecimal digits, or NAME=HASH"}
	}
	if name == "" {
		if digits != s {
			return &Refusal{"an empty NAME before the HASH"}
		}
		if f.alone != nil {
			return &Refusal{"given twice without a name: write NAME=HASH"}
		}
		f.alone = sum
		return nil
	}
	if f.named[name] != nil {
		return &Refusal{"given twice for one name"}
	}
	if f.named == nil {
		f.named = Checksums{}
	}
	f.named[name] = sum
	return nil
}

// For returns the checksums by name. A HASH alone is for the one name in alone;
// where that has none or several it is a usage error, as is a NAME that is not
// among names.
func (f *ChecksumFlag) For(alone, names []string) (Checksums, error) {
	sums := Checksums{}
	for name, sum := range f.named {
		if !slices.Contains(names, name) {
			return nil, Usagef("flag -c is given for a name that is not asked for")
		}
		sums[name] = sum
	}
	switch {
	case f.alone == nil:
		return sums, nil
	case len(alone) != 1:
		return nil, Usagef("flag -c HASH is for one secret: where there are several write -c NAME=HASH")
	case sums[alone[0]] != nil:
		return nil, Usagef("flag -c is given twice for one name")
	}
	sums[alone[0]] = f.alone
	return sums, nil
}
