package secret

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"microsecrets/lib/internal/bucket"
)

// Entry is one name of a listing, or a group of names.
type Entry struct {
	Name     string // of a group: what its names begin with, up to and including a slash
	Group    bool   // only with ListOptions.OneLevel
	Valid    bool   // false if Name is the key of an object that cannot be a secret
	Size     int64  // of the stored message, in bytes
	Modified time.Time
	ETag     string // without its quotes
}

// Version is one version of a secret, or its deletion, which has no Size and no
// ETag.
type Version struct {
	Entry
	ID      string // NullVersion if the bucket kept no versions when it was stored
	Latest  bool
	Deleted bool
}

// ListOptions are the options of List.
type ListOptions struct {
	// OneLevel makes one Entry, a Group, of all names that have the same text up
	// to the next slash after the prefix.
	OneLevel bool
}

// List lists the names that begin with prefix, which is plain text, in the order
// of their bytes. It ends with the first error.
func (s *Store) List(ctx context.Context, prefix string, o *ListOptions) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := CheckPrefix(prefix); err != nil {
			yield(Entry{}, s.fail("list", "", err))
			return
		}
		for e, err := range s.bucket.List(ctx, s.location.under()+prefix, orZero(o).OneLevel) {
			if err != nil {
				yield(Entry{}, s.failedListing(err))
				return
			}
			if !yield(s.entry(e), nil) {
				return
			}
		}
	}
}

// failedListing returns an error that names the store, since there is no name of a
// secret.
func (s *Store) failedListing(err error) error {
	return s.fail("list", "", fmt.Errorf("%s: %w", s, err))
}

func (s *Store) entry(e bucket.Entry) Entry {
	name := strings.TrimPrefix(e.Key, s.location.under())
	return Entry{
		Name:     name,
		Group:    e.Common,
		Valid:    CheckName(strings.TrimSuffix(name, "/")) == nil && (e.Common || !strings.HasSuffix(name, "/")),
		Size:     e.Size,
		Modified: e.Modified,
		ETag:     unquote(e.ETag),
	}
}

// Versions lists every version and deletion, the newest of each name first. If
// prefix is empty or ends in a slash, they are those of the names that begin with
// it. Otherwise prefix is a name, and if it has no version the error is an
// ErrNotFound. It ends with the first error.
func (s *Store) Versions(ctx context.Context, prefix string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		if err := CheckPrefix(prefix); err != nil {
			yield(Version{}, s.fail("list", "", err))
			return
		}
		one, none := prefix != "" && !strings.HasSuffix(prefix, "/"), true
		versions := s.bucket.ListVersions
		if one {
			versions = s.bucket.History
		}
		for e, err := range versions(ctx, s.location.under()+prefix) {
			if err != nil {
				yield(Version{}, s.failedListing(err))
				return
			}
			none = false
			if !yield(Version{s.entry(e), e.Version, e.Latest, e.Deleted}, nil) {
				return
			}
		}
		if one && none {
			yield(Version{}, s.fail("list", prefix, s.absent()))
		}
	}
}
