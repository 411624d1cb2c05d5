package message

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/binary"
)

const ivLen = 12

// derive returns the cipher that protects the header and the frames of a message, and the commitment to its data key.
func derive(suite Suite, id [idLen]byte, dataKey []byte) (cipher.AEAD, []byte, error) {
	prk, err := hkdf.Extract(sha512.New, dataKey, id[:])
	if err != nil {
		return nil, nil, err
	}
	defer clear(prk)
	info := binary.BigEndian.AppendUint16(nil, uint16(suite))
	key, err := hkdf.Expand(sha512.New, prk, string(info)+"DERIVEKEY", DataKeyLength)
	if err != nil {
		return nil, nil, err
	}
	defer clear(key)
	commitment, err := hkdf.Expand(sha512.New, prk, "COMMITKEY", commitLen)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	return aead, commitment, err
}

// headerIV is the IV for the authentication tag of a header, which is the tag of the empty string. The IVs of frames
// begin at 1.
var headerIV = make([]byte, ivLen)
