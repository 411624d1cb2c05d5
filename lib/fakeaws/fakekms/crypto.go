package fakekms

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
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

func checkContext(context map[string]string) error {
	size := 0
	for name, value := range context {
		size += len(name) + len(value)
	}
	if size > maxContext {
		return errorf("ValidationException", "Encryption context is too long: %d bytes", size)
	}
	return nil
}

func checkAlgorithm(alg string) error {
	if alg != "" && alg != "SYMMETRIC_DEFAULT" {
		return errorf("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec SYMMETRIC_DEFAULT.", alg)
	}
	return nil
}

// resolveUsable finds a key that can be used now.
func (h *Handler) resolveUsable(c *call, id string) (*kmsKey, error) {
	key, err := h.resolve(c, id)
	if err != nil {
		return nil, err
	}
	return key, key.usable()
}

type dataKeyOutput struct {
	CiphertextBlob []byte
	Plaintext      []byte `json:",omitempty"`
	KeyId          string
}

func (h *Handler) generateDataKey(c *call) (any, error) {
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
	if err := checkContext(c.args.EncryptionContext); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	key, err := h.resolveUsable(c, c.args.KeyId)
	if err != nil {
		return nil, err
	}
	plaintext := make([]byte, size)
	rand.Read(plaintext)
	blob, err := key.seal(plaintext, c.args.EncryptionContext)
	return dataKeyOutput{CiphertextBlob: blob, Plaintext: plaintext, KeyId: key.arn()}, err
}

type cryptoOutput struct {
	CiphertextBlob      []byte `json:",omitempty"`
	Plaintext           []byte `json:",omitempty"`
	KeyId               string
	EncryptionAlgorithm string
}

func (h *Handler) encrypt(c *call) (any, error) {
	if n := len(c.args.Plaintext); n < 1 || n > maxPlaintext {
		return nil, errorf("ValidationException", "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length between 1 and %d", maxPlaintext)
	}
	if err := firstError(checkAlgorithm(c.args.EncryptionAlgorithm), checkContext(c.args.EncryptionContext)); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	key, err := h.resolveUsable(c, c.args.KeyId)
	if err != nil {
		return nil, err
	}
	blob, err := key.seal(c.args.Plaintext, c.args.EncryptionContext)
	return cryptoOutput{CiphertextBlob: blob, KeyId: key.arn(), EncryptionAlgorithm: "SYMMETRIC_DEFAULT"}, err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) decrypt(c *call) (any, error) {
	if err := firstError(checkAlgorithm(c.args.EncryptionAlgorithm), checkContext(c.args.EncryptionContext)); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	key, plaintext, err := h.openBlob(c, c.args.KeyId, c.args.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return cryptoOutput{Plaintext: plaintext, KeyId: key.arn(), EncryptionAlgorithm: "SYMMETRIC_DEFAULT"}, nil
}

// openBlob decrypts the call's blob. With an id, only the key of that id will
// do; without, the one that the blob names.
func (h *Handler) openBlob(c *call, id string, context map[string]string) (*kmsKey, []byte, error) {
	blob := c.args.CiphertextBlob
	if len(blob) < 1 || len(blob) > maxBlob {
		return nil, nil, errorf("ValidationException", "1 validation error detected: Value at 'ciphertextBlob' failed to satisfy constraint: Member must have length between 1 and %d", maxBlob)
	}
	var pinned *kmsKey
	if id != "" {
		var err error
		if pinned, err = h.resolveUsable(c, id); err != nil {
			return nil, nil, err
		}
	}
	blobID, ok := blobKeyID(blob)
	if !ok {
		return nil, nil, errInvalidCiphertext
	}
	if pinned != nil {
		if pinned.ID != blobID {
			return nil, nil, errorf("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
		}
		plaintext, err := pinned.open(blob, context)
		return pinned, plaintext, err
	}
	for _, key := range h.keys {
		if key.ID != blobID || key.Region != c.Sig.Region || key.Account != c.Caller.Account && !slices.Contains(key.Shared, c.Caller.Account) {
			continue
		}
		if err := firstError(h.permit(c, key), key.usable()); err != nil {
			return nil, nil, err
		}
		plaintext, err := key.open(blob, context)
		return key, plaintext, err
	}
	return nil, nil, errorf("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
}

type reEncryptOutput struct {
	CiphertextBlob                 []byte
	SourceKeyId                    string
	KeyId                          string
	SourceEncryptionAlgorithm      string
	DestinationEncryptionAlgorithm string
}

// reEncrypt needs the permissions kms:ReEncryptFrom and kms:ReEncryptTo.
func (h *Handler) reEncrypt(c *call) (any, error) {
	a := c.args
	if err := firstError(checkAlgorithm(a.SourceEncryptionAlgorithm), checkAlgorithm(a.DestinationEncryptionAlgorithm),
		checkContext(a.SourceEncryptionContext), checkContext(a.DestinationEncryptionContext)); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c.Op = "ReEncryptFrom"
	c.setEncryptionContext(a.SourceEncryptionContext)
	source, plaintext, err := h.openBlob(c, a.SourceKeyId, a.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	c.Op = "ReEncryptTo"
	c.setEncryptionContext(a.DestinationEncryptionContext)
	key, err := h.resolveUsable(c, a.DestinationKeyId)
	if err != nil {
		return nil, err
	}
	blob, err := key.seal(plaintext, a.DestinationEncryptionContext)
	return reEncryptOutput{blob, source.arn(), key.arn(), "SYMMETRIC_DEFAULT", "SYMMETRIC_DEFAULT"}, err
}

// newKeyID returns a UUID, or for a multi-region key mrk- and 32 hexadecimal
// digits.
func newKeyID(multiRegion bool) string {
	var b [16]byte
	rand.Read(b[:])
	if multiRegion {
		return fmt.Sprintf("mrk-%x", b)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return strings.Join([]string{fmt.Sprintf("%x", b[:4]), fmt.Sprintf("%x", b[4:6]), fmt.Sprintf("%x", b[6:8]),
		fmt.Sprintf("%x", b[8:10]), fmt.Sprintf("%x", b[10:])}, "-")
}
