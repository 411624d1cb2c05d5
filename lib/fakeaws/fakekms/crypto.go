package fakekms

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"maps"
	"slices"
)

// A ciphertext blob, 184 bytes for a data key of 32, as KMS's are:
//
//	magic (5) | length of the key's id (1) | id, padded with zeros (44) | salt (74) | IV (12) | AES-256-GCM of the plaintext
//
// What comes before the IV, and the encryption context, are the additional
// data.
const (
	blobMagic  = "\x01\x02\x02\x00\x78"
	blobIDSize = 44
	blobSalt   = 74
	blobHeader = len(blobMagic) + 1 + blobIDSize + blobSalt
	blobIV     = 12
	blobTag    = 16
)

// Limits of KMS.
const (
	maxPlaintext = 4096
	maxBlob      = 6144
	maxDataKey   = 1024
	maxContext   = 8192
)

func (key *kmsKey) seal(plaintext []byte, context map[string]string) ([]byte, error) {
	aead, err := key.aead()
	if err != nil {
		return nil, err
	}
	blob := make([]byte, blobHeader+blobIV, blobHeader+blobIV+len(plaintext)+blobTag)
	n := copy(blob, blobMagic)
	blob[n] = byte(len(key.ID))
	copy(blob[n+1:n+1+blobIDSize], key.ID)
	rand.Read(blob[n+1+blobIDSize:])
	return aead.Seal(blob, blob[blobHeader:], plaintext, blobAAD(blob, context)), nil
}

func (key *kmsKey) open(blob []byte, context map[string]string) ([]byte, error) {
	aead, err := key.aead()
	if err != nil {
		return nil, err
	}
	if len(blob) < blobHeader+blobIV+blobTag {
		return nil, errInvalidCiphertext
	}
	plaintext, err := aead.Open(nil, blob[blobHeader:][:blobIV], blob[blobHeader+blobIV:], blobAAD(blob, context))
	if err != nil {
		return nil, errInvalidCiphertext
	}
	return plaintext, nil
}

func (key *kmsKey) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(key.Material)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// blobAAD binds the blob's header and the encryption context, whatever its
// order.
func blobAAD(blob []byte, context map[string]string) []byte {
	aad := bytes.Clone(blob[:blobHeader])
	for _, name := range slices.Sorted(maps.Keys(context)) {
		for _, s := range []string{name, context[name]} {
			aad = binary.BigEndian.AppendUint32(aad, uint32(len(s)))
			aad = append(aad, s...)
		}
	}
	return aad
}

// blobKeyID returns the id of the key that a blob names; ok is false if it is
// no blob.
func blobKeyID(blob []byte) (id string, ok bool) {
	if len(blob) < blobHeader+blobIV+blobTag || string(blob[:len(blobMagic)]) != blobMagic {
		return "", false
	}
	n := int(blob[len(blobMagic)])
	if n > blobIDSize {
		return "", false
	}
	return string(blob[len(blobMagic)+1:][:n]), true
}

var errInvalidCiphertext = errorf("InvalidCiphertextException", "")

// contexts are the encryption contexts of a request.
func (a *input) contexts() []map[string]string {
	return []map[string]string{a.EncryptionContext, a.SourceEncryptionContext, a.DestinationEncryptionContext}
}

// check checks the parameters that have the same bounds in all operations.
func (a *input) check() error {
	for _, alg := range []string{a.EncryptionAlgorithm, a.SourceEncryptionAlgorithm, a.DestinationEncryptionAlgorithm} {
		if alg != "" && alg != symmetric {
			return errorf("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec SYMMETRIC_DEFAULT.", alg)
		}
	}
	for _, context := range a.contexts() {
		size := 0
		for name, value := range context {
			size += len(name) + len(value)
		}
		if size > maxContext {
			return errorf("ValidationException", "Encryption context is too long: %d bytes", size)
		}
	}
	return nil
}

// resolveUsable finds a key that can be used now.
func (c *call) resolveUsable(id string) (*kmsKey, error) {
	key, err := c.resolve(id)
	if err != nil {
		return nil, err
	}
	return key, key.usable()
}

// symmetric is the only algorithm, and the spec of its keys.
const symmetric = "SYMMETRIC_DEFAULT"

// seal encrypts plaintext under the key of an id.
func (c *call) seal(id string, plaintext []byte, context map[string]string) (fields, error) {
	key, err := c.resolveUsable(id)
	if err != nil {
		return fields{}, err
	}
	blob, err := key.seal(plaintext, context)
	return fields{"CiphertextBlob": blob, "KeyId": key.arn()}, err
}

func (c *call) generateDataKey() (fields, error) {
	size := 0
	switch a := c.args; {
	case (a.KeySpec == "") == (a.NumberOfBytes == nil):
		return nil, errorf("ValidationException", "Please specify either number of bytes or key spec.")
	case a.KeySpec == "AES_256":
		size = 32
	case a.KeySpec == "AES_128":
		size = 16
	case a.NumberOfBytes != nil && *a.NumberOfBytes >= 1 && *a.NumberOfBytes <= maxDataKey:
		size = *a.NumberOfBytes
	default:
		return nil, errorf("ValidationException", "1 validation error detected: the key spec or number of bytes is out of range")
	}
	plaintext := make([]byte, size)
	rand.Read(plaintext)
	out, err := c.seal(c.args.KeyId, plaintext, c.args.EncryptionContext)
	out["Plaintext"] = plaintext
	return out, err
}

func (c *call) encrypt() (fields, error) {
	if n := len(c.args.Plaintext); n < 1 || n > maxPlaintext {
		return nil, errorf("ValidationException", "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length between 1 and %d", maxPlaintext)
	}
	out, err := c.seal(c.args.KeyId, c.args.Plaintext, c.args.EncryptionContext)
	out["EncryptionAlgorithm"] = symmetric
	return out, err
}

func (c *call) decrypt() (fields, error) {
	key, plaintext, err := c.openBlob(c.args.KeyId, c.args.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return fields{"Plaintext": plaintext, "KeyId": key.arn(), "EncryptionAlgorithm": symmetric}, nil
}

// reEncrypt needs the permissions kms:ReEncryptFrom and kms:ReEncryptTo.
func (c *call) reEncrypt() (fields, error) {
	a := c.args
	c.Op = "ReEncryptFrom"
	c.setEncryptionContext(a.SourceEncryptionContext)
	source, plaintext, err := c.openBlob(a.SourceKeyId, a.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	c.Op = "ReEncryptTo"
	c.setEncryptionContext(a.DestinationEncryptionContext)
	out, err := c.seal(a.DestinationKeyId, plaintext, a.DestinationEncryptionContext)
	out["SourceKeyId"], out["SourceEncryptionAlgorithm"], out["DestinationEncryptionAlgorithm"] = source.arn(), symmetric, symmetric
	return out, err
}

// openBlob decrypts the call's blob. With an id, only the key of that id will
// do; without, the one that the blob names.
func (c *call) openBlob(id string, context map[string]string) (key *kmsKey, plaintext []byte, err error) {
	blob := c.args.CiphertextBlob
	if len(blob) < 1 || len(blob) > maxBlob {
		return nil, nil, errorf("ValidationException", "1 validation error detected: Value at 'ciphertextBlob' failed to satisfy constraint: Member must have length between 1 and %d", maxBlob)
	}
	if id != "" {
		if key, err = c.resolveUsable(id); err != nil {
			return nil, nil, err
		}
	}
	blobID, ok := blobKeyID(blob)
	switch {
	case !ok:
		return nil, nil, errInvalidCiphertext
	case key == nil:
		if key, err = c.named(blobID); err != nil {
			return nil, nil, err
		}
	case key.ID != blobID:
		return nil, nil, errorf("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
	}
	plaintext, err = key.open(blob, context)
	return key, plaintext, err
}

// named finds the key that a blob names.
func (c *call) named(id string) (*kmsKey, error) {
	for _, key := range c.h.keys {
		if key.ID == id && key.Region == c.Sig.Region && (key.Account == c.Caller.Account || slices.Contains(key.Shared, c.Caller.Account)) {
			if err := c.permit(key); err != nil {
				return nil, err
			}
			return key, key.usable()
		}
	}
	return nil, errorf("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
}
