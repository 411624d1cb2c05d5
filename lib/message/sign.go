package message

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
)

const (
	coordinateLen   = 48  // bytes of one coordinate of a point
	signatureLen    = 103 // bytes of every signature written, so that the length of a message is known in advance
	maxSignatureLen = 104 // bytes of the longest signature in DER
	footerLen       = 2 + signatureLen
	maxFooterLen    = 2 + maxSignatureLen
)

// appendFooter appends the signature of digest, preceded by its length. It signs again until the signature has
// signatureLen bytes, as half of all signatures do.
func appendFooter(b []byte, key *ecdsa.PrivateKey, digest []byte) ([]byte, error) {
	for {
		sig, err := ecdsa.SignASN1(rand.Reader, key, digest)
		if err != nil {
			return nil, err
		}
		if len(sig) == signatureLen {
			return append(binary.BigEndian.AppendUint16(b, signatureLen), sig...), nil
		}
	}
}

// encodePublicKey returns key as it is in an encryption context: a compressed point in base64.
func encodePublicKey(key *ecdsa.PublicKey) (string, error) {
	point, err := key.Bytes()
	if err != nil {
		return "", err
	}
	x, odd := point[1:1+coordinateLen], point[2*coordinateLen]&1
	compressed := append([]byte{2 + odd}, x...)
	return base64.StdEncoding.EncodeToString(compressed), nil
}

// decodePublicKey accepts exactly what encodePublicKey returns: one point has one spelling of 68 characters. The
// decoder alone would also accept newlines anywhere in s, and other bits before the padding.
func decodePublicKey(s string) (*ecdsa.PublicKey, error) {
	compressed, err := base64.StdEncoding.DecodeString(s)
	if err != nil || base64.StdEncoding.EncodeToString(compressed) != s {
		return nil, notAuthentic("%s is not in canonical base64", PublicKey)
	}
	x, y := elliptic.UnmarshalCompressed(elliptic.P384(), compressed)
	if x == nil {
		return nil, notAuthentic("%s is not a compressed point of P-384", PublicKey)
	}
	point := make([]byte, 1+2*coordinateLen)
	point[0] = 4
	x.FillBytes(point[1 : 1+coordinateLen])
	y.FillBytes(point[1+coordinateLen:])
	return ecdsa.ParseUncompressedPublicKey(elliptic.P384(), point)
}

// Prepare computes what the first signature of a process waits for, whether it is made
// or verified: package crypto keeps a table of multiples of the curve's base point. It
// takes more than half of the instructions of a whole ms-get, and is best done while
// something is awaited from the network.
func Prepare() {
	one := make([]byte, coordinateLen)
	one[len(one)-1] = 1
	ecdh.P384().NewPrivateKey(one) // multiplies the base point by 1
}
