package secret

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"microsecrets/lib/bucket"
	"microsecrets/lib/cloud"
	"microsecrets/lib/message"
)

// Secret is a secret that is being read. Bytes come out as soon as the frame
// that holds them is authenticated, the last frame only after the signature
// too: whoever must not act on a part of a secret holds all until io.EOF.
type Secret struct {
	Name    string
	Size    int64  // of the stored message, in bytes
	ETag    string // without its quotes
	Version string // empty where the bucket keeps no versions
	Claims

	object *bucket.Object
	reader *message.Reader
	sum    hash.Hash
	named  func(error) error
}

// Open begins to read a secret, which the caller closes: one GetObject and one
// Decrypt. A header that is altered, unsigned, or bound to another store, name
// or key is an ErrNotAuthentic, an absent secret an ErrNotFound.
func (s *Store) Open(ctx context.Context, name string) (*Secret, error) {
	opened, err := s.open(ctx, name)
	if err != nil {
		return nil, s.named(name, err)
	}
	return opened, nil
}

func (s *Store) open(ctx context.Context, name string) (*Secret, error) {
	key, err := s.location.key(name)
	if err != nil {
		return nil, err
	}
	ring, err := s.keyring(name)
	if err != nil {
		return nil, err
	}
	object, err := s.bucket.Get(ctx, key, s.version)
	if err != nil {
		return nil, hinted(err)
	}
	sum := sha256.New()
	r, err := message.NewReader(io.TeeReader(object, sum), message.ReaderOptions{AcceptUnsigned: s.options.Unsigned},
		func(h *message.Header) ([]byte, error) {
			if err := s.bound(h, name); err != nil {
				return nil, err
			}
			return ring.Unwrap(ctx, h)
		})
	if err != nil {
		object.Close()
		return nil, err
	}
	return &Secret{
		Name:    name,
		Size:    object.Size,
		ETag:    unquote(object.ETag),
		Version: object.Version,
		Claims:  claims(r.Header()),
		object:  object,
		reader:  r,
		sum:     sum,
		named:   func(err error) error { return s.named(name, err) },
	}, nil
}

// bound compares what a message says that it is with what was asked for.
func (s *Store) bound(h *message.Header, name string) error {
	store, ok := h.Context[contextStore]
	gotName, okName := h.Context[contextName]
	switch {
	case !ok || !okName:
		return fmt.Errorf("%w: the object names no store and no secret that it was written for", ErrNotAuthentic)
	case gotName != name:
		return fmt.Errorf("%w: the object was written for the name %+q, not for %q", ErrNotAuthentic, gotName, name)
	case store != s.origin.String():
		return &advised{
			fmt.Errorf("%w: the object was written for the store %+q, not for %q", ErrNotAuthentic, store, s.origin),
			"a replica of a store is read with the setting origin",
		}
	}
	return nil
}

// Read yields the plaintext. An error before io.EOF means that the rest, and
// with it all that was read, is not to be trusted.
func (s *Secret) Read(p []byte) (int, error) {
	n, err := s.reader.Read(p)
	if err != nil && err != io.EOF {
		err = s.named(err)
	}
	return n, err
}

// WriteTo writes the plaintext to w, frame by frame as each is authenticated.
func (s *Secret) WriteTo(w io.Writer) (int64, error) {
	n, err := s.reader.WriteTo(w)
	return n, s.named(err)
}

// MessageSum is the SHA-256 of the stored message, once all of it was read.
func (s *Secret) MessageSum() [sha256.Size]byte { return [sha256.Size]byte(s.sum.Sum(nil)) }

// Close ends the reading.
func (s *Secret) Close() error { return s.object.Close() }

// ErrTooLarge is the error of getting, whole, a secret of more than Held bytes.
var ErrTooLarge = fmt.Errorf("a secret of over %d MiB cannot be held in memory until it is verified", Held>>20)

// All reads the rest of a secret and returns it when all of it is verified.
// More than limit bytes, or than Held, are an ErrTooLarge.
func (s *Secret) All(limit int64) ([]byte, error) {
	limit = min(limit, Held)
	var b bytes.Buffer
	b.Grow(int(min(max(s.Size, 0), limit)) + bytes.MinRead)
	switch n, err := io.Copy(&b, io.LimitReader(s, limit+1)); {
	case err != nil:
		clear(b.Bytes())
		return nil, err
	case n > limit:
		clear(b.Bytes())
		return nil, s.named(ErrTooLarge)
	}
	return b.Bytes(), nil
}

// Get returns a secret, all of it verified.
func (s *Store) Get(ctx context.Context, name string) ([]byte, error) {
	opened, err := s.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	return opened.All(Held)
}

// advised is an error with a remedy.
type advised struct {
	error
	hint string
}

func (e *advised) Unwrap() error { return e.error }

// Hint is the remedy.
func (e *advised) Hint() string { return e.hint }

// hinted adds what a 403 may stand for: S3 does not tell whoever may not list
// that an object is absent.
func hinted(err error) error {
	var e *cloud.Error
	if errors.As(err, &e) && errors.Is(err, cloud.ErrDenied) && e.Code == "AccessDenied" {
		e.Advice = "this may mean that the secret is absent, and that you may not list the bucket"
	}
	return err
}

func unquote(etag string) string { return strings.Trim(etag, `"`) }
