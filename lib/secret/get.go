package secret

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"strings"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/message"
)

// Stored tells of a secret's object.
type Stored struct {
	Name    string
	Size    int64  // of the stored message, in bytes
	ETag    string // without its quotes
	Version string // empty where the bucket keeps no versions
}

// Secret is a secret that is being read. Bytes come out as soon as the frame
// that holds them is authenticated, the last frame only after the signature
// too: whoever must not act on a part of a secret holds all until io.EOF, or
// has it verified first, by Verify.
type Secret struct {
	Stored
	Claims

	store   *Store
	object  *bucket.Object
	sum     hash.Hash       // nil if nobody asks for it
	header  *message.Header // of OpenRaw nil
	content content
	begin   func(*Secret) error // sets content

	compared bool // with what was verified before
}

type content interface {
	io.Reader
	io.WriterTo
}

// Open begins to read a secret, which the caller closes: one GetObject, of a
// large one several, and one Decrypt. A header that is altered, unsigned, or
// bound to another store, name or key is an ErrNotAuthentic, an absent secret
// an ErrNotFound. A secret that changes while it is read is an ErrConflict.
func (s *Store) Open(ctx context.Context, name string) (*Secret, error) {
	ring, err := s.keyring(name)
	if err != nil {
		return nil, s.named(name, err)
	}
	return s.open(ctx, name, func(opened *Secret) error {
		r, err := message.NewReader(stored{opened}, message.ReaderOptions{
			AcceptUnsigned: s.options.Unsigned,
			SkipSignature:  opened.compared,
		},
			func(h *message.Header) ([]byte, error) {
				if err := s.bound(h, name); err != nil {
					return nil, err
				}
				return ring.Unwrap(ctx, h)
			})
		if err != nil {
			return err
		}
		opened.content, opened.header, opened.Claims = r, r.Header(), claims(r.Header())
		return nil
	})
}

// OpenRaw begins to read the message that holds a secret, in the place of the
// secret: encrypted, and not verified in any way. KMS is not asked.
func (s *Store) OpenRaw(ctx context.Context, name string) (*Secret, error) {
	return s.open(ctx, name, func(opened *Secret) error {
		opened.content = raw{stored{opened}}
		return nil
	})
}

// raw is content that is what is stored.
type raw struct{ io.Reader }

func (r raw) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, r.Reader, make([]byte, 256<<10))
}

func (s *Store) open(ctx context.Context, name string, begin func(*Secret) error) (*Secret, error) {
	key, err := s.location.key(name)
	if err != nil {
		return nil, s.named(name, err)
	}
	object, err := s.bucket.Get(ctx, key, s.version)
	if err != nil {
		return nil, s.named(name, hinted(err))
	}
	opened := &Secret{
		Stored: Stored{name, object.Size, unquote(object.ETag), object.Version},
		store:  s,
		object: object,
		sum:    sha256.New(),
		begin:  begin,
	}
	if err := begin(opened); err != nil {
		object.Close()
		return nil, s.named(name, err)
	}
	return opened, nil
}

// again begins to read the same once more, on condition that the object has not
// changed. What comes is to be compared with what was verified.
func (s *Secret) again(ctx context.Context) (*Secret, error) {
	object, err := s.object.Again(ctx)
	if err != nil {
		return nil, s.named(err)
	}
	opened := &Secret{Stored: s.Stored, store: s.store, object: object, compared: true}
	if err := s.begin(opened); err != nil {
		object.Close()
		return nil, s.named(err)
	}
	return opened, nil
}

// Context is the encryption context but for what binds it to its store and its
// name: the claims, as PutOptions take them.
func (s *Secret) Context() map[string]string {
	claims := maps.Clone(s.header.Context)
	for _, key := range []string{contextStore, contextName, message.PublicKey} {
		delete(claims, key)
	}
	return claims
}

// receipt is of the secret as it is stored, once all of it was read.
func (s *Secret) receipt(size int64) *Receipt {
	return &Receipt{
		Name:    s.Name,
		Outcome: Unchanged,
		SHA256:  s.MessageSum(),
		Size:    size,
		ETag:    s.ETag,
		Version: s.Version,
		Key:     s.header.DataKeys[0].Info,
	}
}

// stored yields the message's bytes, and sums them.
type stored struct{ of *Secret }

func (s stored) Read(p []byte) (int, error) {
	n, err := s.of.object.Read(p)
	if s.of.sum != nil {
		s.of.sum.Write(p[:n])
	}
	return n, err
}

func (s *Secret) named(err error) error { return s.store.named(s.Name, err) }

// Inspect reads the header of the message that holds a secret: one GetObject,
// and nothing of KMS. It is well-formed, and not verified in any way; where
// there is none the error is an ErrNotAuthentic.
func (s *Store) Inspect(ctx context.Context, name string) (Stored, *message.Header, error) {
	opened, err := s.OpenRaw(ctx, name)
	if err != nil {
		return Stored{}, nil, err
	}
	defer opened.Close()
	h, err := message.ReadHeader(stored{opened})
	return opened.Stored, h, s.named(name, err)
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
	n, err := s.content.Read(p)
	if err != nil && err != io.EOF {
		err = s.named(err)
	}
	return n, err
}

// WriteTo writes the plaintext to w, frame by frame as each is authenticated.
func (s *Secret) WriteTo(w io.Writer) (int64, error) {
	n, err := s.content.WriteTo(w)
	return n, s.named(err)
}

// MessageSum is the SHA-256 of the stored message, once all of it was read.
func (s *Secret) MessageSum() [sha256.Size]byte { return [sha256.Size]byte(s.sum.Sum(nil)) }

// SkipSum has the rest read without MessageSum, which takes its time.
func (s *Secret) SkipSum() { s.sum = nil }

// Close ends the reading.
func (s *Secret) Close() error { return s.object.Close() }

// ErrTooLarge is the error of getting, whole, a secret of more than Held bytes.
var ErrTooLarge = fmt.Errorf("a secret of over %d MiB cannot be held in memory until it is verified", Held>>20)

// All reads the rest of a secret and returns it when all of it is verified.
// More than limit bytes are an ErrTooLarge.
func (s *Secret) All(limit int64) ([]byte, error) {
	h := held{make([]byte, 0, min(max(s.Size, 0), limit)), limit}
	if _, err := s.WriteTo(&h); err != nil {
		clear(h.bytes)
		return nil, err
	}
	return h.bytes, nil
}

// held takes what it is given, up to a limit.
type held struct {
	bytes []byte
	limit int64
}

func (h *held) Write(p []byte) (int, error) {
	if int64(len(h.bytes)+len(p)) > h.limit {
		return 0, ErrTooLarge
	}
	h.bytes = append(h.bytes, p...)
	return len(p), nil
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
// that an object is absent. The answer to a HeadObject has no code but its
// status's name.
func hinted(err error) error {
	var e *awsclient.Error
	if errors.As(err, &e) && errors.Is(err, awsclient.ErrDenied) && (e.Code == "AccessDenied" || e.Code == "Forbidden") {
		e.Advice = "this may mean that the secret is absent, and that you may not list the bucket"
	}
	return err
}

func unquote(etag string) string { return strings.Trim(etag, `"`) }
