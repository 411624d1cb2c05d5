package secret

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"sync"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/message"
)

// contextCopiedFrom is the encryption context's key of what a secret is a copy of, as
// the URL of the secret that was read. No reader checks it.
const contextCopiedFrom = "ms-copied-from"

const (
	// copiedFromMax bounds that URL, in bytes. A name of 1,024 bytes, each of them
	// percent-encoded, fits; a version id of a server that makes longer ones than S3
	// may not, and is left out then.
	copiedFromMax = 4 << 10

	// heldCopy is the size in bytes up to which a message is held in memory when it is
	// copied, and largeCopy that above which messages are copied one at a time.
	heldCopy  = firstPart
	largeCopy = 1 << 20
)

// CopyOptions say which version is copied, what it must be, and what becomes of what
// is stored under the new name. Unless they say more, what holds the same bytes stays
// as it is, and the outcome is Unchanged; anything else is an ErrExists.
type CopyOptions struct {
	Version  string   // of the secret that is copied: a version id; empty means the latest
	Checksum Checksum // that the secret must match; nil: none

	Create bool   // only if nothing is stored under the new name, whatever it holds: else ErrExists
	If     string // replace what is stored there if its latest version is this one, an ETag or a version id: else ErrChanged

	// Replace replaces what is stored under the new name and holds other bytes, or cannot
	// be decrypted to compare it. What may not even be read is not replaced: an ErrDenied.
	// If another writer replaces it meanwhile it is looked at again.
	Replace bool

	// Plan changes nothing, and has the Receipt say what the outcome would be. The secret
	// is read and verified all the same. Key, SHA256, ETag and Version are those of what
	// is stored under the new name, and empty if nothing is.
	Plan bool
}

// Check reports whether the options can be used. The error is an ErrInvalid.
func (o *CopyOptions) Check() error {
	switch {
	case o == nil:
		return nil
	case o.Create && (o.If != "" || o.Replace):
		return invalidf("to replace what is to be created is refused")
	case o.If != "" && o.Replace:
		return invalidf("a version, where any is to be replaced, is refused")
	}
	return checkVersion(o.If)
}

func (o CopyOptions) replaces() bool { return o.Replace || o.If != "" }

// Copy reads and verifies the secret name of the store from, and stores it under
// newName, bound to that and under the keys of s: one GetObject, one Decrypt, one
// GenerateDataKey and, up to 8 MiB, one PutObject. What is stored says who copied it,
// when, and from where. A secret over 8 MiB is uploaded as it is read, and appears only
// if all of it was authentic; one more GetObject finds out first what is there.
//
// Errors that concern the secret read have its name, its store and the Op get, all
// others the new ones, and put.
func (s *Store) Copy(ctx context.Context, newName string, from *Store, name string, o *CopyOptions) (*Receipt, error) {
	given := orZero(o)
	t, err := s.resolveToWrite(newName)
	if err == nil {
		err = given.Check()
	}
	if err != nil {
		return nil, s.fail("put", newName, err)
	}
	expected := func() {}
	if s.client != from.client {
		expected = sync.OnceFunc(s.expect(Ahead{Names: []string{newName}}))
		defer expected()
	}
	get := GetOptions{Version: given.Version, Checksum: given.Checksum}
	var receipt *Receipt
	err = from.reading(ctx, name, get, func(r *opened, c *check) (err error) {
		expected()
		receipt, err = s.copy(ctx, t, &original{store: from, options: get, opened: r, check: c}, given)
		return err
	})
	if err != nil {
		return nil, from.fail("get", name, err)
	}
	return receipt, nil
}

func (s *Store) copy(ctx context.Context, t target, src *original, o CopyOptions) (*Receipt, error) {
	release, err := s.memory.lockCopy(ctx, src.Size)
	if err != nil {
		return nil, err
	}
	defer func() { release() }()
	if err := src.hold(); err != nil {
		return nil, err
	}
	defer src.close()
	creates := !o.replaces() && !o.Plan && !s.options.LastWriterWins
	if src.held && creates {
		r, err := s.writeCopy(ctx, t, src, bucket.Condition{IfAbsent: true})
		switch {
		case err == nil:
			r.Outcome = Created
			return r, nil
		case !isConflict(err):
			return nil, s.fail("put", t.name, err)
		case o.Create:
			return nil, s.fail("put", t.name, s.exists())
		}
	}
	object, err := s.bucket.Get(ctx, t.key, "")
	switch {
	case isNotFound(err):
		return s.createCopy(ctx, t, src, o)
	case errors.Is(err, ErrDenied) && src.held && creates:
		return nil, s.incomparable(t, err)
	case errors.Is(err, ErrDenied) && o.If == "" && !o.Plan && !s.options.LastWriterWins:
		// It may be absent, and who may not see that finds out by the condition.
		r, failed := s.createCopy(ctx, t, src, o)
		if isInTheWay(failed) {
			failed = s.incomparable(t, err)
		}
		return r, failed
	case err != nil:
		return nil, s.fail("put", t.name, err)
	}
	defer object.Close()
	there := s.info(t.name, object.Info)
	if err := (PutOptions{Create: o.Create, If: o.If}).refuses(s, &there); err != nil {
		return nil, s.fail("put", t.name, err)
	}
	if isLargeCopy(there.Size) && !isLargeCopy(src.Size) {
		if release, err = s.memory.lockCopy(ctx, there.Size); err != nil {
			release = func() {}
			return nil, err
		}
	}
	same, err := s.sameAs(ctx, t, object, src, o)
	if same != nil || err != nil {
		return same, err
	}
	condition, err := bucket.Matching(object.ETag)
	if err != nil {
		return nil, s.fail("put", t.name, err)
	}
	object.Close()
	var r *Receipt
	if o.Plan {
		r = &Receipt{Name: t.name, Version: there.Version, ETag: there.ETag}
		r.Size, err = src.verify(ctx)
	} else if r, err = s.writeCopy(ctx, t, src, condition); isInTheWay(err) && o.If != "" {
		err = s.changed()
	}
	if err != nil {
		return nil, s.fail("put", t.name, err)
	}
	r.Outcome = Updated
	return r, nil
}

// isInTheWay reports whether a copy met another than the one that was seen in its place.
// A conflict may also be about the secret that is read.
func isInTheWay(err error) bool {
	var e *Error
	return isConflict(err) && !(errors.As(err, &e) && e.Op == "get")
}

// createCopy stores a copy where nothing was found.
func (s *Store) createCopy(ctx context.Context, t target, src *original, o CopyOptions) (*Receipt, error) {
	if o.If != "" {
		return nil, s.fail("put", t.name, s.changed())
	}
	var r *Receipt
	var err error
	if o.Plan {
		r = &Receipt{Name: t.name}
		r.Size, err = src.verify(ctx)
	} else {
		r, err = s.writeCopy(ctx, t, src, bucket.Condition{IfAbsent: true})
	}
	if isInTheWay(err) && o.Create {
		err = s.exists()
	}
	if err != nil {
		return nil, s.fail("put", t.name, err)
	}
	r.Outcome = Created
	return r, nil
}

// sameAs returns a receipt of the object that is stored in the copy's place if it
// holds the same bytes. It returns nil if the object holds others and may be replaced.
func (s *Store) sameAs(ctx context.Context, t target, object *bucket.Object, src *original, o CopyOptions) (*Receipt, error) {
	_, ring, err := s.resolveToRead(t.name, GetOptions{})
	if err != nil {
		return nil, s.fail("put", t.name, err)
	}
	there, err := s.decrypt(ctx, t, object, sha256.New(), message.ReaderOptions{AcceptUnsigned: s.options.Unsigned}, ring.Unwrap)
	same := false
	if err == nil {
		same, err = src.equals(ctx, there)
	}
	var ofSource *Error
	switch {
	case err == nil && same:
		return there.receipt(src.length), nil
	case err == nil && o.replaces():
		return nil, nil
	case err == nil:
		return nil, s.fail("put", t.name, s.exists())
	case errors.As(err, &ofSource):
		return nil, err
	case ctx.Err() != nil, isConflict(err):
		return nil, s.fail("put", t.name, err)
	case o.replaces() && !errors.Is(err, awsclient.ErrUnreachable):
		return nil, nil
	}
	return nil, s.incomparable(t, err)
}

// incomparable is the error of a copy in whose place there is something that cannot be
// read.
func (s *Store) incomparable(t target, err error) error {
	remedy := hint.Of(err)
	if errors.Is(err, ErrDenied) {
		remedy = "comparing it takes the rights of a reader"
	}
	return s.fail("put", t.name, hint.With(fmt.Errorf("exists already in %s, and cannot be compared: %w", s, err), remedy))
}

// writeCopy encrypts the original, and stores it on a condition.
func (s *Store) writeCopy(ctx context.Context, t target, src *original, c bucket.Condition) (*Receipt, error) {
	content, err := src.read(ctx)
	if err != nil {
		return nil, err
	}
	w, err := s.seal(ctx, t, content, c, claim{copiedFrom: src.url()})
	if err != nil {
		return nil, err
	}
	r, err := w.commit(ctx)
	if err != nil {
		return nil, w.abort(err)
	}
	return r, nil
}

// isLargeCopy reports whether a message of that size, or of an unknown one, is copied
// with no other one.
func isLargeCopy(size int64) bool { return size < 0 || size > largeCopy }

// lockCopy waits until a message of that size may be copied: an upload in parts, and
// the reading of long frames, take memory.
func (m *memory) lockCopy(ctx context.Context, size int64) (unlock func(), err error) {
	if !isLargeCopy(size) {
		return func() {}, nil
	}
	return lock(ctx, m.copies)
}

// original is the secret that is copied. Its errors are those of its own name and
// store.
type original struct {
	*opened
	store   *Store
	options GetOptions
	check   *check

	held     bool
	text     []byte  // all of it, verified, if it is held
	again    *opened // the latest reading, unless that is the first
	used     bool    // the first has begun
	verified bool    // a reading has come to its end
	length   int64   // of the content, in bytes, once it is verified
}

// hold reads and verifies all of a secret that is short enough.
func (o *original) hold() (err error) {
	if o.Size < 0 || o.Size > heldCopy {
		return nil
	}
	if o.text, err = o.all(heldCopy, o.check); err == nil {
		o.held, o.verified, o.length = true, true, int64(len(o.text))
	}
	return err
}

// read returns the secret from its beginning. It is verified when it has been read to
// its end.
func (o *original) read(ctx context.Context) (io.Reader, error) {
	if o.held {
		return bytes.NewReader(o.text), nil
	}
	from, c := o.opened, o.check
	if o.used {
		var err error
		if c, err = newCheck(o.options.Checksum); err == nil {
			from, err = o.reopen(ctx, c)
		}
		if err != nil {
			return nil, o.fail(err)
		}
	}
	o.used = true
	length := int64(0)
	return readerFunc(func(p []byte) (int, error) {
		n, err := from.content.Read(p)
		length += int64(n)
		c.Write(p[:n])
		if err == io.EOF {
			if err := c.verify(); err != nil {
				return n, o.fail(err)
			}
			o.verified, o.length = true, length
			return n, io.EOF
		}
		return n, o.fail(err)
	}), nil
}

// reopen begins to read the secret once more, on condition that it has not changed.
func (o *original) reopen(ctx context.Context, c *check) (*opened, error) {
	t, ring, err := o.store.resolveToRead(o.Name, o.options)
	if err != nil {
		return nil, err
	}
	object, err := o.object.Again(ctx)
	if err != nil {
		return nil, err
	}
	o.object.Close() // it has been read, and lets this one be prefetched
	o.again, err = o.store.decrypt(ctx, t, object, c.message, message.ReaderOptions{AcceptUnsigned: o.store.options.Unsigned}, ring.Unwrap)
	return o.again, err
}

// verify returns the length of the secret. It reads it for that unless it has been
// verified.
func (o *original) verify(ctx context.Context) (int64, error) {
	if o.verified {
		return o.length, nil
	}
	content, err := o.read(ctx)
	if err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, content)
}

// equals reads the secret and another one, each to its end, whatever they differ in,
// and reports whether they are the same.
func (o *original) equals(ctx context.Context, other *opened) (same bool, err error) {
	content, err := o.read(ctx)
	if err != nil {
		return false, err
	}
	ours, theirs := make([]byte, 256<<10), make([]byte, 256<<10)
	defer clear(ours)
	defer clear(theirs)
	equal := 1
	for {
		n, err := io.ReadFull(content, ours)
		m, errTheirs := io.ReadFull(other.content, theirs)
		equal &= subtle.ConstantTimeCompare(ours[:n], theirs[:m])
		switch {
		case !isEnd(err) && err != nil:
			return false, err
		case !isEnd(errTheirs) && errTheirs != nil:
			return false, errTheirs
		case isEnd(err) && isEnd(errTheirs):
			return equal == 1, nil
		}
	}
}

// isEnd reports whether an error of io.ReadFull is the end of what was read.
func isEnd(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }

func (o *original) fail(err error) error { return o.store.fail("get", o.Name, err) }

// url is where the secret is: printable ASCII, whatever the name.
func (o *original) url() string {
	if len(o.URL) <= copiedFromMax {
		return o.URL
	}
	return o.store.location.url(o.Name, "")
}

func (o *original) close() {
	clear(o.text)
	if o.again != nil {
		o.again.object.Close()
	}
}
