package message

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	version   = 2
	framed    = 2 // the content type of a framed body
	idLen     = 32
	commitLen = 32
	tagLen    = 16
	maxField  = 1<<16 - 1 // bytes that a 2-byte length can state
)

// An EncryptedDataKey is the data key of a message, encrypted by one key provider. Each field has at most 65,535 bytes.
type EncryptedDataKey struct {
	Provider   string // UTF-8; "aws-kms" for AWS KMS
	Info       string // identifies the wrapping key, in any bytes; for AWS KMS its ARN
	Ciphertext []byte
}

// A Header is the first part of a message. Do not change it.
type Header struct {
	Suite       Suite
	MessageID   [idLen]byte
	Context     map[string]string // the encryption context, PublicKey included
	DataKeys    []EncryptedDataKey
	FrameLength int // bytes of plaintext in every frame but the final one
	Commitment  [commitLen]byte

	body []byte // as stored, since the bytes are authenticated and context pairs may be in any order
	tag  [tagLen]byte
}

// Len returns the length of the header in bytes, its authentication tag included.
func (h *Header) Len() int { return len(h.body) + tagLen }

// encode sets h.body from the other fields, which must be within the bounds of the format.
func (h *Header) encode() {
	b := append(make([]byte, 0, 512), version)
	b = binary.BigEndian.AppendUint16(b, uint16(h.Suite))
	b = append(b, h.MessageID[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(contextLen(h.Context)))
	if len(h.Context) > 0 {
		b = binary.BigEndian.AppendUint16(b, uint16(len(h.Context)))
		for _, k := range slices.Sorted(maps.Keys(h.Context)) {
			b = appendField(b, k)
			b = appendField(b, h.Context[k])
		}
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(h.DataKeys)))
	for _, k := range h.DataKeys {
		b = appendField(b, k.Provider)
		b = appendField(b, k.Info)
		b = appendField(b, k.Ciphertext)
	}
	b = append(b, framed)
	b = binary.BigEndian.AppendUint32(b, uint32(h.FrameLength))
	h.body = append(b, h.Commitment[:]...)
}

func appendField[T string | []byte](b []byte, field T) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(field)))
	return append(b, field...)
}

// contextLen returns the length in bytes of the pairs of context as stored, their count included.
func contextLen(context map[string]string) int {
	if len(context) == 0 {
		return 0
	}
	n := 2
	for k, v := range context {
		n += 2 + len(k) + 2 + len(v)
	}
	return n
}

// checkContext returns what is wrong with the encryption context of a new message.
func checkContext(context map[string]string) error {
	for k, v := range context {
		switch {
		case strings.HasPrefix(k, reserved):
			return fmt.Errorf("encryption context: the prefix of %q is reserved", k)
		case !utf8.ValidString(k) || !utf8.ValidString(v):
			return fmt.Errorf("encryption context: %q is not UTF-8", k)
		}
	}
	return nil
}

// checkDataKeys returns what is wrong with the data keys of a new message.
func checkDataKeys(keys []EncryptedDataKey) error {
	if len(keys) == 0 || len(keys) > MaxDataKeys {
		return fmt.Errorf("%d encrypted data keys: a message has 1 to %d", len(keys), MaxDataKeys)
	}
	for i, k := range keys {
		switch {
		case max(len(k.Provider), len(k.Info), len(k.Ciphertext)) > maxField:
			return fmt.Errorf("encrypted data key %d: a field has at most %d bytes", i+1, maxField)
		case !utf8.ValidString(k.Provider):
			return fmt.Errorf("encrypted data key %d: the provider is not UTF-8", i+1)
		}
	}
	return nil
}

// ReadHeader reads the header of a message from src, and not one byte more. The header is well-formed and within
// bounds, but not authenticated: that takes the data key, and [NewReader].
func ReadHeader(src io.Reader) (*Header, error) {
	r := headerReader{src: src, b: make([]byte, 0, 1024)}
	h := new(Header)
	if err := r.header(h); err != nil {
		return nil, err
	}
	h.body = r.b[:len(r.b)-tagLen]
	return h, nil
}

// A headerReader reads a header field by field and keeps the bytes. Before the bytes of a field have arrived it
// allocates at most 64 KiB for them, whatever length is stated.
type headerReader struct {
	src io.Reader
	b   []byte
}

func (r *headerReader) next(n int) ([]byte, error) {
	at := len(r.b)
	r.b = slices.Grow(r.b, n)[:at+n]
	return r.b[at:], readFull(r.src, r.b[at:])
}

func (r *headerReader) uint16() (int, error) {
	b, err := r.next(2)
	if err != nil {
		return 0, err
	}
	return int(binary.BigEndian.Uint16(b)), nil
}

func (r *headerReader) field() ([]byte, error) {
	n, err := r.uint16()
	if err != nil {
		return nil, err
	}
	return r.next(n)
}

func (r *headerReader) header(h *Header) error {
	b, err := r.next(1 + 2)
	if err != nil {
		return err
	}
	if b[0] != version {
		return notAuthentic("not a message of version %d of the AWS Encryption SDK format", version)
	}
	h.Suite = Suite(binary.BigEndian.Uint16(b[1:]))
	if h.Suite != Signed && h.Suite != Unsigned {
		return notAuthentic("algorithm %v is not supported", h.Suite)
	}
	if b, err = r.next(idLen); err != nil {
		return err
	}
	copy(h.MessageID[:], b)

	pairs, err := r.field()
	if err != nil {
		return err
	}
	if h.Context, err = parseContext(pairs); err != nil {
		return err
	}
	if h.DataKeys, err = r.dataKeys(); err != nil {
		return err
	}

	if b, err = r.next(1 + 4 + commitLen + tagLen); err != nil {
		return err
	}
	if b[0] != framed {
		return notAuthentic("the body is not framed")
	}
	length := binary.BigEndian.Uint32(b[1:])
	if length == 0 || length > MaxFrameLength {
		return notAuthentic("frame length of %d bytes: at least 1 and at most %d", length, MaxFrameLength)
	}
	h.FrameLength = int(length)
	copy(h.Commitment[:], b[1+4:])
	copy(h.tag[:], b[1+4+commitLen:])
	return nil
}

// parseContext parses the pairs of an encryption context: nothing at all, or their count, then a key and a value for
// each. The specification has them sorted by key, but the official readers accept any order.
func parseContext(b []byte) (map[string]string, error) {
	context := make(map[string]string)
	if len(b) == 0 {
		return context, nil
	}
	malformed := notAuthentic("malformed encryption context")
	if len(b) < 2 {
		return nil, malformed
	}
	count := binary.BigEndian.Uint16(b)
	b = b[2:]
	for range count {
		k, rest, ok := cutField(b)
		if !ok {
			return nil, malformed
		}
		v, rest, ok := cutField(rest)
		if !ok {
			return nil, malformed
		}
		if _, ok := context[k]; ok {
			return nil, notAuthentic("the encryption context has %.64q twice", k)
		}
		context[k], b = v, rest
	}
	if len(b) > 0 {
		return nil, malformed
	}
	return context, nil
}

// cutField returns the UTF-8 string at the beginning of b, and what follows it.
func cutField(b []byte) (field string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n || !utf8.Valid(b[:n]) {
		return "", nil, false
	}
	return string(b[:n]), b[n:], true
}

func (r *headerReader) dataKeys() ([]EncryptedDataKey, error) {
	count, err := r.uint16()
	if err != nil {
		return nil, err
	}
	if count == 0 || count > MaxDataKeys {
		return nil, notAuthentic("%d encrypted data keys: at least 1 and at most %d", count, MaxDataKeys)
	}
	keys := make([]EncryptedDataKey, count)
	for i := range keys {
		var fields [3][]byte
		for f := range fields {
			if fields[f], err = r.field(); err != nil {
				return nil, err
			}
		}
		if !utf8.Valid(fields[0]) {
			return nil, notAuthentic("the provider of encrypted data key %d is not UTF-8", i+1)
		}
		keys[i] = EncryptedDataKey{string(fields[0]), string(fields[1]), slices.Clone(fields[2])}
	}
	return keys, nil
}

// read is src.Read, except that it repeats a read of 0 bytes without an error.
func read(src io.Reader, b []byte) (int, error) {
	for range 100 {
		if n, err := src.Read(b); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// readFull fills b. A message that ends too early is not authentic; any other error is that of src.
func readFull(src io.Reader, b []byte) error {
	for len(b) > 0 {
		n, err := read(src, b)
		if b = b[n:]; len(b) > 0 && err != nil {
			return truncated(err)
		}
	}
	return nil
}

// truncated returns the error for a message whose source returned err although more must follow. Only io.EOF itself
// means that the message is truncated: a source may wrap io.EOF in a failure of its own.
func truncated(err error) error {
	if err == io.EOF {
		return notAuthentic("the message is truncated")
	}
	return err
}
