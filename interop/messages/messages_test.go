// Package messages holds lib/message to the official AWS Encryption SDKs: each reads what the other wrote.
package messages

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	mpl "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygenerated"
	mpltypes "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygeneratedtypes"
	sdk "github.com/aws/aws-encryption-sdk/releases/go/encryption-sdk/awscryptographyencryptionsdksmithygenerated"
	sdktypes "github.com/aws/aws-encryption-sdk/releases/go/encryption-sdk/awscryptographyencryptionsdksmithygeneratedtypes"

	"microsecrets/lib/message"
)

// A wrappingKey is one of the SDK's raw AES keyrings and what lib/message needs to do the same.
type wrappingKey struct {
	name string
	raw  []byte
	aead cipher.AEAD
	ring mpltypes.IKeyring
}

// namespace is the provider of every data key here.
const namespace = "microsecrets interop"

// official is the SDK's client and three wrapping keys.
type official struct {
	client *sdk.Client
	keys   []wrappingKey
	rings  map[int]mpltypes.IKeyring // by the number of keys under which they wrap
}

func newOfficial(tb testing.TB) *official {
	tb.Helper()
	client, err := sdk.NewClient(sdktypes.AwsEncryptionSdkConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	providers, err := mpl.NewClient(mpltypes.MaterialProvidersConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	o := &official{client: client}
	for i := range 3 {
		k := wrappingKey{name: fmt.Sprint("key ", i), raw: bytes.Repeat([]byte{byte(i + 1)}, 32)}
		block, err := aes.NewCipher(k.raw)
		if err != nil {
			tb.Fatal(err)
		}
		if k.aead, err = cipher.NewGCM(block); err != nil {
			tb.Fatal(err)
		}
		k.ring, err = providers.CreateRawAesKeyring(context.Background(), mpltypes.CreateRawAesKeyringInput{
			KeyName:      k.name,
			KeyNamespace: namespace,
			WrappingAlg:  mpltypes.AesWrappingAlgAlgAes256GcmIv12Tag16,
			WrappingKey:  k.raw,
		})
		if err != nil {
			tb.Fatal(err)
		}
		o.keys = append(o.keys, k)
	}
	three, err := providers.CreateMultiKeyring(context.Background(), mpltypes.CreateMultiKeyringInput{
		Generator:     o.keys[0].ring,
		ChildKeyrings: []mpltypes.IKeyring{o.keys[1].ring, o.keys[2].ring},
	})
	if err != nil {
		tb.Fatal(err)
	}
	o.rings = map[int]mpltypes.IKeyring{1: o.keys[0].ring, 3: three}
	return o
}

// A raw AES keyring's provider info is the key's name, the bits of the tag (4 bytes), the bytes of the IV (4) and the
// IV; its additional data is the context as a message has it, without the length in front.

func (k *wrappingKey) wrap(dataKey []byte, context map[string]string) message.EncryptedDataKey {
	iv := make([]byte, k.aead.NonceSize())
	rand.Read(iv)
	info := binary.BigEndian.AppendUint32([]byte(k.name), 128)
	info = binary.BigEndian.AppendUint32(info, uint32(len(iv)))
	return message.EncryptedDataKey{
		Provider:   namespace,
		Info:       string(info) + string(iv),
		Ciphertext: k.aead.Seal(nil, iv, dataKey, serialize(context)),
	}
}

func (k *wrappingKey) unwrap(h *message.Header) ([]byte, error) {
	for _, d := range h.DataKeys {
		if iv, ok := strings.CutPrefix(d.Info, k.name); ok && d.Provider == namespace {
			return k.aead.Open(nil, []byte(iv[8:]), d.Ciphertext, serialize(h.Context))
		}
	}
	return nil, fmt.Errorf("no data key under %s", k.name)
}

func serialize(context map[string]string) []byte {
	if len(context) == 0 {
		return nil
	}
	b := binary.BigEndian.AppendUint16(nil, uint16(len(context)))
	for _, key := range slices.Sorted(maps.Keys(context)) {
		for _, field := range []string{key, context[key]} {
			b = binary.BigEndian.AppendUint16(b, uint16(len(field)))
			b = append(b, field...)
		}
	}
	return b
}

// A shape is what a message can differ in.
type shape struct {
	suite    message.Suite
	frameLen int
	context  map[string]string
	keys     int
}

func (s shape) String() string {
	return fmt.Sprintf("%v, frames of %d, %d pairs, %d keys", s.suite, s.frameLen, len(s.context), s.keys)
}

func (o *official) encrypt(s shape, plain []byte) ([]byte, error) {
	return o.encryptBy(o.rings[s.keys], s, plain)
}

func (o *official) encryptBy(ring mpltypes.IKeyring, s shape, plain []byte) ([]byte, error) {
	suite := mpltypes.ESDKAlgorithmSuiteIdAlgAes256GcmHkdfSha512CommitKeyEcdsaP384
	if s.suite == message.Unsigned {
		suite = mpltypes.ESDKAlgorithmSuiteIdAlgAes256GcmHkdfSha512CommitKey
	}
	frameLen := int64(s.frameLen)
	out, err := o.client.Encrypt(context.Background(), sdktypes.EncryptInput{
		Plaintext:         plain,
		AlgorithmSuiteId:  &suite,
		EncryptionContext: s.context,
		FrameLength:       &frameLen,
		Keyring:           ring,
	})
	if err != nil {
		return nil, err
	}
	return out.Ciphertext, nil
}

func (o *official) decrypt(msg []byte, key int) ([]byte, map[string]string, error) {
	return o.decryptBy(o.keys[key].ring, msg)
}

func (o *official) decryptBy(ring mpltypes.IKeyring, msg []byte) ([]byte, map[string]string, error) {
	out, err := o.client.Decrypt(context.Background(), sdktypes.DecryptInput{Ciphertext: msg, Keyring: ring})
	if err != nil {
		return nil, nil, err
	}
	return out.Plaintext, out.EncryptionContext, nil
}

// write is encrypt by lib/message.
func (o *official) write(dst io.Writer, s shape, plain []byte) error {
	options := message.WriterOptions{Suite: s.suite, Context: s.context, FrameLength: s.frameLen}
	w, err := message.NewWriter(dst, options, func(context map[string]string) ([]byte, []message.EncryptedDataKey, error) {
		dataKey := make([]byte, message.DataKeyLength)
		rand.Read(dataKey)
		var wrapped []message.EncryptedDataKey
		for _, k := range o.keys[:s.keys] {
			wrapped = append(wrapped, k.wrap(dataKey, context))
		}
		return dataKey, wrapped, nil
	})
	if err != nil {
		return err
	}
	if _, err := w.Write(plain); err != nil {
		return err
	}
	return w.Close()
}

// read is decrypt by lib/message.
func (o *official) read(dst io.Writer, msg []byte, key int) (*message.Header, error) {
	r, err := message.NewReader(bytes.NewReader(msg), message.ReaderOptions{AcceptUnsigned: true}, o.keys[key].unwrap)
	if err != nil {
		return nil, err
	}
	_, err = r.WriteTo(dst)
	return r.Header(), err
}

var contexts = map[string]map[string]string{
	"none":      {},
	"one":       {"ms-name": "service/env"},
	"eight":     {"a": "1", "b": "2", "c": "3", "d": "4", "e": "", "f": "6", "g": "7", "hh": strings.Repeat("x", 5000)},
	"non-ASCII": {"ключ": "значение", "é": "clé", "e\u0301": "decomposed", "鍵": "\U0001F511"},
	// By the bytes of UTF-8 these are in another order than by the units of UTF-16, by which JavaScript sorts.
	"two orders": {"\uffee": "first", "\U0001F511": "second"},
}

// TestBothWays has every shape, at sizes around the boundaries of its frames.
func TestBothWays(t *testing.T) {
	o := newOfficial(t)
	random := make([]byte, 2<<20+1)
	rand.Read(random)
	var high, low counter
	for _, suite := range []message.Suite{message.Signed, message.Unsigned} {
		for _, frameLen := range []int{1, 16, 4096, 65536, 1 << 20} {
			for _, size := range []int{0, 1, frameLen - 1, frameLen, frameLen + 1, 2*frameLen - 1, 2 * frameLen, 2*frameLen + 1} {
				for name, pairs := range contexts {
					keys := 1
					if name == "one" || name == "eight" {
						keys = 3
					}
					s := shape{suite, frameLen, pairs, keys}
					o.theyRead(t, s, random[:size], &high.ours, &low.ours)
					o.weRead(t, s, random[:size], &high.theirs, &low.theirs)
				}
			}
		}
	}
	if high.ours == 0 || high.theirs == 0 || low.ours == 0 || low.theirs == 0 {
		t.Errorf("signatures of high S: %+v, of low S: %+v", high, low)
	}
}

type counter struct{ ours, theirs int }

func (o *official) theyRead(t *testing.T, s shape, plain []byte, high, low *int) {
	t.Helper()
	var msg bytes.Buffer
	if err := o.write(&msg, s, plain); err != nil {
		t.Fatalf("%v: %v", s, err)
	}
	got, pairs, err := o.decrypt(msg.Bytes(), s.keys-1)
	if err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%v: they read our %d bytes as %d, %v", s, len(plain), len(got), err)
	}
	delete(pairs, message.PublicKey)
	if !maps.Equal(pairs, s.context) {
		t.Errorf("%v: they read our context as %v", s, pairs)
	}
	countS(t, s, msg.Bytes(), high, low)
}

func (o *official) weRead(t *testing.T, s shape, plain []byte, high, low *int) {
	t.Helper()
	msg, err := o.encrypt(s, plain)
	if err != nil {
		t.Fatalf("%v: %v", s, err)
	}
	var got bytes.Buffer
	h, err := o.read(&got, msg, s.keys-1)
	if err != nil || !bytes.Equal(got.Bytes(), plain) {
		t.Errorf("%v: we read their %d bytes as %d, %v", s, len(plain), got.Len(), err)
		return
	}
	pairs := maps.Clone(h.Context)
	delete(pairs, message.PublicKey)
	if !maps.Equal(pairs, s.context) || h.Suite != s.suite || h.FrameLength != s.frameLen || len(h.DataKeys) != s.keys {
		t.Errorf("%v: we read their header as %+v", s, h)
	}
	countS(t, s, msg, high, low)
}

// countS looks at the signature at the end of a signed message.
func countS(t *testing.T, s shape, msg []byte, high, low *int) {
	t.Helper()
	if s.suite == message.Unsigned {
		return
	}
	const length = 103
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(msg[len(msg)-length:], &sig); err != nil {
		t.Errorf("%v: not a signature of %d bytes: %v", s, length, err)
		return
	}
	if half := new(big.Int).Rsh(elliptic.P384().Params().N, 1); sig.S.Cmp(half) > 0 {
		*high++
	} else {
		*low++
	}
}

// TestBothRefuse alters a message of each kind here and there: neither accepts what the other does not.
func TestBothRefuse(t *testing.T) {
	o := newOfficial(t)
	for _, suite := range []message.Suite{message.Signed, message.Unsigned} {
		s := shape{suite, 16, contexts["one"], 1}
		var msg bytes.Buffer
		if err := o.write(&msg, s, make([]byte, 40)); err != nil {
			t.Fatal(err)
		}
		for at := 0; at < msg.Len(); at += 3 {
			altered := bytes.Clone(msg.Bytes())
			altered[at] ^= 0x10
			_, _, theirs := o.decrypt(altered, 0)
			_, ours := o.read(io.Discard, altered, 0)
			if theirs == nil || ours == nil {
				t.Errorf("%v, altered at %d of %d: they say %v, we say %v", s, at, msg.Len(), theirs, ours)
			}
		}
		for _, extra := range []string{"\x00", "\xff\xff\xff\xff"} {
			longer := append(bytes.Clone(msg.Bytes()), extra...)
			_, _, theirs := o.decrypt(longer, 0)
			_, ours := o.read(io.Discard, longer, 0)
			if theirs == nil || !errors.Is(ours, message.ErrNotAuthentic) {
				t.Errorf("%v, with %q after it: they say %v, we say %v", s, extra, theirs, ours)
			}
		}
	}
}
