package secret

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/keyring"
	"microsecrets/lib/internal/printable"
	"microsecrets/lib/message"
)

// GetOptions say which version of a secret is read, and what it must be.
type GetOptions struct {
	// Version is a version id, as Versions lists it; empty means the latest. One
	// that does not exist, or that is a deletion, is an ErrNotFound.
	Version string

	// AnyKey reads whatever KMS decrypts for the caller, under whichever key it was
	// made, an attacker's own included.
	AnyKey bool

	Checksum Checksum // nil: none

	// HeldMax, of NewReader alone, is the length in bytes of the longest stored message
	// whose content may be held in memory; 0 or below means as long as MaxInMemory
	// allows. A smaller one suits who reads many secrets at once, and few of them twice.
	HeldMax int64
}

// Info is what is known of a stored secret.
type Info struct {
	Name     string
	URL      string    // s3://BUCKET/PREFIX/NAME, with ?versionId= where there is one
	Size     int64     // of the stored message, in bytes; -1 if the server did not say
	Modified time.Time // when it was stored, as the server says
	ETag     string    // without its quotes
	Version  string    // empty where the bucket keeps no versions

	// By and At are the claims of who wrote the secret, and when: authentic, written
	// by somebody who had the key, but no proof of who that was. They are empty if the
	// message is raw or makes no claim.
	By string
	At time.Time
}

// attempts is how often an operation is tried while other writers replace the
// secret that it reads.
const attempts = 8

// Get returns a secret of at most MaxInMemory bytes, all of it verified: one
// GetObject, of a large one several, and one Decrypt. A longer one is an
// ErrTooLarge, an absent one an ErrNotFound; one that is altered, unsigned, or
// bound to another store, name or key is an ErrNotAuthentic.
func (s *Store) Get(ctx context.Context, name string, o *GetOptions) ([]byte, error) {
	var plaintext []byte
	err := s.reading(ctx, name, orZero(o), func(r *opened, c *check) error {
		var err error
		plaintext, err = r.all(MaxInMemory, c)
		return err
	})
	return plaintext, s.fail("get", name, err)
}

// Stream writes a secret to dst frame by frame, as each is authenticated, in
// constant memory. Until it returns nil it is not known that the secret is whole,
// nor who made it: what dst was given must not be used, or must be undone. A
// temporary file is a good dst.
func (s *Store) Stream(ctx context.Context, name string, dst io.Writer, o *GetOptions) (*Info, error) {
	given := orZero(o)
	var info *Info
	err := s.reading(ctx, name, given, func(r *opened, c *check) error {
		info = &r.Info
		return r.copyTo(&committed{w: dst}, c)
	})
	if err != nil {
		return nil, s.fail("get", name, err)
	}
	return info, nil
}

// committed is a destination. Once anything has been written to it, reading cannot
// start over.
type committed struct {
	w   io.Writer
	any bool
}

func (c *committed) Write(p []byte) (int, error) {
	c.any = true
	return c.w.Write(p)
}

// Inspect reads the header of the message that holds a secret: one GetObject of at
// most 16 KiB, a second one if the header is longer, and no request to KMS. The header
// is well-formed, but not verified in any way. If there is no such header, the error is
// an ErrNotAuthentic.
func (s *Store) Inspect(ctx context.Context, name string, o *GetOptions) (*Info, *message.Header, error) {
	t, err := s.locate(name)
	if err != nil {
		return nil, nil, s.fail("get", name, err)
	}
	version := orZero(o).Version
	object, h, err := s.header(ctx, t, version)
	if err == nil {
		info := s.info(name, object)
		return &info, h, nil
	}
	if !errors.Is(err, errLongHeader) {
		return nil, nil, s.fail("get", name, err)
	}
	r, err := s.openRaw(ctx, t, version)
	if err != nil {
		return nil, nil, s.fail("get", name, err)
	}
	defer r.object.Close()
	h, err = message.ReadHeader(r)
	return &r.Info, h, s.fail("get", name, err)
}

// Stat returns what is known of a secret without reading it: one HeadObject.
func (s *Store) Stat(ctx context.Context, name string, o *GetOptions) (*Info, error) {
	t, err := s.locate(name)
	if err != nil {
		return nil, s.fail("get", name, err)
	}
	head, err := s.bucket.Head(ctx, t.key, orZero(o).Version)
	if err != nil {
		return nil, s.fail("get", name, err)
	}
	info := s.info(name, head)
	return &info, nil
}

func (s *Store) info(name string, i bucket.Info) Info {
	return Info{
		Name:     name,
		URL:      s.location.url(name, i.Version),
		Size:     i.Size,
		Modified: i.Modified,
		ETag:     unquote(i.ETag),
		Version:  i.Version,
	}
}

// opened is a secret, or the message that holds one, that is being read.
type opened struct {
	Info
	object  *bucket.Object
	hash    hash.Hash       // of the stored message; nil if nobody asks for it
	header  *message.Header // nil of a raw one
	content content
}

type content interface {
	io.Reader
	io.WriterTo
}

// Read yields the bytes of the message, and hashes them.
func (r *opened) Read(p []byte) (int, error) {
	n, err := r.object.Read(p)
	if r.hash != nil {
		r.hash.Write(p[:n])
	}
	return n, err
}

// reading opens a secret and has it read. If the secret is replaced meanwhile, it
// starts over, unless something has already been given to the caller.
func (s *Store) reading(ctx context.Context, name string, o GetOptions, read func(*opened, *check) error) error {
	t, ring, err := s.resolveToRead(name, o)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		c, err := newCheck(o.Checksum)
		if err != nil {
			return err
		}
		err = func() error {
			r, err := s.open(ctx, t, o.Version, ring, c.message)
			if err != nil {
				return err
			}
			defer r.object.Close()
			release, err := s.memory.lockLarge(ctx, r.header.FrameLength)
			if err != nil {
				return err
			}
			defer release()
			return read(r, c)
		}()
		if !isConflict(err) || try == attempts || errors.As(err, new(*releasedError)) {
			return err
		}
	}
}

// resolveToRead resolves a name, and the keyring that it is read with.
func (s *Store) resolveToRead(name string, o GetOptions) (target, *keyring.Keyring, error) {
	if o.AnyKey {
		t, err := s.locate(name)
		return t, keyring.New(s.client, nil).AnyKey(), err
	}
	t, err := s.resolve(name)
	return t, keyring.New(s.client, t.kms), err
}

// open begins to read a secret, whose object the caller closes.
func (s *Store) open(ctx context.Context, t target, version string, ring *keyring.Keyring, hash hash.Hash) (*opened, error) {
	defer s.client.ExpectS3(s.location.bucket)()
	defer s.client.ExpectKMS(ring.Region())()
	object, err := s.bucket.Get(ctx, t.key, version)
	if err != nil {
		return nil, err
	}
	return s.decrypt(ctx, t, object, hash, message.ReaderOptions{AcceptUnsigned: s.options.Unsigned}, ring.Unwrap)
}

// decrypt begins to decrypt an object, which it closes if it fails.
func (s *Store) decrypt(ctx context.Context, t target, object *bucket.Object, hash hash.Hash, o message.ReaderOptions,
	unwrap func(context.Context, *message.Header) ([]byte, error)) (*opened, error) {
	r := &opened{Info: s.info(t.name, object.Info), object: object, hash: hash}
	m, err := message.NewReader(r, o, func(h *message.Header) ([]byte, error) {
		if err := s.bound(h, t.name); err != nil {
			return nil, err
		}
		return unwrap(ctx, h)
	})
	if err != nil {
		object.Close()
		return nil, err
	}
	r.content, r.header = m, m.Header()
	r.By, r.At = claims(r.header)
	return r, nil
}

// openRaw begins to read the message that holds a secret in its place, whose
// object the caller closes.
func (s *Store) openRaw(ctx context.Context, t target, version string) (*opened, error) {
	object, err := s.bucket.Get(ctx, t.key, version)
	if err != nil {
		return nil, err
	}
	r := &opened{Info: s.info(t.name, object.Info), object: object}
	r.content = raw{r}
	return r, nil
}

// raw is content that is what is stored.
type raw struct{ r *opened }

func (r raw) Read(p []byte) (int, error) { return r.r.Read(p) }

func (r raw) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r.r}, make([]byte, 256<<10))
}

// bound compares the store and the name in a message's header with what was asked
// for.
func (s *Store) bound(h *message.Header, name string) error {
	store, ok := h.Context[contextStore]
	gotName, okName := h.Context[contextName]
	switch {
	case !ok || !okName:
		return fmt.Errorf("%w: the object names no store and no secret that it was written for", ErrNotAuthentic)
	case gotName != name:
		return fmt.Errorf("%w: the object was written for the name %s, not for %q", ErrNotAuthentic, printable.Quote(gotName), name)
	case store != s.origin.String():
		return hint.With(fmt.Errorf("%w: the object was written for the store %s, not for %q", ErrNotAuthentic, printable.Quote(store), s.origin),
			"a replica of a store is read with the setting origin\nms-cp -to STORE copies a secret into another store")
	}
	return nil
}

// all reads the rest of a secret and returns it when all of it is verified.
func (r *opened) all(limit int64, c *check) ([]byte, error) {
	h := holder{make([]byte, 0, min(max(r.Size, 0), limit)), limit}
	if _, err := r.content.WriteTo(&h); err != nil {
		clear(h.bytes)
		return nil, err
	}
	c.Write(h.bytes)
	if err := c.verify(); err != nil {
		clear(h.bytes)
		return nil, err
	}
	return h.bytes, nil
}

// copyTo writes the rest of a secret to w.
func (r *opened) copyTo(w *committed, c *check) error {
	_, err := r.content.WriteTo(io.MultiWriter(w, c))
	if err == nil {
		err = c.verify()
	}
	if err != nil && w.any {
		return &releasedError{err}
	}
	return err
}

// releasedError is a failure after something was given to the caller.
type releasedError struct{ error }

func (e *releasedError) Unwrap() error { return e.error }

// holder keeps what is written to it, up to a limit.
type holder struct {
	bytes []byte
	limit int64
}

func (h *holder) Write(p []byte) (int, error) {
	if int64(len(h.bytes)+len(p)) > h.limit {
		return 0, ErrTooLarge
	}
	h.bytes = append(h.bytes, p...)
	return len(p), nil
}
