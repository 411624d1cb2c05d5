// Package keyring has KMS make, wrap and unwrap the data keys of messages. A
// keyring reads only what was made under the keys that it is configured with:
// KMS itself is asked to refuse any other, and its reply is compared.
package keyring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"golang.org/x/sync/errgroup"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/printable"
	"microsecrets/lib/message"
)

// Provider is the provider id of data keys that KMS has wrapped, as every
// AWS Encryption SDK writes it.
const Provider = "aws-kms"

// wrappedMax is how many bytes a ciphertext has that KMS takes.
const wrappedMax = 6144

type client interface {
	GenerateDataKey(context.Context, *kms.GenerateDataKeyInput, ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error)
	Encrypt(context.Context, *kms.EncryptInput, ...func(*kms.Options)) (*kms.EncryptOutput, error)
	Decrypt(context.Context, *kms.DecryptInput, ...func(*kms.Options)) (*kms.DecryptOutput, error)
}

// Keyring wraps and unwraps data keys. It is safe for concurrent use.
type Keyring struct {
	clientIn func(region string) client
	region   string
	keys     []string
	anyKey   bool
}

// New returns a keyring of the given keys, each a key id, a key ARN, an alias
// or an alias ARN. The first makes data keys, every further one wraps them
// as well. A key given as an ARN is reached in the ARN's region, any other in the
// client's own.
func New(c *awsclient.Client, keys []string) *Keyring {
	return &Keyring{
		clientIn: func(region string) client { return c.KMS(region) },
		region:   c.Region(),
		keys:     keys,
	}
}

// AnyKey returns a keyring that reads whatever KMS decrypts for the caller,
// under whichever key it was made, an attacker's own included.
func (k *Keyring) AnyKey() *Keyring {
	lifted := *k
	lifted.anyKey = true
	return &lifted
}

// Keys splits the setting key at its commas and puts the service in the place
// of {service}. A service that no alias can hold is an awsclient.ErrConfig: aliases
// are made of letters, digits, "_", "-" and "/".
func Keys(setting, service string) ([]string, error) {
	var keys []string
	for key := range strings.SplitSeq(setting, ",") {
		key = strings.TrimSpace(key)
		if key == "" {
			return nil, &awsclient.Error{Kind: awsclient.ErrConfig, Detail: "an empty key in the setting key"}
		}
		if strings.Contains(key, "{service}") {
			if !aliasable(service) {
				err := fmt.Sprintf("no KMS alias can hold this service: %q has characters outside A-Z a-z 0-9 _ -", service)
				return nil, hint.With(&awsclient.Error{Kind: awsclient.ErrConfig, Detail: err}, "name the key by -key")
			}
			key = strings.ReplaceAll(key, "{service}", service)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Region is where the first of the keys is, by default the client's own region.
func (k *Keyring) Region() string {
	if len(k.keys) > 0 {
		return k.regionOf(k.keys[0])
	}
	return k.region
}

func (k *Keyring) regionOf(key string) string {
	if a, ok := parseARN(key); ok {
		return a.region
	}
	return k.region
}

// Regions are where the keys are, one for each connection that Wrap uses: the first
// key's is free again when the others are asked, side by side.
func (k *Keyring) Regions() []string {
	first := k.Region()
	var regions []string
	for _, key := range k.keys[1:] {
		regions = append(regions, k.regionOf(key))
	}
	if !slices.Contains(regions, first) {
		regions = append(regions, first)
	}
	return regions
}

func aliasable(service string) bool { return printable.Word(service, len(service), "_-") }

// at returns the client for a key and how to name it in an error.
func (k *Keyring) at(key string) client {
	return k.clientIn(k.regionOf(key))
}

// Wrapped is a data key, as a message needs it.
type Wrapped struct {
	Key      []byte
	DataKeys []message.EncryptedDataKey
	Skew     time.Duration // how far KMS's clock is ahead of this machine's
}

// Wrap has KMS make a data key under the first key and wrap it under every
// other, bound to the encryption context: one GenerateDataKey, then one Encrypt
// for each further key, side by side. All must succeed.
func (k *Keyring) Wrap(ctx context.Context, encryptionContext map[string]string) (Wrapped, error) {
	dataKeys := make([]message.EncryptedDataKey, len(k.keys))
	made, err := k.at(k.keys[0]).GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId:             &k.keys[0],
		KeySpec:           types.DataKeySpecAes256,
		EncryptionContext: encryptionContext,
	})
	if err != nil {
		return Wrapped{}, k.failed(ctx, "GenerateDataKey", k.keys[0], err)
	}
	if len(made.Plaintext) != message.DataKeyLength {
		clear(made.Plaintext)
		return Wrapped{}, fmt.Errorf("KMS made a data key of %d bytes, not %d", len(made.Plaintext), message.DataKeyLength)
	}
	dataKeys[0], err = encrypted(made.KeyId, made.CiphertextBlob)
	others, ctx := errgroup.WithContext(ctx)
	for i, id := range k.keys[1:] {
		if err != nil {
			break
		}
		others.Go(func() error {
			out, err := k.at(id).Encrypt(ctx, &kms.EncryptInput{
				KeyId:             &id,
				Plaintext:         made.Plaintext,
				EncryptionContext: encryptionContext,
			})
			if err != nil {
				return k.failed(ctx, "Encrypt", id, err)
			}
			dataKeys[i+1], err = encrypted(out.KeyId, out.CiphertextBlob)
			return err
		})
	}
	if err := cmp.Or(err, others.Wait()); err != nil {
		clear(made.Plaintext)
		return Wrapped{}, err
	}
	skew, _ := awsmiddleware.GetAttemptSkew(made.ResultMetadata)
	return Wrapped{made.Plaintext, dataKeys, skew}, nil
}

func encrypted(keyID *string, blob []byte) (message.EncryptedDataKey, error) {
	if keyID == nil || len(blob) == 0 {
		return message.EncryptedDataKey{}, errors.New("KMS answered without a wrapped data key")
	}
	if a, ok := parseARN(*keyID); !ok || a.kind != "key" {
		return message.EncryptedDataKey{}, fmt.Errorf("KMS answered with %s, which is not the ARN of a key", Show(*keyID))
	}
	return message.EncryptedDataKey{Provider: Provider, Info: *keyID, Ciphertext: blob}, nil
}

// attempt is one way to try: a data key of the message under a configured key.
type attempt struct {
	dataKey message.EncryptedDataKey
	key     string // empty: whichever key it was made under
	rank    int
}

// id is the key that KMS is asked to decrypt with.
func (a attempt) id() string { return cmp.Or(a.key, a.dataKey.Info) }

// Unwrap has KMS decrypt one of a message's data keys under one of the
// configured keys, in the order of likelihood: the very ARN, a replica of a
// multi-region key, a key of the same account and region. A data key that
// cannot be unwrapped gives way to the next. Where all are under other keys
// than the configured ones the error is a message.ErrNotAuthentic.
func (k *Keyring) Unwrap(ctx context.Context, h *message.Header) ([]byte, error) {
	attempts := k.attempts(h.DataKeys)
	if len(attempts) == 0 {
		return nil, k.wrongKey(h.DataKeys)
	}
	var failure error
	silent := map[string]bool{} // the regions that have let the time pass are not asked again
	for _, a := range attempts {
		region := k.region
		if at, ok := parseARN(a.id()); ok {
			region = at.region
		}
		if silent[region] {
			continue
		}
		key, err := k.decrypt(ctx, a, h.Context)
		silent[region] = isStalled(err)
		switch {
		case err == nil:
			return key, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case failure == nil && !isWrongKey(err):
			failure = err
		}
	}
	if failure == nil {
		failure = k.wrongKey(h.DataKeys)
	}
	return nil, failure
}

func (k *Keyring) attempts(dataKeys []message.EncryptedDataKey) []attempt {
	var list []attempt
	for _, d := range dataKeys {
		made, ok := parseARN(d.Info)
		if d.Provider != Provider || !ok || made.kind != "key" || len(d.Ciphertext) == 0 || len(d.Ciphertext) > wrappedMax {
			continue
		}
		if k.anyKey {
			list = append(list, attempt{dataKey: d})
			continue
		}
		for _, key := range k.keys {
			if rank, ok := k.rank(key, made); ok {
				list = append(list, attempt{d, key, rank})
			}
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].rank < list[j].rank })
	return list
}

// rank orders the ways to try, likeliest first; it is false where the
// configured key cannot be the one that the data key was made under.
func (k *Keyring) rank(key string, made arn) (int, bool) {
	configured, ok := parseARN(key)
	switch {
	case ok && configured == made:
		return 0, true
	case ok && configured.replicaOf(made):
		return 1, true
	case ok && configured.kind == "key":
		return 0, false
	case ok && configured.account == made.account && configured.region == made.region:
		return 2, true
	case !ok && (key == made.id || k.region == made.region):
		return 2, true
	}
	return 3, true
}

func (k *Keyring) decrypt(ctx context.Context, a attempt, encryptionContext map[string]string) ([]byte, error) {
	in := &kms.DecryptInput{
		CiphertextBlob:    a.dataKey.Ciphertext,
		EncryptionContext: encryptionContext,
	}
	at := a.id()
	if a.key != "" {
		in.KeyId = &at
	}
	out, err := k.at(at).Decrypt(ctx, in)
	if err != nil {
		return nil, k.failed(ctx, "Decrypt", at, err)
	}
	made, _ := parseARN(a.dataKey.Info)
	used, ok := arn{}, false
	if out.KeyId != nil {
		used, ok = parseARN(*out.KeyId)
	}
	if !ok || used != made && !used.replicaOf(made) {
		clear(out.Plaintext)
		return nil, errWrongKey
	}
	if len(out.Plaintext) != message.DataKeyLength {
		clear(out.Plaintext)
		return nil, fmt.Errorf("%w: its data key has %d bytes, not %d", message.ErrNotAuthentic, len(out.Plaintext), message.DataKeyLength)
	}
	return out.Plaintext, nil
}

var errWrongKey = errors.New("made under another key")

func isWrongKey(err error) bool {
	var e *awsclient.Error
	if errors.As(err, &e) {
		return e.Code == "IncorrectKeyException" || e.Code == "InvalidCiphertextException"
	}
	return errors.Is(err, errWrongKey)
}

func isStalled(err error) bool {
	var e *awsclient.Error
	return errors.As(err, &e) && e.Stalled
}

// wrongKey names the keys that the message claims to be made under. What is not the
// ARN of a key is quoted.
func (k *Keyring) wrongKey(dataKeys []message.EncryptedDataKey) error {
	var made []string
	for _, d := range dataKeys {
		if d.Provider == Provider {
			made = append(made, Show(d.Info))
		}
	}
	if len(made) == 0 {
		return fmt.Errorf("%w: none of its data keys is of KMS", message.ErrNotAuthentic)
	}
	under := strings.Join(made, ", ")
	if k.anyKey {
		return fmt.Errorf("%w: its data key does not fit it (made under %s)", message.ErrNotAuthentic, under)
	}
	err := fmt.Errorf("%w: it does not decrypt under the configured key %s (made under %s)",
		message.ErrNotAuthentic, strings.Join(k.keys, ", "), under)
	for _, key := range k.keys {
		if a, ok := parseARN(made[0]); ok && a.kind == "key" && strings.Contains(key, "alias/") {
			return hint.With(err, "if you have moved the alias to another key: ms-rotate -from "+made[0]+" NAME")
		}
	}
	return err
}

func (k *Keyring) failed(ctx context.Context, op, key string, err error) error {
	return awsclient.Classify(ctx, op, err, awsclient.Facts{Key: Show(key)})
}
