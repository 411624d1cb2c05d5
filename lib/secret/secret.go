// Package secret keeps secrets by name in an S3 bucket, each one object,
// encrypted and signed on the client as an AWS Encryption SDK message with a
// data key from KMS. A secret is bound to its store, its name and its key.
//
// What was put is what is got, byte for byte:
//
//	store, err := secret.Open(ctx, secret.Options{Store: "s3://example-microsecrets/prod"})
//	…
//	_, err = store.Put(ctx, "myservice/tls.key", bytes.NewReader(key))
//	…
//	key, err := store.Get(ctx, "myservice/tls.key")
package secret

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/internal/keyring"
	"microsecrets/lib/message"
)

// The failures that callers tell apart, by errors.Is. Any other, a disabled key
// for one, is for a person to judge.
var (
	ErrNotFound     = errors.New("no such secret")
	ErrConflict     = awsclient.ErrConflict // it has changed meanwhile
	ErrIgnored      = bucket.ErrIgnored     // by a server that Options.LastWriterWins does not allow for
	ErrDenied       = awsclient.ErrDenied
	ErrNotAuthentic = message.ErrNotAuthentic
	ErrUnreachable  = awsclient.ErrUnreachable
)

// DefaultKey is the setting key where none is given.
const DefaultKey = "alias/microsecrets-{service}"

// Held is how many bytes of a secret Get holds in memory until all of them are
// verified, and so the largest secret that it returns.
const Held = 64 << 20

// The encryption context's keys. All of them are stored in clear in the
// object's header and are sent to KMS.
const (
	contextStore = "ms-store"
	contextName  = "ms-name"
	contextBy    = "ms-by"
	contextAt    = "ms-at"
)

// Options say where secrets are, under which keys, and how they are reached.
// Only Store is needed.
type Options struct {
	Store string // s3://BUCKET or s3://BUCKET/PREFIX

	// Key is a KMS key in any form that KMS takes, or several with commas:
	// the first makes data keys, every further one wraps them too, and any one
	// of them is enough to read. {service} in it is the name's service. Empty
	// means DefaultKey.
	Key string

	// Origin is the store that the objects were written for, where Store is a
	// replica of it. With it set nothing can be put.
	Origin string

	By       string // who writes: a claim of at most 256 bytes, stored in clear
	Unsigned bool   // write and accept messages without a signature; see doc/threats.md

	Owner string // the account that must own the bucket, 12 digits
	SSE   string // the server-side encryption header, aws:kms or AES256

	// LastWriterWins goes on at a server that ignores the conditions of writes,
	// where the writer that comes last silently undoes what others wrote.
	LastWriterWins bool

	awsclient.Options
}

// Store is a store of secrets. It is safe for concurrent use.
type Store struct {
	location Location
	origin   Location
	options  Options
	cloud    *awsclient.Cloud
	bucket   *bucket.Bucket
	version  string // to read, of every secret; empty: the latest
	anyKey   bool
}

// Open returns a store. It obtains credentials, but makes no request to S3 or
// KMS. An Options.Store that is none is an ErrBadName, no region a
// awsclient.ErrConfig, no credentials an ErrDenied.
func Open(ctx context.Context, o Options) (*Store, error) {
	location, err := ParseLocation(o.Store)
	if err != nil {
		return nil, err
	}
	origin := location
	if o.Origin != "" {
		if origin, err = ParseLocation(o.Origin); err != nil {
			return nil, err
		}
	}
	if o.Key == "" {
		o.Key = DefaultKey
	}
	c, err := awsclient.Open(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	client := c.S3()
	return &Store{
		location: location,
		origin:   origin,
		options:  o,
		cloud:    c,
		bucket: bucket.New(client, location.Bucket, bucket.Options{
			Owner:   o.Owner,
			SSE:     o.SSE,
			Trusted: resolvedBySDK(client) || o.LastWriterWins,
		}),
	}, nil
}

// resolvedBySDK tells whether a client goes to S3 itself, which honours
// conditions: no endpoint was configured.
func resolvedBySDK(c *s3.Client) bool { return c.Options().BaseEndpoint == nil }

// Location is where the store is.
func (s *Store) Location() Location { return s.location }

// CheckKey tells whether a secret of this name can have a key: whether the
// setting key, with the name's service in it, names KMS keys.
func CheckKey(key, name string) error {
	_, err := keyring.Keys(key, Service(name))
	return err
}

// At returns a store that reads this version of a secret in place of the latest
// one: a version id, as Versions lists it. A version that is none, or that is a
// deletion, is an ErrNotFound.
func (s *Store) At(version string) *Store {
	at := *s
	at.version = version
	return &at
}

// AnyKey returns a store that reads whatever KMS decrypts for the caller, under
// whichever key it was made, an attacker's own included.
func (s *Store) AnyKey() *Store {
	lifted := *s
	lifted.anyKey = true
	return &lifted
}

func (s *Store) keyring(name string) (*keyring.Keyring, error) {
	if s.anyKey {
		return keyring.New(s.cloud, nil).AnyKey(), nil
	}
	keys, err := keyring.Keys(s.options.Key, Service(name))
	if err != nil {
		return nil, err
	}
	return keyring.New(s.cloud, keys), nil
}

func (s *Store) suite() message.Suite {
	if s.options.Unsigned {
		return message.Unsigned
	}
	return message.Signed
}

// nameError is a failure of one secret. Its text begins with the name.
type nameError struct {
	name string
	err  error
}

func (e *nameError) Error() string { return e.name + ": " + e.err.Error() }
func (e *nameError) Unwrap() error { return e.err }

// named puts the secret's name before its error, once, and says in the words of
// secrets what S3 says in those of objects.
func (s *Store) named(name string, err error) error {
	var done *nameError
	if err == nil || errors.As(err, &done) {
		return err
	}
	var e *awsclient.Error
	switch {
	case !errors.Is(err, awsclient.ErrNotFound):
	case s.version != "" && errors.As(err, &e):
		err = &advised{fmt.Errorf("%w in %s: %s", ErrNotFound, s.location, e.Detail), "ms-ls -versions lists the versions"}
	default:
		err = fmt.Errorf("%w in %s", ErrNotFound, s.location)
	}
	return &nameError{name, err}
}

// Claims are what a secret's writer says of the writing. They are authentic:
// written by somebody who had the key. They are not proof of who that was.
type Claims struct {
	By string
	At time.Time // zero if absent or not RFC 3339
}

func claims(h *message.Header) Claims {
	at, _ := time.Parse(time.RFC3339, h.Context[contextAt])
	return Claims{By: h.Context[contextBy], At: at}
}
