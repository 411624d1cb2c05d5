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
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
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
	fake := fakeawstest.Start(t)
	fake.Setenv()
	ctx := context.Background()
	cfg := fake.Config()
	b := &bench{s3: s3.NewFromConfig(cfg)}
	var err error
	if b.store, err = secret.Open(ctx, location, &secret.Options{Unsigned: unsigned}); err != nil {
		t.Fatal(err)
	}
	receipt, err := b.store.Put(ctx, "svc/first", strings.NewReader("makes the key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	b.arn = receipt.Key
	providers, err := mpl.NewClient(mpltypes.MaterialProvidersConfig{})
	if err != nil {
		t.Fatal(err)
	}
	b.ring, err = providers.CreateAwsKmsKeyring(ctx, mpltypes.CreateAwsKmsKeyringInput{KmsClient: kms.NewFromConfig(cfg), KmsKeyId: b.arn})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) put(t *testing.T, name string, plain []byte) {
	t.Helper()
	if _, err := b.store.Put(context.Background(), name, bytes.NewReader(plain), nil); err != nil {
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

// An engine is an official SDK with the emulated KMS. It does several at a time, since node takes long to start.
type engine struct {
	encrypt func(t *testing.T, b *bench, cases []messageCase) [][]byte
	decrypt func(t *testing.T, b *bench, msgs [][]byte) []decrypted
}

type decrypted struct {
	plain   []byte
	context map[string]string
}

var engines = map[string]engine{
	"Go": {
		encrypt: func(t *testing.T, b *bench, cases []messageCase) (msgs [][]byte) {
			o := newOfficial(t)
			for _, c := range cases {
				msg, err := o.encryptBy(b.ring, c.shape, c.plain)
				if err != nil {
					t.Fatal(err)
				}
				msgs = append(msgs, msg)
			}
			return msgs
		},
		decrypt: func(t *testing.T, b *bench, msgs [][]byte) (all []decrypted) {
			o := newOfficial(t)
			for _, msg := range msgs {
				plain, pairs, err := o.decryptBy(b.ring, msg)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, decrypted{plain, pairs})
			}
			return all
		},
	},
	"JavaScript": {
		encrypt: func(t *testing.T, b *bench, cases []messageCase) (msgs [][]byte) {
			var jobs []jsJob
			for _, c := range cases {
				jobs = append(jobs, jsJob{
					Encrypt: &c.plain, Suite: c.suite, FrameLength: c.frameLen, Context: c.context, KMS: b.arn,
				})
			}
			for _, r := range javascript(t, jobs) {
				msgs = append(msgs, r.Data)
			}
			return msgs
		},
		decrypt: func(t *testing.T, b *bench, msgs [][]byte) (all []decrypted) {
			var jobs []jsJob
			for _, msg := range msgs {
				jobs = append(jobs, jsJob{Decrypt: msg, KMS: b.arn})
			}
			for _, r := range javascript(t, jobs) {
				if r.Error != "" {
					t.Fatal(r.Error)
				}
				all = append(all, decrypted{r.Data, r.Context})
			}
			return all
		},
	},
}

// TestStoreReads has each SDK read secrets as they are stored.
func TestStoreReads(t *testing.T) {
	random := make([]byte, 200_000)
	rand.Read(random)
	for name, engine := range engines {
		for _, suite := range []message.Suite{message.Signed, message.Unsigned} {
			t.Run(fmt.Sprint(name, "/", suite), func(t *testing.T) {
				b := newBench(t, suite == message.Unsigned)
				sizes := []int{0, 1, 65535, 65536, 65537, len(random)}
				var msgs [][]byte
				for _, size := range sizes {
					b.put(t, fmt.Sprint("svc/", size), random[:size])
					msgs = append(msgs, b.getObject(t, fmt.Sprint("svc/", size)))
				}
				for i, got := range engine.decrypt(t, b, msgs) {
					name := fmt.Sprint("svc/", sizes[i])
					if !bytes.Equal(got.plain, random[:sizes[i]]) {
						t.Errorf("they read our %d bytes as %d others", sizes[i], len(got.plain))
					}
					if got.context["ms-name"] != name || got.context["ms-store"] != location {
						t.Errorf("they read our context as %v", got.context)
					}
				}
			})
		}
	}
}

// TestStoreWrites has each SDK store messages that are then read as secrets, but only where they were written for.
func TestStoreWrites(t *testing.T) {
	ctx := context.Background()
	random := make([]byte, 200_000)
	rand.Read(random)
	for name, engine := range engines {
		for _, suite := range []message.Suite{message.Signed, message.Unsigned} {
			t.Run(fmt.Sprint(name, "/", suite), func(t *testing.T) {
				b := newBench(t, suite == message.Unsigned)
				var cases []messageCase
				for _, frameLen := range []int{1000, 4096, 65536} {
					pairs := maps.Clone(contexts["two orders"])
					pairs["ms-name"], pairs["ms-store"] = fmt.Sprint("svc/", frameLen), location
					cases = append(cases, messageCase{shape{suite: suite, frameLen: frameLen, context: pairs}, random})
				}
				for i, msg := range engine.encrypt(t, b, cases) {
					name := cases[i].context["ms-name"]
					b.putObject(t, name, msg)
					if got, err := b.store.Get(ctx, name, nil); err != nil || !bytes.Equal(got, random) {
						t.Errorf("%v: we read their %d bytes as %d, %v", cases[i].shape, len(random), len(got), err)
					}
					b.putObject(t, "svc/elsewhere", msg)
					if got, err := b.store.Get(ctx, "svc/elsewhere", nil); got != nil || !errors.Is(err, message.ErrNotAuthentic) {
						t.Errorf("%v: under another name it gives %d bytes, %v", cases[i].shape, len(got), err)
					}
				}
			})
		}
	}
}
