package secret

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/internal/hint"
)

// removedAtOnce is how many versions of a secret are removed side by side.
const removedAtOnce = 8

// RemoveOptions say which versions of a secret are removed.
type RemoveOptions struct {
	If      string // only if the latest version is this one, an ETag or a version id: else ErrChanged
	Version string // this version alone, or this deletion, which brings what it hid back; for good
	Purge   bool   // every version and every deletion, for good
}

// Check reports whether the options can be used. The error is an ErrInvalid.
func (o *RemoveOptions) Check() error {
	switch {
	case o == nil:
		return nil
	case o.If != "" && (o.Version != "" || o.Purge), o.Version != "" && o.Purge:
		return invalidf("If, Version and Purge do not go together")
	}
	return checkVersion(o.If)
}

// Remove deletes a secret: one HeadObject, since S3 does not say whether there
// was one, and one DeleteObject. If the bucket keeps versions, all of them stay, and
// a deletion is the latest; otherwise the secret is gone. If the secret or the version
// does not exist, the error is an ErrNotFound.
//
// A purge removes the latest version last, so that no older one comes to light
// meanwhile. What is written meanwhile stays, unless the bucket keeps no versions:
// all that is written there has the same id, and S3 takes no condition with one.
func (s *Store) Remove(ctx context.Context, name string, o *RemoveOptions) error {
	t, err := s.locate(name)
	if err == nil && s.options.Origin != "" {
		err = ErrReplica
	}
	if err == nil {
		err = o.Check()
	}
	if err == nil {
		err = s.remove(ctx, t, orZero(o))
	}
	return s.fail("remove", name, err)
}

func (s *Store) remove(ctx context.Context, t target, o RemoveOptions) error {
	switch {
	case o.Purge:
		return s.purge(ctx, t)
	case o.Version != "":
		return s.removeVersion(ctx, t, o.Version)
	}
	latest, err := s.bucket.Head(ctx, t.key, "")
	if o.If == "" {
		if err != nil {
			return err
		}
		return s.removeSeen(ctx, t, latest, bucket.Condition{})
	}
	switch {
	case isNotFound(err):
		return s.changed()
	case err != nil:
		return err
	case o.If != latest.Version && bucket.Quoted(o.If) != latest.ETag:
		return s.changed()
	}
	condition, err := bucket.Matching(latest.ETag)
	if err != nil {
		return err
	}
	return s.removeSeen(ctx, t, latest, condition)
}

// removeSeen deletes what was seen. A deletion that meets another request is
// repeated. One that was not answered may have been made, or may be made later:
// removeSeen looks at what is there, and repeats it on condition that what was seen
// is still there.
func (s *Store) removeSeen(ctx context.Context, t target, seen bucket.Info, c bucket.Condition) error {
	backoff := s.newBackoff()
	inDoubt, conditional := false, c != (bucket.Condition{})
	for resent := 0; ; {
		err := s.bucket.Delete(ctx, t.key, "", c)
		if err == nil {
			return nil
		}
		inDoubt = inDoubt || maybeApplied(err)
		switch {
		case notS3(err):
			return err
		case inDoubt:
			again, settled := s.settleRemoval(ctx, t, seen, conditional, err)
			if !again {
				return settled
			}
			if isStalled(err) {
				return uncertain(ctx, "removed", err)
			}
			if !isBusy(err) {
				if resent++; resent >= s.client.MaxAttempts() || s.options.LastWriterWins {
					return uncertain(ctx, "removed", err)
				}
			}
			var noETag error
			if c, noETag = bucket.Matching(seen.ETag); noETag != nil {
				return uncertain(ctx, "removed", noETag)
			}
		case isBusy(err):
		case isConflict(err):
			return s.changed()
		default:
			return err
		}
		if err = backoff.spent(err); err == nil {
			err = backoff.wait(ctx)
		}
		if err != nil && inDoubt {
			err = uncertain(ctx, "removed", err)
		}
		if err != nil {
			return err
		}
	}
}

// settleRemoval finds out whether a deletion that was not answered has been made.
// If what was to be deleted is still there, again is true. If nothing is there, or
// something else, the history shows what came next. Without a history, nothing there
// is success.
func (s *Store) settleRemoval(ctx context.Context, t target, seen bucket.Info, conditional bool, failure error) (again bool, err error) {
	latest, err := s.bucket.Head(ctx, t.key, "")
	absent := isNotFound(err)
	switch {
	case ctx.Err() != nil:
		return false, uncertain(ctx, "removed", err)
	case err != nil && !absent:
		return false, uncertain(ctx, "removed", failure)
	case !absent && latest.ETag == seen.ETag && latest.Version == seen.Version:
		return true, nil
	}
	var next *bucket.Entry
	found := false
	for v, err := range s.bucket.History(ctx, t.key) {
		switch {
		case err != nil:
			return false, uncertain(ctx, "removed", err)
		case v.Latest && v.Version == NullVersion && !v.Deleted:
			return false, uncertain(ctx, "removed", errOverwritten)
		case v.Deleted || v.ETag != seen.ETag:
		case next != nil && next.Deleted:
			return false, nil
		default: // of a write that was made twice, an older one may be followed by the deletion
			found = true
		}
		next = &v
	}
	switch {
	case absent && next == nil: // no history
		return false, nil
	case next == nil:
		return false, uncertain(ctx, "removed", errOverwritten)
	case found && conditional:
		return false, s.changed()
	case absent:
		return false, nil
	}
	return false, uncertain(ctx, "removed", errors.New("another writer came after it"))
}

// removeVersion removes one version, or one deletion, for good.
func (s *Store) removeVersion(ctx context.Context, t target, version string) error {
	for v, err := range s.bucket.History(ctx, t.key) {
		switch {
		case err != nil:
			return err
		case v.Version == version:
			return s.drop(ctx, t, version)
		}
	}
	return hint.With(&kindError{errors.New(s.absent().Error() + ": no such version"), ErrNotFound}, "ms-ls -versions lists the versions")
}

// drop removes a version that was seen for good.
func (s *Store) drop(ctx context.Context, t target, version string) error {
	err := s.bucket.Delete(ctx, t.key, version, bucket.Condition{})
	if maybeApplied(err) && !notS3(err) {
		return uncertain(ctx, "removed", err)
	}
	return err
}

func (s *Store) purge(ctx context.Context, t target) error {
	var versions []string
	for v, err := range s.bucket.History(ctx, t.key) {
		if err != nil {
			return err
		}
		versions = append(versions, v.Version)
	}
	if len(versions) == 0 {
		return s.absent()
	}
	old, oldCtx := errgroup.WithContext(ctx)
	old.SetLimit(removedAtOnce)
	for _, version := range slices.Backward(versions[1:]) {
		old.Go(func() error { return s.drop(oldCtx, t, version) })
	}
	if err := old.Wait(); err != nil {
		return err
	}
	return s.drop(ctx, t, versions[0])
}
