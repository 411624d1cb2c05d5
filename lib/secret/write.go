package secret

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/internal/keyring"
	"microsecrets/lib/message"
)

// A write is one message on its way into the store, all of it sent but for the
// request that makes it appear.
type write struct {
	store     *Store
	target    target
	condition bucket.Condition
	upload    *bucket.Upload
	began     time.Time         // before anything was sent
	id        [sha256.Size]byte // of the message, which no other one has
	size      int64             // of the message, in bytes
	receipt   Receipt           // but for what the store will answer
	rereads   bool              // the caller starts over after a conflict
}

const (
	// firstPart is how many bytes of plaintext are read before the time of the
	// writing is taken, and a data key asked for.
	firstPart = 8 << 20

	// skewMax is how far this machine's clock may be off KMS's.
	skewMax = 5 * time.Minute
)

// seal encrypts src to its end and sends it.
func (s *Store) seal(ctx context.Context, t target, src io.Reader, c bucket.Condition, says claim) (*write, error) {
	var head []byte
	held := says.copiedFrom != "" // or comes from S3, which takes no more time than the upload
	if c, ok := src.(*comparison); ok {
		held = len(c.held) > 0
	}
	if !held {
		var err error
		head, err = io.ReadAll(io.LimitReader(src, firstPart))
		defer clear(head)
		if err != nil {
			return nil, err
		}
	}
	w := &write{store: s, target: t, condition: c, began: time.Now()}
	defer s.client.ExpectS3(s.location.bucket)()
	for _, region := range keyring.New(s.client, t.kms).Regions() {
		defer s.client.ExpectKMS(region)()
	}
	if err := w.encrypt(ctx, io.MultiReader(bytes.NewReader(head), src), says); err != nil {
		return nil, w.abort(err)
	}
	return w, nil
}

func (w *write) encrypt(ctx context.Context, src io.Reader, says claim) error {
	hash := sha256.New()
	m, err := w.begin(ctx, hash, says)
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
	w.receipt.Name, w.receipt.Size = w.target.name, size
	w.receipt.SHA256 = [sha256.Size]byte(hash.Sum(nil))
	w.receipt.Key = m.Header().DataKeys[0].Info
	return nil
}

// begin starts the message, which goes to the upload and the hash. If this machine's
// clock is wrong, it asks for another data key, with KMS's time in the context.
func (w *write) begin(ctx context.Context, hash io.Writer, says claim) (*message.Writer, error) {
	s := w.store
	ring := keyring.New(s.client, w.target.kms)
	for {
		var wrapped keyring.Wrapped
		w.upload = s.bucket.Upload(ctx, w.target.key, w.condition)
		m, err := message.NewWriter(io.MultiWriter(w.upload, hash), message.WriterOptions{
			Suite:   s.suite(),
			Context: s.context(w.target.name, says, w.receipt.ClockSkew),
		}, func(encryptionContext map[string]string) (key []byte, keys []message.EncryptedDataKey, err error) {
			wrapped, err = ring.Wrap(ctx, encryptionContext)
			return wrapped.Key, wrapped.DataKeys, err
		})
		if err != nil || says.kept != nil || w.receipt.ClockSkew != 0 || wrapped.Skew.Abs() <= skewMax {
			return m, err
		}
		w.receipt.ClockSkew = wrapped.Skew
		hash.(interface{ Reset() }).Reset()
	}
}

// context is the encryption context of a new message: what it says, and what it is
// bound to.
func (s *Store) context(name string, says claim, skew time.Duration) map[string]string {
	all := map[string]string{contextAt: timestamp(skew)}
	if *s.options.By != "" {
		all[contextBy] = *s.options.By
	}
	if says.kept != nil {
		all = maps.Clone(says.kept)
	}
	if says.copiedFrom != "" {
		all[contextCopiedFrom] = says.copiedFrom
	}
	all[contextStore], all[contextName] = s.String(), name
	return all
}

func timestamp(skew time.Duration) string { return time.Now().Add(skew).UTC().Format(time.RFC3339) }

// commit makes the message appear. A condition that does not hold is an
// awsclient.ErrConflict; what may or may not have appeared is an uncertainError.
//
// An attempt that was not answered may have been acted on, or may be later. So commit
// looks at what is stored. If the message is not there, it is sent again, on
// condition that the object is still the one that was seen. That keeps what others
// did meanwhile, and stores the message at most once.
func (w *write) commit(ctx context.Context) (*Receipt, error) {
	backoff := w.store.newBackoff()
	inDoubt := false
	var refusal error // by another request that was under way
	for resent := 0; ; {
		written, err := w.upload.Close()
		if err == nil {
			return w.done(ctx, written)
		}
		inDoubt = inDoubt || maybeApplied(err)
		switch {
		case notS3(err):
			return nil, err
		case inDoubt:
			landed, again, unknown := w.settle(ctx, err)
			switch {
			case landed != nil:
				return w.done(ctx, *landed)
			case unknown != nil:
				return nil, unknown
			case !again && isConflict(err):
				return nil, err
			case !again:
				return nil, awsclient.Overtaken()
			case isStalled(err):
				return nil, uncertain(ctx, "written", err)
			case !isBusy(err):
				if resent++; resent >= w.store.client.MaxAttempts() {
					return nil, uncertain(ctx, "written", err)
				}
			}
		case isGone(err) && refusal != nil:
			return nil, refusal
		case !isBusy(err) || w.rereads:
			return nil, err
		default:
			refusal = err
		}
		if err = backoff.spent(err); err == nil {
			err = backoff.wait(ctx)
		}
		if err != nil && inDoubt {
			err = uncertain(ctx, "written", err)
		}
		if err != nil {
			return nil, err
		}
	}
}

// notS3 reports whether something other than S3 answered a change. There is then no
// server to ask what became of it.
func notS3(err error) bool {
	var e *awsclient.Error
	return errors.As(err, &e) && e.Kind == nil && e.Code == "" && e.MaybeApplied && e.Status != 0
}

// isBusy reports whether a write was refused because it met another request. S3
// wants such a write to be repeated.
func isBusy(err error) bool {
	var e *awsclient.Error
	return errors.As(err, &e) && e.Kind == awsclient.ErrConflict && e.Status == http.StatusConflict
}

// isStalled reports whether a change waited for its answer as long as it may, which
// leaves no time for another attempt.
func isStalled(err error) bool {
	var e *awsclient.Error
	return errors.As(err, &e) && e.Stalled
}

// isGone reports whether S3 has dropped an upload in parts.
func isGone(err error) bool {
	var e *awsclient.Error
	return errors.As(err, &e) && e.Code == "NoSuchUpload"
}

// done returns the receipt. S3 dates an upload in parts from its beginning, so that
// what others have written since is the latest version. Therefore done looks once
// more, unless the upload replaced a version that was seen.
func (w *write) done(ctx context.Context, written bucket.Written) (*Receipt, error) {
	if w.upload.InParts() && w.condition.IfMatch == "" {
		latest, err := w.store.bucket.Head(ctx, w.target.key, "")
		switch {
		case isNotFound(err), err == nil && latest.ETag != written.ETag && !w.condition.IfAbsent:
			return nil, &kindError{errors.New("stored, but not as the latest version: another writer, later than the beginning of the upload, has overtaken it"), ErrChanged}
		case err != nil && !errors.Is(err, ErrDenied): // a caller who may not read cannot find out
			return nil, uncertain(ctx, "written", err)
		}
	}
	r := w.receipt
	r.ETag, r.Version = unquote(written.ETag), written.Version
	return &r, nil
}

// abort removes what has been sent, and returns why.
func (w *write) abort(err error) error {
	if w.upload == nil {
		return err
	}
	return w.upload.Fail(err)
}

// settle finds out whether an attempt has been acted on. If not, and if another
// attempt makes sense, again is true, and the upload requires what was seen. An
// error means that the outcome is unknown.
func (w *write) settle(ctx context.Context, failure error) (landed *bucket.Written, again bool, unknown error) {
	latest, ours, err := w.isIn(ctx, "")
	isAbsent := isNotFound(err)
	switch {
	case ours:
		return &bucket.Written{ETag: latest.ETag, Version: latest.Version}, false, nil
	case ctx.Err() != nil:
		return nil, false, uncertain(ctx, "written", err)
	case w.store.options.LastWriterWins: // it has been repeated already
		return nil, false, uncertain(ctx, "written", failure)
	case err != nil && !isAbsent:
		// A caller who may not read cannot look, and repeats as S3's own clients do.
		if w.condition == (bucket.Condition{}) && errors.Is(err, awsclient.ErrDenied) && !isConflict(failure) {
			return nil, true, nil
		}
		return nil, false, uncertain(ctx, "written", failure)
	case !isAbsent && w.condition.IfMatch != "" && latest.ETag == w.condition.IfMatch:
		return nil, true, nil // what was to be replaced is still there
	}
	found, kept, err := w.inHistory(ctx)
	switch {
	case found != nil:
		return &bucket.Written{ETag: found.ETag, Version: found.Version}, false, nil
	case err != nil:
		return nil, false, uncertain(ctx, "written", err)
	}
	switch {
	case isAbsent && w.condition.IfMatch != "" && kept: // removed by another
		return nil, false, nil
	case isAbsent && w.condition.IfMatch != "":
		return nil, false, uncertain(ctx, "written", errGone)
	case isAbsent:
		w.upload.Require(bucket.Condition{IfAbsent: true})
		return nil, true, nil
	case w.condition != (bucket.Condition{}) && kept: // replaced, or made, by another
		return nil, false, nil
	case w.condition != (bucket.Condition{}), !kept && !w.isOlder(latest):
		return nil, false, uncertain(ctx, "written", errOverwritten)
	}
	seen, err := bucket.Matching(latest.ETag)
	if err != nil {
		return nil, false, uncertain(ctx, "written", failure)
	}
	w.upload.Require(seen)
	return nil, true, nil
}

// isOlder reports whether an object was stored before the write began, by the
// server's own clock, which counts seconds. Then nobody has put it on top of the
// write.
func (w *write) isOlder(i bucket.Info) bool {
	return !i.Modified.IsZero() && i.Age > time.Since(w.began)+2*time.Second
}

// inHistory looks for the message in the versions since the one that was to be
// replaced, and reports whether the bucket keeps versions.
func (w *write) inHistory(ctx context.Context) (found *bucket.Info, kept bool, err error) {
	for v, err := range w.store.bucket.History(ctx, w.target.key) {
		switch {
		case err != nil:
			return nil, kept, err
		case v.Latest && v.Version == NullVersion:
			return nil, false, nil
		case !v.Deleted && v.ETag == w.condition.IfMatch:
			return nil, true, nil
		case !v.Deleted && v.Size == w.size:
			info, ours, err := w.isIn(ctx, v.Version)
			switch {
			case err != nil:
				return nil, kept, err
			case ours:
				return &info, true, nil
			case w.isOlder(info): // as are all that follow
				return nil, true, nil
			}
		}
		kept = true
	}
	return nil, kept, nil
}

// isIn reports whether a version of the object holds the message.
func (w *write) isIn(ctx context.Context, version string) (bucket.Info, bool, error) {
	const before = 3 // the format's version, and the suite
	head, info, err := w.store.bucket.Peek(ctx, w.target.key, version, before+len(w.id))
	return info, len(head) == before+len(w.id) && [sha256.Size]byte(head[before:]) == w.id, err
}

// commitIfVersion is for a server whose version ids have the form of an ETag: what
// was taken for an ETag may be the id of the latest version.
func (w *write) commitIfVersion(ctx context.Context, version string, refusal error) (*Receipt, error) {
	latest, err := w.store.bucket.Head(ctx, w.target.key, "")
	if err != nil || latest.Version != version {
		return nil, refusal
	}
	if w.condition, err = bucket.Matching(latest.ETag); err != nil {
		return nil, err
	}
	w.upload.Require(w.condition)
	return w.commit(ctx)
}

func unquote(etag string) string { return strings.Trim(etag, `"`) }
