package message

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/binary"
)

const ivLen = 12

// derive gives, for a message's data key, the cipher that its header and frames are under, and the commitment to
// the data key.
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

// headerIV is the IV of the tag that authenticates a header, the tag of an empty string. Frames count from 1.
var headerIV = make([]byte, ivLen)
