package secret

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
)

// removedAtOnce is how many versions of a secret are removed side by side.
const removedAtOnce = 8

// ErrUncertainRemoval is the ErrUncertain of a removal.
var ErrUncertainRemoval = errors.New("outcome unknown, may have been removed")

// Remove deletes a secret: one HeadObject, since S3 does not tell whether there
// was one, and one DeleteObject. Where the bucket keeps versions, all are kept,
// behind a deletion; elsewhere the secret is gone. With an ifVersion, a version
// id or an ETag, it does so only if that is the latest one; else the error is an
// ErrChanged.
func (s *Store) Remove(ctx context.Context, name, ifVersion string) error {
	return s.removal(name, func(key string) error {
		o := PutOptions{If: ifVersion}
		if err := o.Check(); err != nil {
			return err
		}
		latest, err := s.bucket.Head(ctx, key, "")
		switch {
		case ifVersion != "" && errors.Is(err, awsclient.ErrNotFound):
			return fmt.Errorf("%w in %s", ErrChanged, s.location)
		case err != nil:
			return hinted(err)
		case ifVersion == "":
			_, err := s.bucket.Delete(ctx, key, "", bucket.Condition{})
			return err
		case ifVersion != latest.Version && unquote(ifVersion) != unquote(latest.ETag):
			return fmt.Errorf("%w in %s", ErrChanged, s.location)
		}
		return s.removeIf(ctx, key, latest.ETag)
	})
}

// removeIf deletes what has this ETag. A deletion that meets another request is
// repeated.
func (s *Store) removeIf(ctx context.Context, key, etag string) error {
	patience, doubt := s.patience(), false
	for {
		_, err := s.bucket.Delete(ctx, key, "", bucket.Condition{IfMatch: etag})
		var e *awsclient.Error
		if errors.As(err, &e) {
			doubt = doubt || e.Doubt
		}
		if simultaneous(err) {
			if err = patience.wait(ctx, err); err == nil {
				continue
			}
		}
		switch {
		case err == nil:
			return nil
		case doubt:
			return s.settleRemoval(ctx, key, etag, err)
		case errors.Is(err, awsclient.ErrConflict):
			return fmt.Errorf("%w in %s", ErrChanged, s.location)
		}
		return err
	}
}

// settleRemoval finds out whether a deletion that failed has been acted on: if
// nothing is there any more, that is what was wanted; if something is, the
// history tells what came next after what was to be deleted.
func (s *Store) settleRemoval(ctx context.Context, key, etag string, failure error) error {
	if _, err := s.bucket.Head(ctx, key, ""); errors.Is(err, awsclient.ErrNotFound) {
		return nil
	}
	var next bucket.Entry
	for v, err := range s.bucket.History(ctx, key) {
		switch {
		case err != nil:
			return fmt.Errorf("%w: %v", ErrUncertainRemoval, err)
		case v.Deleted || v.ETag != etag:
			if v.Latest && v.Version == nullVersion {
				return fmt.Errorf("%w: %v", ErrUncertainRemoval, errOverwritten)
			}
		case v.Latest: // and may be deleted yet
			return fmt.Errorf("%w: %v", ErrUncertainRemoval, failure)
		case next.Deleted:
			return nil
		default:
			return fmt.Errorf("%w in %s", ErrChanged, s.location)
		}
		next = v
	}
	return fmt.Errorf("%w: no version of it is left", ErrUncertainRemoval)
}

// RemoveVersion removes one version of a secret for good, or one deletion, which
// brings what it hid back. An id that is none is an ErrNotFound.
func (s *Store) RemoveVersion(ctx context.Context, name, version string) error {
	return s.removal(name, func(key string) error {
		for v, err := range s.bucket.History(ctx, key) {
			switch {
			case err != nil:
				return err
			case v.Version == version:
				_, err := s.bucket.Delete(ctx, key, version, bucket.Condition{})
				return err
			}
		}
		return &advised{fmt.Errorf("%w in %s: no such version", ErrNotFound, s.location), "ms-ls -versions lists the versions"}
	})
}

// Purge removes every version and every deletion of a secret for good, the
// latest at last, so that no older one comes to light meanwhile. What is written
// meanwhile stays, unless the bucket keeps no versions: all that is written there
// has the same id, and S3 takes no condition beside one.
func (s *Store) Purge(ctx context.Context, name string) error {
	return s.removal(name, func(key string) error {
		var versions []string
		for v, err := range s.bucket.History(ctx, key) {
			if err != nil {
				return err
			}
			versions = append(versions, v.Version)
		}
		if len(versions) == 0 {
			return awsclient.ErrNotFound
		}
		remove := func(ctx context.Context, version string) error {
			_, err := s.bucket.Delete(ctx, key, version, bucket.Condition{})
			return err
		}
		old, oldCtx := errgroup.WithContext(ctx)
		old.SetLimit(removedAtOnce)
		for _, version := range slices.Backward(versions[1:]) {
			old.Go(func() error { return remove(oldCtx, version) })
		}
		if err := old.Wait(); err != nil {
			return err
		}
		return remove(ctx, versions[0])
	})
}

// removal does what removes a secret.
func (s *Store) removal(name string, remove func(key string) error) error {
	key, err := s.location.key(name)
	switch {
	case err != nil:
		return s.named(name, err)
	case s.options.Origin != "":
		return s.named(name, ErrReplica)
	}
	return s.named(name, remove(key))
}
