// Package message writes and reads messages of the AWS Encryption SDK message format, version 2: a header, a body of
// authenticated frames and, if the message is signed, a footer. It works in constant memory. It does not know where
// data keys come from or where messages are stored: a [WrapFunc] or an [UnwrapFunc] supplies the data key.
//
// Two algorithm suites are supported, [Signed] and [Unsigned]. Both commit to the data key. Every other suite is
// refused. The format is specified in https://github.com/awslabs/aws-encryption-sdk-specification, data-format/ and
// framework/algorithm-suites.md.
//
// The files: message.go has what both directions share; header.go the header; keys.go key derivation; frame.go one
// frame; sign.go the signature; writer.go and reader.go the two directions; pipeline.go parallel work on long messages.
package message

import (
	"errors"
	"fmt"
)

// A Suite is the number of an algorithm suite in the format.
type Suite uint16

const (
	// Signed is AES-256-GCM, HKDF-SHA-512, key commitment and an ECDSA P-384 signature over the whole message.
	Signed Suite = 0x0578
	// Unsigned is the same without the signature. Whoever can unwrap the data key of an unsigned message can
	// forge another message with it.
	Unsigned Suite = 0x0478
)

// String returns the name that the specification uses.
func (s Suite) String() string {
	switch s {
	case Signed:
		return "AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384"
	case Unsigned:
		return "AES_256_GCM_HKDF_SHA512_COMMIT_KEY"
	}
	return fmt.Sprintf("suite 0x%04X", uint16(s))
}

// Lengths are in bytes. MaxDataKeys and MaxFrameLength are bounds of this package; the format itself allows 65,535
// data keys and frames of 4 GiB.
const (
	DataKeyLength      = 32       // of a plaintext data key, in both suites
	MaxDataKeys        = 16       // encrypted data keys in a message
	MaxFrameLength     = 16 << 20 // of the plaintext in a frame
	DefaultFrameLength = 64 << 10

	// MaxFrames is the number of frames in a message, the final one included: the format numbers them from 1 in
	// 4 bytes. Hence a message holds at most MaxFrames times its frame length: 256 TiB less 64 KiB at
	// DefaultFrameLength. AES-GCM allows that: it is used at most 2^32 times under one key, always with another
	// IV, and each time for far less than its limit of 64 GiB.
	MaxFrames = 1<<32 - 1

	// PublicKey is the key in the encryption context under which a signed message carries its verification key:
	// a compressed P-384 point in base64. Only the Writer sets it.
	PublicKey = reserved + "public-key"

	reserved = "aws-crypto-" // the prefix of the context keys that belong to the format
)

var (
	// ErrNotAuthentic is wrapped by the error for every message that is malformed, truncated, altered, wrongly
	// signed, or beyond the bounds of this package. Do not try to distinguish these: an attacker can turn most of
	// them into each other.
	ErrNotAuthentic = errors.New("not authentic")

	// ErrUnsigned is the error for a message under the Unsigned suite if [ReaderOptions] does not accept such
	// messages. It wraps ErrNotAuthentic.
	ErrUnsigned = fmt.Errorf("%w: the message is unsigned", ErrNotAuthentic)
)

func notAuthentic(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNotAuthentic, fmt.Sprintf(format, args...))
}

// A WrapFunc supplies the data key of a new message: DataKeyLength bytes in plaintext, and the same key encrypted
// under 1 to MaxDataKeys wrapping keys, each time bound to context, the whole encryption context of the message,
// PublicKey included. NewWriter clears key before it returns, also if the WrapFunc returns an error.
type WrapFunc func(context map[string]string) (key []byte, keys []EncryptedDataKey, err error)

// An UnwrapFunc decrypts one of h.DataKeys, which is bound to h.Context, and returns the plaintext data key. Nothing
// in h is authenticated yet. It should compare h.Context with what was asked for before it calls a key service.
// NewReader returns its error unchanged, and clears key before it returns, also if there is an error.
type UnwrapFunc func(h *Header) (key []byte, err error)
