// Package message writes and reads the AWS Encryption SDK message format, version 2: a header, a body of
// authenticated frames and, of a signed message, a footer. It streams in constant memory and knows nothing of
// where data keys or messages are kept.
//
// Two algorithm suites are supported, both of which commit to the key; every other one is refused. The format is
// specified in https://github.com/awslabs/aws-encryption-sdk-specification, data-format/ and
// framework/algorithm-suites.md.
//
// Here: message.go, what both directions share; header.go; keys.go, key derivation; frame.go, one frame; sign.go, the
// signature; writer.go and reader.go; pipeline.go, which spreads long messages over the processors.
package message

import (
	"errors"
	"fmt"
)

// A Suite is an algorithm suite by its number in the format.
type Suite uint16

const (
	// Signed is AES-256-GCM, HKDF-SHA-512, key commitment and an ECDSA P-384 signature over the whole message.
	Signed Suite = 0x0578
	// Unsigned is the same without the signature: whoever can unwrap the data key of a message can forge
	// another one with it.
	Unsigned Suite = 0x0478
)

// String gives the name that the specification uses.
func (s Suite) String() string {
	switch s {
	case Signed:
		return "AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384"
	case Unsigned:
		return "AES_256_GCM_HKDF_SHA512_COMMIT_KEY"
	}
	return fmt.Sprintf("suite 0x%04X", uint16(s))
}

// Bounds of the format, and the tighter ones of this package.
const (
	DataKeyLength      = 32       // bytes of a plaintext data key, of both suites
	MaxDataKeys        = 16       // encrypted data keys in a message
	MaxFrameLength     = 16 << 20 // bytes of plaintext in a frame
	DefaultFrameLength = 64 << 10

	// PublicKey is the context's key under which a signed message carries the key that verifies it: a P-384
	// point, compressed, in base64. Only the Writer sets it.
	PublicKey = reserved + "public-key"

	reserved = "aws-crypto-" // the context's keys with this prefix belong to the format
)

var (
	// ErrNotAuthentic is wrapped by the error of every message that is malformed, cut, altered, signed by nobody
	// or too large for this package's bounds. Nothing tells these apart for certain, so nothing should try to.
	ErrNotAuthentic = errors.New("not authentic")

	// ErrUnsigned, which wraps ErrNotAuthentic, is the error for a message under the Unsigned suite where the
	// reader did not accept these.
	ErrUnsigned = fmt.Errorf("%w: the message is unsigned", ErrNotAuthentic)
)

func notAuthentic(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNotAuthentic, fmt.Sprintf(format, args...))
}

// A WrapFunc supplies the data key of a new message: 32 bytes, and the same encrypted under 1 to 16 keys with
// context bound to it. The context is the whole one, PublicKey included, and must not be changed. The key is
// wiped as soon as other keys are derived from it.
type WrapFunc func(context map[string]string) (key []byte, keys []EncryptedDataKey, err error)

// An UnwrapFunc decrypts one of h.DataKeys, with h.Context bound to it. Nothing in h is authenticated when it is
// called; the place to check h.Context against what was asked for is here, before a key service is. Its error is
// NewReader's, unchanged. The key is wiped as soon as other keys are derived from it.
type UnwrapFunc func(h *Header) (key []byte, err error)
