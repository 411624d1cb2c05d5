package secret

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"regexp"
	"time"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/message"
)

// A write is one message on its way into the store, all of it sent but for the
// request that makes it appear.
type write struct {
	store     *Store
	key       string // of the object
	condition bucket.Condition
	upload    *bucket.Upload
	id        [sha256.Size]byte // of the message, which no other one has
	size      int64             // of the message, in bytes
	receipt   Receipt           // but for what the store will answer
	doubt     bool              // a request that failed may have been acted on
}

// seal encrypts what src yields, to its end, and sends it.
func (s *Store) seal(ctx context.Context, name string, src io.Reader, c bucket.Condition, claims map[string]string) (*write, error) {
	key, err := s.location.key(name)
	if err != nil {
		return nil, err
	}
	w := &write{store: s, key: key, condition: c, upload: s.bucket.Upload(ctx, key, c)}
	if err := w.encrypt(ctx, name, src, claims); err != nil {
		return nil, w.abort(err)
	}
	return w, nil
}

func (w *write) encrypt(ctx context.Context, name string, src io.Reader, claims map[string]string) error {
	ring, err := w.store.keyring(name)
	if err != nil {
		return err
	}
	hash := sha256.New()
	m, err := message.NewWriter(io.MultiWriter(w.upload, hash), message.WriterOptions{
		Suite:   w.store.suite(),
		Context: w.store.context(name, claims),
	}, func(encryptionContext map[string]string) ([]byte, []message.EncryptedDataKey, error) {
		return ring.Wrap(ctx, encryptionContext)
	})
	if err != nil {
		return err
	}
	size, err := io.Copy(m, src)
	if err != nil {
		return err
	}
	if err := m.Close(); err != nil {
		return err
	}
	w.id, w.size = m.Header().MessageID, m.Size(size)
	w.receipt = Receipt{
		Name:   name,
		SHA256: [sha256.Size]byte(hash.Sum(nil)),
		Size:   size,
		Key:    m.Header().DataKeys[0].Info,
	}
	return nil
}

// context is the encryption context of a new message: who writes it and when,
// or other claims, and what it is bound to.
func (s *Store) context(name string, claims map[string]string) map[string]string {
	all := map[string]string{
		contextBy: s.options.By,
		contextAt: time.Now().UTC().Format(time.RFC3339),
	}
	if claims != nil {
		all = maps.Clone(claims)
	}
	all[contextStore], all[contextName] = s.location.String(), name
	return all
}

// commit makes the message appear. A condition that does not hold is a
// awsclient.ErrConflict; what may or may not have appeared is an ErrUncertain.
func (w *write) commit(ctx context.Context) (*Receipt, error) {
	written, err := w.upload.Close()
	var e *awsclient.Error
	if errors.As(err, &e) {
		if w.doubt = w.doubt || e.Doubt; w.doubt {
			written, err = w.settle(ctx, err)
		}
	}
	if err != nil {
		return nil, err
	}
	receipt := w.receipt
	receipt.ETag, receipt.Version = unquote(written.ETag), written.Version
	return &receipt, nil
}

// abort removes what has been sent, and returns why.
func (w *write) abort(err error) error {
	if left := w.upload.Abort(); left != nil {
		err = fmt.Errorf("%w; stored parts are left behind: %w", err, left)
	}
	return err
}

// settle finds out whether a request that failed has been acted on. If so, the
// write has not failed.
func (w *write) settle(ctx context.Context, failure error) (bucket.Written, error) {
	landed, err := w.landed(ctx)
	switch {
	case err == errGone && simultaneous(failure):
		return bucket.Written{}, failure // which is to be repeated, and then is the last one
	case landed != nil:
		return bucket.Written{ETag: landed.ETag, Version: landed.Version}, nil
	case errors.Is(failure, awsclient.ErrUnreachable): // and may be acted on yet
		return bucket.Written{}, fmt.Errorf("%w: %v", ErrUncertain, failure)
	case err != nil:
		return bucket.Written{}, fmt.Errorf("%w: %v", ErrUncertain, err)
	}
	return bucket.Written{}, failure
}

// Why nobody can tell whether a message ever was in the store.
var (
	errOverwritten = errors.New("another writer came after it, and the store keeps no versions")
	errGone        = errors.New("nothing is there now, and no version of it")
)

// landed returns the version that holds the message: the latest one, or, where
// the bucket keeps them, one since that which was to be replaced. Without an
// error nil means that the message is in none of them.
func (w *write) landed(ctx context.Context) (*bucket.Info, error) {
	latest, ours, err := w.isIn(ctx, "")
	switch {
	case err != nil && !errors.Is(err, awsclient.ErrNotFound):
		return nil, err
	case ours:
		return &latest, nil
	case err == nil && latest.ETag == w.condition.IfMatch:
		return nil, nil
	}
	kept := false
	for v, err := range w.store.bucket.History(ctx, w.key) {
		switch {
		case err != nil:
			return nil, err
		case v.Latest && v.Version == nullVersion:
			return nil, errOverwritten
		case !v.Deleted && v.ETag == w.condition.IfMatch:
			return nil, nil
		case !v.Deleted && v.Size == w.size:
			info, ours, err := w.isIn(ctx, v.Version)
			if err != nil {
				return nil, err
			}
			if ours {
				return &info, nil
			}
		}
		kept = true
	}
	if !kept {
		return nil, errGone
	}
	return nil, nil
}

// isIn tells whether a version of the object holds the message.
func (w *write) isIn(ctx context.Context, version string) (bucket.Info, bool, error) {
	const before = 3 // the format's version, and the suite
	head, info, err := w.store.bucket.Peek(ctx, w.key, version, before+len(w.id))
	return info, len(head) == before+len(w.id) && [sha256.Size]byte(head[before:]) == w.id, err
}

// nullVersion is the id of what is written while a bucket keeps no versions.
const nullVersion = "null"

// condition makes of what PutOptions ask for what S3 can compare.
func (s *Store) condition(ctx context.Context, name string, o PutOptions) (bucket.Condition, error) {
	switch {
	case o.Create:
		return bucket.Condition{IfAbsent: true}, nil
	case o.If == "":
		return bucket.Condition{}, nil
	case etagForm.MatchString(o.If):
		return bucket.Condition{IfMatch: quote(o.If)}, nil
	}
	key, err := s.location.key(name)
	if err != nil {
		return bucket.Condition{}, err
	}
	latest, err := s.bucket.Head(ctx, key, "")
	switch {
	case errors.Is(err, awsclient.ErrNotFound):
		return bucket.Condition{}, ErrChanged
	case err != nil:
		return bucket.Condition{}, hinted(err)
	case o.If != latest.Version && unquote(o.If) != unquote(latest.ETag):
		return bucket.Condition{}, ErrChanged
	}
	return bucket.Condition{IfMatch: latest.ETag}, nil
}

// etagForm is the form of an ETag of S3, which no version id has.
var etagForm = regexp.MustCompile(`^"?[0-9a-f]{32}(-[0-9]+)?"?$`)

func quote(etag string) string { return `"` + unquote(etag) + `"` }

// simultaneous tells whether a write was refused since it met another request,
// which S3 wants to be repeated.
func simultaneous(err error) bool {
	var e *awsclient.Error
	return errors.As(err, &e) && errors.Is(err, awsclient.ErrConflict) && e.Status == http.StatusConflict
}

// patience paces the tries of a write that others are in the way of.
type patience struct {
	limit   time.Duration // without progress; 0 is none
	since   time.Time     // the last progress
	began   time.Time     // this try
	fastest time.Duration // of the tries
	tries   int
}

// triesApart bounds the wait between two tries, in the time that a try takes: so
// many writers, and somewhat more, find room beside each other.
const triesApart = 64

func (s *Store) patience() *patience {
	now := time.Now()
	return &patience{limit: s.options.Timeout, since: now, began: now, fastest: math.MaxInt64}
}

// progress says that something has changed: somebody's write was made.
func (p *patience) progress() { p.since = time.Now() }

// wait waits until the next try: a random part of a span that grows by half from
// twice the time that a try takes, so that writers come to be as far apart as
// their number wants. The error is why it was to be tried again, if there was no
// progress for too long.
func (p *patience) wait(ctx context.Context, why error) error {
	now := time.Now()
	if p.limit > 0 && now.Sub(p.since) > p.limit {
		return fmt.Errorf("%w: no progress for %v: %v", ErrUnreachable, p.limit, why)
	}
	p.fastest = max(time.Millisecond, min(p.fastest, now.Sub(p.began)))
	span := min(triesApart, 2*math.Pow(1.5, float64(p.tries))) * float64(p.fastest)
	p.tries++
	select {
	case <-time.After(rand.N(time.Duration(span))):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.began = time.Now()
	return nil
}
