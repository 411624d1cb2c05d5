package secret

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Entry is a line of a listing.
type Entry struct {
	Name     string // or, where Group, what several names begin with, to its last slash
	Group    bool
	Valid    bool // false for a key in the bucket that is no secret's name
	Size     int64
	Modified time.Time
	ETag     string // without its quotes
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
			name := strings.TrimPrefix(e.Key, under)
			entry := Entry{
				Name:     name,
				Group:    e.Common,
				Valid:    CheckName(strings.TrimSuffix(name, "/")) == nil && (e.Common || !strings.HasSuffix(name, "/")),
				Size:     e.Size,
				Modified: e.Modified,
				ETag:     unquote(e.ETag),
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// CheckPrefix tells whether a name can begin with prefix. The error is an
// ErrBadName.
func CheckPrefix(prefix string) error {
	switch {
	case len(prefix) > keyMax:
		return fmt.Errorf("a prefix of over %d bytes is %w", keyMax, ErrBadName)
	case !utf8.ValidString(prefix), strings.ContainsFunc(prefix, unicode.IsControl):
		return fmt.Errorf("prefix %+q is %w: no name begins so", prefix, ErrBadName)
	}
	return nil
}
