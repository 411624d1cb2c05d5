package secret

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
)

// Entry is a line of a listing.
type Entry struct {
	Name     string // or, where Group, what several names begin with, to its last slash
	Group    bool
	Valid    bool // false for a key in the bucket that is no secret's name
	Size     int64
	Modified time.Time
	ETag     string // without its quotes

	// Of a line of Versions.
	Version string // its id; "null" where the bucket kept no versions when it was written
	Latest  bool
	Deleted bool // a deletion: it has no Size and no ETag
}

// List lists the names that begin with prefix, a plain text, in the order of
// their bytes. With oneLevel, the names that go on behind a slash after the
// prefix are one Entry. Keys that are no names come with Valid false.
func (s *Store) List(ctx context.Context, prefix string, oneLevel bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := CheckPrefix(prefix); err != nil {
			yield(Entry{}, err)
			return
		}
		under := s.location.prefix()
		for e, err := range s.bucket.List(ctx, under+prefix, oneLevel) {
			if err != nil {
				yield(Entry{}, fmt.Errorf("%s: %w", s.location, err))
				return
			}
			if !yield(entry(under, e.Info, e.Common), nil) {
				return
			}
		}
	}
}

func entry(under string, i bucket.Info, group bool) Entry {
	name := strings.TrimPrefix(i.Key, under)
	return Entry{
		Name:     name,
		Group:    group,
		Valid:    CheckName(strings.TrimSuffix(name, "/")) == nil && (group || !strings.HasSuffix(name, "/")),
		Size:     i.Size,
		Modified: i.Modified,
		ETag:     unquote(i.ETag),
		Version:  i.Version,
	}
}

// Versions lists every version and deletion, the newest of each name first, of
// the names that begin with prefix, if that is empty or ends in a slash, else of
// the one name that it is; without any that is an ErrNotFound.
func (s *Store) Versions(ctx context.Context, prefix string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := CheckPrefix(prefix); err != nil {
			yield(Entry{}, err)
			return
		}
		under := s.location.prefix()
		one, none := prefix != "" && !strings.HasSuffix(prefix, "/"), true
		versions := s.bucket.ListVersions
		if one {
			versions = s.bucket.History
		}
		for v, err := range versions(ctx, under+prefix) {
			if err != nil {
				yield(Entry{}, fmt.Errorf("%s: %w", s.location, err))
				return
			}
			e := entry(under, v.Info, false)
			none = false
			e.Latest, e.Deleted = v.Latest, v.Deleted
			if !yield(e, nil) {
				return
			}
		}
		if one && none {
			yield(Entry{}, s.named(prefix, awsclient.ErrNotFound))
		}
	}
}

// CheckPrefix tells whether a name can begin with prefix. The error is an
// ErrBadName.
func CheckPrefix(prefix string) error {
	switch {
	case len(prefix) > keyMax:
		return fmt.Errorf("a prefix of over %d bytes is %w", keyMax, ErrBadName)
	case !utf8.ValidString(prefix), strings.ContainsFunc(prefix, unicode.IsControl), strings.ContainsFunc(prefix, isSeparatorOrBidi):
		return fmt.Errorf("prefix %+q is %w: no name begins so", prefix, ErrBadName)
	}
	return nil
}
