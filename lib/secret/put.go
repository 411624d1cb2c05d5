package secret

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/internal/keyring"
	"microsecrets/lib/message"
)

// Receipt tells what a Put has stored.
type Receipt struct {
	Name    string
	Outcome Outcome
	SHA256  [sha256.Size]byte // of the stored message: it pins this write and tells nothing of the secret
	Size    int64             // of the plaintext, in bytes
	ETag    string            // without its quotes
	Version string            // empty where the bucket keeps no versions
	Key     string            // the ARN of the KMS key that made the data key
}

// Outcome is what a put was to the secret, as far as it had to be found out.
type Outcome string

const (
	Written   Outcome = "written" // whether there was one before was not asked
	Created   Outcome = "created"
	Updated   Outcome = "updated"
	Unchanged Outcome = "unchanged" // nothing was stored, and the Receipt is of what there is
)

// PutOptions say on what condition a secret is stored, and with what claims.
type PutOptions struct {
	Create  bool   // only if there is no such secret: else ErrExists
	If      string // only if its latest version is this one, an ETag or a version id: else ErrChanged
	Changed bool   // only if the secret does not hold these bytes already: else the outcome is Unchanged

	// Claims are the encryption context, but for the store and the name; nil is
	// who writes, and when.
	Claims map[string]string
}

// Check tells whether the options can be used. The error is an ErrBadName.
func (o PutOptions) Check() error {
	switch {
	case o.Create && o.If != "":
		return fmt.Errorf("a version of what is to be created is %w", ErrBadName)
	case o.If == nullVersion:
		return fmt.Errorf("the version null is %w: all that is written without versioning has this id; give the ETag", ErrBadName)
	}
	return nil
}

// refuses tells what in the options keeps a secret, which is nil if there is
// none, from being replaced.
func (o PutOptions) refuses(old *Secret) error {
	switch {
	case o.Create && old != nil:
		return ErrExists
	case o.If != "" && (old == nil || o.If != old.Version && unquote(o.If) != old.ETag):
		return ErrChanged
	}
	return nil
}

// The failures of conditional writes. Nothing has been stored, but perhaps by a
// write that is an ErrUncertain.
var (
	ErrExists    = errors.New("exists already")
	ErrChanged   = errors.New("has changed")
	ErrUncertain = errors.New("outcome unknown, may have been written")
)

// ErrReplica is the error of putting into a store that has an origin.
var ErrReplica = errors.New("a store with an origin is a replica: it can only be read")

// Put encrypts what src yields, to its end, and stores it under name in place
// of what was there: one GenerateDataKey and, up to 8 MiB, one PutObject.
// Nothing is stored if src or anything else fails.
func (s *Store) Put(ctx context.Context, name string, src io.Reader) (*Receipt, error) {
	return s.PutWith(ctx, name, src, PutOptions{})
}

// PutWith is Put with options. Of several that create a secret, or replace the
// same version of it, side by side, one succeeds. A write whose answer is lost
// is looked for in the store, so that it is not refused for its own sake.
func (s *Store) PutWith(ctx context.Context, name string, src io.Reader, o PutOptions) (*Receipt, error) {
	r, err := s.put(ctx, name, src, o)
	if err != nil {
		return nil, s.refused(name, err, o)
	}
	return r, nil
}

// writable tells whether a secret can be written at all.
func (s *Store) writable(name string, o PutOptions) error {
	switch {
	case s.options.Origin != "":
		return ErrReplica
	case s.version != "":
		return errors.New("a store at a version can only be read")
	}
	if _, err := s.location.key(name); err != nil {
		return err
	}
	keys, err := keyring.Keys(s.options.Key, Service(name))
	if err != nil {
		return err
	}
	if n := len(keys); n > message.MaxDataKeys {
		return &awsclient.Error{Kind: awsclient.ErrConfig, Detail: fmt.Sprintf("%d keys in the setting key: a secret is under at most %d", n, message.MaxDataKeys)}
	}
	return o.Check()
}

// refused says of a conflict what it means to the options.
func (s *Store) refused(name string, err error, o PutOptions) error {
	switch conflict := errors.Is(err, awsclient.ErrConflict); {
	case conflict && o.Create, errors.Is(err, ErrExists):
		err = fmt.Errorf("%w in %s", ErrExists, s.location)
	case conflict && o.If != "", errors.Is(err, ErrChanged):
		err = fmt.Errorf("%w in %s", ErrChanged, s.location)
	}
	return s.named(name, err)
}

func (s *Store) put(ctx context.Context, name string, src io.Reader, o PutOptions) (*Receipt, error) {
	if err := s.writable(name, o); err != nil {
		return nil, err
	}
	outcome := Written
	var beside *comparison
	if o.Changed {
		var err error
		if beside, err = s.compare(ctx, name, src); err != nil {
			return nil, err
		}
		defer beside.close()
		same, err := beside.ahead()
		switch {
		case err != nil:
			return nil, err
		case same:
			return beside.receipt(), nil
		}
		outcome, src = beside.outcome(), beside
	}
	condition, err := s.condition(ctx, name, o)
	if err != nil {
		return nil, err
	}
	switch {
	case condition.IfAbsent:
		outcome = Created
	case condition.IfMatch != "":
		outcome = Updated
	}
	w, err := s.seal(ctx, name, src, condition, o.Claims)
	if err != nil {
		return nil, err
	}
	if beside != nil && !beside.differs {
		return beside.receipt(), w.upload.Abort()
	}
	r, err := w.commitPatiently(ctx)
	if err != nil {
		return nil, w.abort(err)
	}
	r.Outcome = outcome
	return r, nil
}

// commitPatiently repeats a commit that meets other requests. An upload in parts
// that S3 has dropped at that stays refused.
func (w *write) commitPatiently(ctx context.Context) (*Receipt, error) {
	patience := w.store.patience()
	r, err := w.commit(ctx)
	for simultaneous(err) {
		if err := patience.wait(ctx, err); err != nil {
			return nil, err
		}
		refusal := err
		r, err = w.commit(ctx)
		var e *awsclient.Error
		if errors.As(err, &e) && e.Code == "NoSuchUpload" {
			return nil, refusal
		}
	}
	return r, err
}

// Merge reads a secret, has it changed, and stores the result on condition that
// the secret is still the one that was read; otherwise it begins again, so that
// no write of others is lost. What change is given is nil if there is no such
// secret, and not to be kept; it may be called several times. The secret is at
// most Held bytes.
//
// A hundred merges of one secret at once all succeed: they take turns, and only
// the time in which nobody's write is made is bounded, by the Timeout of the
// Options.
func (s *Store) Merge(ctx context.Context, name string, o PutOptions, change func(old []byte) ([]byte, error)) (*Receipt, error) {
	r, err := s.merge(ctx, name, o, change)
	if err != nil {
		return nil, s.refused(name, err, o)
	}
	return r, nil
}

func (s *Store) merge(ctx context.Context, name string, o PutOptions, change func([]byte) ([]byte, error)) (*Receipt, error) {
	if err := s.writable(name, o); err != nil {
		return nil, err
	}
	patience := s.patience()
	for seen := ""; ; {
		old, err := s.Open(ctx, name)
		if errors.Is(err, ErrNotFound) {
			old, err = nil, nil
		}
		etag := ""
		if old != nil {
			etag = old.ETag
		}
		if etag != seen {
			patience.progress()
			seen = etag
		}
		var r *Receipt
		if err == nil {
			r, err = s.mergeInto(ctx, name, old, o, change)
		}
		if old != nil {
			old.Close()
		}
		if !errors.Is(err, awsclient.ErrConflict) {
			return r, err
		}
		if err := patience.wait(ctx, err); err != nil {
			return nil, err
		}
	}
}

// mergeInto changes what was read, which is nil if there was nothing, and
// stores it in its place.
func (s *Store) mergeInto(ctx context.Context, name string, old *Secret, o PutOptions, change func([]byte) ([]byte, error)) (*Receipt, error) {
	condition, outcome := bucket.Condition{IfAbsent: true}, Created
	var before []byte
	if err := o.refuses(old); err != nil {
		return nil, err
	}
	if old != nil {
		condition, outcome = bucket.Condition{IfMatch: quote(old.ETag)}, Updated
		var err error
		if before, err = old.All(Held); err != nil {
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
	w, err := s.seal(ctx, name, bytes.NewReader(after), condition, o.Claims)
	if err != nil {
		return nil, err
	}
	r, err := w.commit(ctx)
	if err != nil {
		return nil, w.abort(err)
	}
	r.Outcome = outcome
	return r, nil
}

// Exists tells whether there is a secret of that name, by one HeadObject.
func (s *Store) Exists(ctx context.Context, name string) (bool, error) {
	key, err := s.location.key(name)
	if err != nil {
		return false, &nameError{name, err}
	}
	_, err = s.bucket.Head(ctx, key, "")
	err = s.named(name, err)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
