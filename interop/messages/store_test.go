package messages

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"

	mpl "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygenerated"
	mpltypes "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygeneratedtypes"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/cloud"
	"microsecrets/lib/fakeaws"
	"microsecrets/lib/message"
	"microsecrets/lib/secret"
)

const location = "s3://" + fakeaws.DefaultBucket

// A bench is a store at an emulated S3 and KMS, and a client of each for the SDKs.
type bench struct {
	store *secret.Store
	s3    *s3.Client
	arn   string // of the key that the store's secrets are under
	ring  mpltypes.IKeyring
}

func newBench(t *testing.T, unsigned bool) *bench {
	t.Helper()
	server, err := fakeaws.New(fakeaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	for _, entry := range server.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		t.Setenv(name, value)
	}
	ctx := context.Background()
	aws, err := cloud.Open(ctx, cloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{s3: aws.S3()}
	if b.store, err = secret.Open(ctx, secret.Options{Store: location, Unsigned: unsigned}); err != nil {
		t.Fatal(err)
	}
	receipt, err := b.store.Put(ctx, "svc/first", strings.NewReader("makes the key"))
	if err != nil {
		t.Fatal(err)
	}
	b.arn = receipt.Key
	providers, err := mpl.NewClient(mpltypes.MaterialProvidersConfig{})
	if err != nil {
		t.Fatal(err)
	}
	b.ring, err = providers.CreateAwsKmsKeyring(ctx, mpltypes.CreateAwsKmsKeyringInput{KmsClient: aws.KMS(""), KmsKeyId: b.arn})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) put(t *testing.T, name string, plain []byte) {
	t.Helper()
	if _, err := b.store.Put(context.Background(), name, bytes.NewReader(plain)); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) getObject(t *testing.T, name string) []byte {
	t.Helper()
	bucket := fakeaws.DefaultBucket
	out, err := b.s3.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &name})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	msg, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func (b *bench) putObject(t *testing.T, name string, msg []byte) {
	t.Helper()
	bucket := fakeaws.DefaultBucket
	in := &s3.PutObjectInput{Bucket: &bucket, Key: &name, Body: bytes.NewReader(msg)}
	if _, err := b.s3.PutObject(context.Background(), in); err != nil {
		t.Fatal(err)
	}
}

// An engine is an official SDK with the emulated KMS.
type engine struct {
	encrypt func(b *bench, s shape, plain []byte) []byte
	decrypt func(b *bench, msg []byte) ([]byte, map[string]string)
}

func engines(t *testing.T) map[string]engine {
	o := newOfficial(t)
	js := func(job jsJob) jsResult {
		r := javascript(t, []jsJob{job})[0]
		if r.Error != "" {
			t.Error(r.Error)
		}
		return r
	}
	return map[string]engine{
		"Go": {
			encrypt: func(b *bench, s shape, plain []byte) []byte {
				msg, err := o.encryptBy(b.ring, s, plain)
				if err != nil {
					t.Fatal(err)
				}
				return msg
			},
			decrypt: func(b *bench, msg []byte) ([]byte, map[string]string) {
				plain, pairs, err := o.decryptBy(b.ring, msg)
				if err != nil {
					t.Error(err)
				}
				return plain, pairs
			},
		},
		"JavaScript": {
			encrypt: func(b *bench, s shape, plain []byte) []byte {
				return js(jsJob{Encrypt: &plain, Suite: s.suite, FrameLength: s.frameLen, Context: s.context, KMS: b.arn}).Data
			},
			decrypt: func(b *bench, msg []byte) ([]byte, map[string]string) {
				r := js(jsJob{Decrypt: msg, KMS: b.arn})
				return r.Data, r.Context
			},
		},
	}
}

// TestStore has each SDK read a secret as it is stored, and store one that is read as a secret.
func TestStore(t *testing.T) {
	ctx := context.Background()
	random := make([]byte, 200_000)
	rand.Read(random)
	for name, engine := range engines(t) {
		for _, suite := range []message.Suite{message.Signed, message.Unsigned} {
			t.Run(fmt.Sprint(name, "/", suite), func(t *testing.T) {
				b := newBench(t, suite == message.Unsigned)
				for _, size := range []int{0, 1, 65535, 65536, 65537, len(random)} {
					key, plain := fmt.Sprint("svc/ours-", size), random[:size]
					b.put(t, key, plain)
					got, pairs := engine.decrypt(b, b.getObject(t, key))
					if !bytes.Equal(got, plain) || pairs["ms-name"] != key || pairs["ms-store"] != location {
						t.Errorf("they read our %d bytes as %d in %v", size, len(got), pairs)
					}
				}
				for _, frameLen := range []int{1000, 65536} {
					key := fmt.Sprint("svc/theirs-", frameLen)
					pairs := maps.Clone(contexts["two orders"])
					pairs["ms-name"], pairs["ms-store"] = key, location
					b.putObject(t, key, engine.encrypt(b, shape{suite: suite, frameLen: frameLen, context: pairs}, random))
					if got, err := b.store.Get(ctx, key); err != nil || !bytes.Equal(got, random) {
						t.Errorf("we read their %d bytes in frames of %d as %d, %v", len(random), frameLen, len(got), err)
					}
					b.putObject(t, "svc/elsewhere", b.getObject(t, key))
					if got, err := b.store.Get(ctx, "svc/elsewhere"); got != nil || !errors.Is(err, message.ErrNotAuthentic) {
						t.Errorf("under another name it gives %d bytes, %v", len(got), err)
					}
				}
			})
		}
	}
}
