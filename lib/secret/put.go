package secret

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"strings"
	"time"

	"microsecrets/lib/internal/bucket"
)

// Receipt says what a Put or a Merge has stored.
type Receipt struct {
	Name    string
	Outcome Outcome
	SHA256  [sha256.Size]byte // of the stored message: it pins this write and reveals nothing about the secret
	Size    int64             // of the plaintext, in bytes
	ETag    string            // without its quotes
	Version string            // empty where the bucket keeps no versions
	Key     string            // the ARN of the KMS key that made the data key

	// ClockSkew is how far KMS's clock is ahead of this machine's, if the difference is
	// over 5 minutes. The secret then claims to have been written at KMS's time.
	ClockSkew time.Duration
}

// Outcome is what a put did to the secret, as far as it had to find out.
type Outcome string

const (
	Written   Outcome = "written" // whether there was one before is not known
	Created   Outcome = "created"
	Updated   Outcome = "updated"
	Unchanged Outcome = "unchanged" // nothing was stored, and the Receipt is of what there is
)

// PutOptions say on what condition a secret is stored.
type PutOptions struct {
	Create  bool   // only if there is no such secret: else ErrExists
	If      string // only if its latest version is this one, an ETag or a version id: else ErrChanged
	Changed bool   // only if the secret does not hold these bytes already: else the outcome is Unchanged

	// Replaced, of Put alone, is called when the secret is stored, with what it has
	// replaced, which is not to be kept. It is not called if there was nothing, if the
	// caller may not read it, if it is not authentic, or if its message has over 16 MiB.
	// It is read while the data key is made: a GetObject and a Decrypt more, but no
	// round trip.
	Replaced func(old []byte)
}

// Check reports whether the options can be used. The error is an ErrInvalid.
func (o *PutOptions) Check() error {
	switch {
	case o == nil:
		return nil
	case o.Create && o.If != "":
		return invalidf("a version of what is to be created is refused")
	}
	return checkVersion(o.If)
}

// NullVersion is the id of every version that is written while a bucket keeps none.
const NullVersion = bucket.NullVersion

func checkVersion(version string) error {
	if version == NullVersion {
		return invalidf("the version null is refused: all that is written without versioning has this id; give the ETag")
	}
	return nil
}

// refuses returns the error if the options forbid to replace the secret old, which
// is nil if there is none.
func (o PutOptions) refuses(s *Store, old *Info) error {
	switch {
	case o.Create && old != nil:
		return s.exists()
	case o.If != "" && (old == nil || o.If != old.Version && unquote(bucket.Quoted(o.If)) != old.ETag):
		return s.changed()
	}
	return nil
}

// Put encrypts what src yields, to its end, and stores it under name in place of
// what was there: one GenerateDataKey and, up to 8 MiB, one PutObject. Nothing is
// stored if src or anything else fails. Of several that create a secret, or
// replace the same version of it, side by side, one succeeds. A write whose
// answer is lost is looked for in the store: it is not refused for its own sake,
// and not repeated over what others have written since.
func (s *Store) Put(ctx context.Context, name string, src io.Reader, o *PutOptions) (*Receipt, error) {
	t, err := s.resolveToWrite(name)
	if err == nil {
		err = o.Check()
	}
	var r *Receipt
	if err == nil {
		r, err = s.put(ctx, t, src, orZero(o))
	}
	if err != nil {
		return nil, s.fail("put", name, err)
	}
	return r, nil
}

func (s *Store) put(ctx context.Context, t target, src io.Reader, o PutOptions) (*Receipt, error) {
	outcome := Written
	var stored *comparison
	for try := 1; o.Changed; try++ {
		var err error
		if stored, err = s.compare(ctx, t, src); isConflict(err) && try < attempts {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer stored.close()
		same, err := stored.compareHead()
		if err != nil {
			return nil, err
		}
		if same {
			return stored.receipt(), nil
		}
		outcome, src = stored.outcome(), stored
		break
	}
	condition, err := s.condition(ctx, t, o)
	if err != nil {
		return nil, err
	}
	switch {
	case o.Create:
		outcome = Created
	case o.If != "":
		outcome = Updated
	}
	var old *replaced
	if o.Replaced != nil && !o.Create {
		old = s.readReplaced(ctx, t)
		defer old.close()
	}
	w, err := s.seal(ctx, t, src, condition, claim{})
	if err != nil {
		return nil, err
	}
	if stored != nil && !stored.differs {
		return stored.receipt(), w.upload.Abort()
	}
	if old != nil {
		<-old.read
	}
	r, err := w.commit(ctx)
	if isConflict(err) && o.If != "" && isETag(o.If) {
		r, err = w.commitIfVersion(ctx, o.If, err)
	}
	if err != nil {
		return nil, w.abort(s.refused(err, o))
	}
	if old != nil {
		if text, ok := old.wait(); ok {
			o.Replaced(text)
		}
	}
	r.Outcome = outcome
	return r, nil
}

// refused returns what a conflict means under the options.
func (s *Store) refused(err error, o PutOptions) error {
	switch {
	case !isConflict(err):
		return err
	case o.Create:
		return s.exists()
	case o.If != "":
		return s.changed()
	}
	return err
}

// condition turns PutOptions into a condition that S3 can check. If the store sends
// no conditions, it compares by itself, as well as that can be done.
func (s *Store) condition(ctx context.Context, t target, o PutOptions) (bucket.Condition, error) {
	switch {
	case o.Create && !s.options.LastWriterWins:
		return bucket.Condition{IfAbsent: true}, nil
	case o.If == "" && !o.Create:
		return bucket.Condition{}, nil
	case isETag(o.If) && !s.options.LastWriterWins:
		return bucket.Condition{IfMatch: bucket.Quoted(o.If)}, nil
	}
	head, err := s.bucket.Head(ctx, t.key, "")
	if isNotFound(err) {
		return bucket.Condition{}, o.refuses(s, nil)
	}
	if err != nil {
		return bucket.Condition{}, err
	}
	latest := s.info(t.name, head)
	if err := o.refuses(s, &latest); err != nil {
		return bucket.Condition{}, err
	}
	return bucket.Matching(latest.ETag)
}

// isETag reports whether a version has the form of an ETag of S3: 32 digits, and,
// if it was stored in parts, how many. No version id of S3 has it; those of other
// servers may.
func isETag(version string) bool {
	sum, parts, inParts := strings.Cut(strings.Trim(version, `"`), "-")
	return len(sum) == 32 && strings.Trim(sum, "0123456789abcdef") == "" &&
		(!inParts || parts != "" && strings.Trim(parts, "0123456789") == "")
}

// Merge reads a secret, has it changed, and stores the result on condition that
// the secret is still the one that was read; otherwise it begins again, so that
// no write of others is lost. What change is given is nil if there is no such
// secret, and not to be kept; it may be called several times. The secret is at
// most MaxInMemory bytes.
//
// A hundred merges of one secret at once all succeed: they take turns, and only
// the time in which nobody's write is made is bounded, by Options.Timeout.
func (s *Store) Merge(ctx context.Context, name string, change func(old []byte) ([]byte, error), o *PutOptions) (*Receipt, error) {
	t, err := s.resolveToWrite(name)
	if err == nil {
		err = o.Check()
	}
	var r *Receipt
	if err == nil {
		r, err = s.merge(ctx, t, orZero(o), change)
	}
	if err != nil {
		return nil, s.fail("merge", name, s.refused(err, orZero(o)))
	}
	return r, nil
}

func (s *Store) merge(ctx context.Context, t target, o PutOptions, change func([]byte) ([]byte, error)) (*Receipt, error) {
	backoff := s.newBackoff()
	var refusal error
	for seen := ""; ; {
		old, err := s.openToRewrite(ctx, t)
		etag := ""
		if old != nil {
			etag = old.ETag
		}
		switch {
		case etag != seen:
			backoff.progress()
			seen = etag
		case err == nil && refusal != nil:
			err = backoff.spent(refusal)
		}
		var r *Receipt
		if err == nil {
			r, err = s.mergeInto(ctx, t, old, o, change)
		}
		if old != nil {
			old.object.Close()
		}
		if !isConflict(err) {
			return r, err
		}
		refusal = err
		if err := backoff.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// Current returns a secret of at most MaxInMemory bytes, all of it verified as Get
// does it, and the receipt of what is stored. Its outcome is Unchanged, and its ETag, as
// PutOptions.If, replaces this very version. It is for a secret that is to be written
// anew: where the store has an origin the error is an ErrInvalid.
func (s *Store) Current(ctx context.Context, name string) ([]byte, *Receipt, error) {
	t, err := s.resolveToWrite(name)
	for try := 1; err == nil; try++ {
		var plaintext []byte
		var r *Receipt
		plaintext, r, err = s.current(ctx, t)
		if err == nil {
			return plaintext, r, nil
		}
		if isConflict(err) && try < attempts {
			err = nil
		}
	}
	return nil, nil, s.fail("get", name, err)
}

func (s *Store) current(ctx context.Context, t target) ([]byte, *Receipt, error) {
	old, err := s.openToRewrite(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	if old == nil {
		return nil, nil, s.absent()
	}
	defer old.object.Close()
	if _, err := bucket.Matching(old.ETag); err != nil {
		return nil, nil, err
	}
	release, err := s.memory.lockLarge(ctx, old.header.FrameLength)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	plaintext, err := old.all(MaxInMemory, &check{})
	if err != nil {
		return nil, nil, err
	}
	return plaintext, old.receipt(int64(len(plaintext))), nil
}

// openToRewrite opens the latest version of a secret, or returns nil if there is
// none.
func (s *Store) openToRewrite(ctx context.Context, t target) (*opened, error) {
	_, ring, err := s.resolveToRead(t.name, GetOptions{})
	if err != nil {
		return nil, err
	}
	old, err := s.open(ctx, t, "", ring, sha256.New())
	if isNotFound(err) {
		return nil, nil
	}
	return old, err
}

// mergeInto changes what was read, which is nil if there was nothing, and
// stores it in its place.
func (s *Store) mergeInto(ctx context.Context, t target, old *opened, o PutOptions, change func([]byte) ([]byte, error)) (*Receipt, error) {
	condition, outcome := bucket.Condition{IfAbsent: true}, Created
	var before []byte
	if old == nil {
		if err := o.refuses(s, nil); err != nil {
			return nil, err
		}
	} else {
		outcome = Updated
		err := o.refuses(s, &old.Info)
		if err == nil {
			condition, err = bucket.Matching(old.ETag)
		}
		if err == nil {
			before, err = old.all(MaxInMemory, &check{})
		}
		if err != nil {
			return nil, err
		}
		defer clear(before)
	}
	after, err := change(before)
	if err != nil {
		return nil, err
	}
	defer clear(after)
	if o.Changed && old != nil && bytes.Equal(before, after) {
		return old.receipt(int64(len(before))), nil
	}
	w, err := s.seal(ctx, t, bytes.NewReader(after), condition, claim{})
	if err != nil {
		return nil, err
	}
	w.rereads = true
	r, err := w.commit(ctx)
	if err != nil {
		return nil, w.abort(err)
	}
	r.Outcome = outcome
	return r, nil
}

// receipt returns the receipt of the stored secret, once all of it has been read.
func (r *opened) receipt(size int64) *Receipt {
	return &Receipt{
		Name:    r.Name,
		Outcome: Unchanged,
		SHA256:  [sha256.Size]byte(r.hash.Sum(nil)),
		Size:    size,
		ETag:    r.ETag,
		Version: r.Version,
		Key:     r.header.DataKeys[0].Info,
	}
}

// A comparison is what is to be stored, read side by side with what is stored.
type comparison struct {
	src     io.Reader
	stored  *opened // nil if there is none
	differs bool
	read    int64        // bytes
	head    bytes.Buffer // what compareHead has read, and Read has not
	held    []byte       // all that it has read
	buf     []byte
}

// comparedMax is how many bytes are compared before anything is sent. A larger
// secret is uploaded while it is compared, and the upload is aborted if it is the
// same.
const comparedMax = firstPart

func (s *Store) compare(ctx context.Context, t target, src io.Reader) (*comparison, error) {
	stored, err := s.openToRewrite(ctx, t)
	return &comparison{src: src, stored: stored, differs: stored == nil}, err
}

// compareHead compares the first comparedMax bytes, and reports whether they are
// all there are and the same.
func (c *comparison) compareHead() (same bool, err error) {
	if c.stored == nil {
		return false, nil
	}
	c.head.Grow(int(max(0, min(c.stored.Size, comparedMax))) + bytes.MinRead) // where nothing has changed, that is enough
	_, err = io.CopyN(&c.head, readerFunc(c.compared), comparedMax)
	c.held = c.head.Bytes()
	if err == io.EOF {
		return !c.differs, nil
	}
	return false, err
}

// Read yields what is to be stored.
func (c *comparison) Read(p []byte) (int, error) {
	if c.head.Len() > 0 {
		return c.head.Read(p)
	}
	return c.compared(p)
}

func (c *comparison) compared(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.read += int64(n)
	if c.differs || err != nil && err != io.EOF {
		return n, err
	}
	// At the end of src, the stored secret must not have another byte.
	want := p[:n]
	if c.buf = c.buf[:0]; err == io.EOF {
		c.buf = append(c.buf, 0)
	}
	c.buf = append(c.buf, want...)
	m, failed := io.ReadFull(c.stored.content, c.buf)
	switch {
	case isConflict(failed): // what is stored now is another
		c.differs = true
		return n, err
	case failed != nil && failed != io.EOF && failed != io.ErrUnexpectedEOF:
		return n, failed
	}
	c.differs = !bytes.Equal(c.buf[:m], want)
	return n, err
}

func (c *comparison) outcome() Outcome {
	if c.stored == nil {
		return Created
	}
	return Updated
}

func (c *comparison) receipt() *Receipt { return c.stored.receipt(c.read) }

func (c *comparison) close() {
	if c.stored != nil {
		c.stored.object.Close()
	}
	clear(c.held)
	clear(c.buf)
}

type readerFunc func([]byte) (int, error)

func (r readerFunc) Read(p []byte) (int, error) { return r(p) }
