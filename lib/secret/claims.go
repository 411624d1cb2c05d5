package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/message"
)

// headerRange is how many bytes of a message are read for its header: those that
// this package writes are shorter.
const headerRange = 16 << 10

// Claims are what the header of a stored message says of who wrote it, and when.
// Nobody has verified it: whoever can write to the bucket can claim anything. The
// texts are foreign ones of any length.
type Claims struct {
	By string    // empty: no claim
	At time.Time // zero: no claim

	// RotatedBy and RotatedAt are of a secret that was put under another key since.
	RotatedBy string
	RotatedAt time.Time
}

// Claims reads the header of a version: one GetObject of at most 16 KiB, and no
// request to KMS. Of a version that is the latest it takes s3:GetObject, of any
// other one s3:GetObjectVersion. A version that is not a secret's, or that was
// written for another name or store, is an ErrNotAuthentic; one that is gone, or a
// deletion, an ErrNotFound.
func (s *Store) Claims(ctx context.Context, v Version) (*Claims, error) {
	c, err := s.claimsOf(ctx, v)
	return c, s.fail("get", v.Name, err)
}

func (s *Store) claimsOf(ctx context.Context, v Version) (*Claims, error) {
	t, err := s.locate(v.Name)
	switch {
	case err != nil:
		return nil, err
	case v.Deleted:
		return nil, s.absent()
	}
	version := v.ID
	if v.Latest {
		version = ""
	}
	info, h, err := s.header(ctx, t, version)
	if v.Latest && (isNotFound(err) || info.ETag != "" && !is(v, info)) { // it has been replaced since
		info, h, err = s.header(ctx, t, v.ID)
	}
	switch {
	case info.ETag != "" && !is(v, info):
		return nil, s.changed()
	case errors.Is(err, errLongHeader):
		return nil, fmt.Errorf("%w: its header has over %d KiB", ErrNotAuthentic, headerRange>>10)
	case err != nil:
		return nil, err
	}
	if err := s.bound(h, v.Name); err != nil {
		return nil, err
	}
	c := &Claims{RotatedBy: h.Context[contextRotatedBy]}
	c.By, c.At = claims(h)
	c.RotatedAt, _ = time.Parse(time.RFC3339, h.Context[contextRotatedAt])
	return c, nil
}

// is reports whether an object is a version that was listed.
func is(v Version, i bucket.Info) bool {
	return (v.ETag == "" || unquote(i.ETag) == v.ETag) && (i.Version == "" || i.Version == v.ID)
}

// errLongHeader is the error of a header that does not end within headerRange.
var errLongHeader = errors.New("a long header")

// header reads the header of a message, and no more of it than that takes. The
// object's Info comes with the errors of the header as well.
func (s *Store) header(ctx context.Context, t target, version string) (bucket.Info, *message.Header, error) {
	head, info, err := s.bucket.Peek(ctx, t.key, version, headerRange)
	if err != nil {
		return info, nil, err
	}
	var src io.Reader = bytes.NewReader(head)
	if len(head) == headerRange && info.Size != headerRange {
		src = io.MultiReader(src, unread{})
	}
	h, err := message.ReadHeader(src)
	return info, h, err
}

// unread is what follows what was read.
type unread struct{}

func (unread) Read([]byte) (int, error) { return 0, errLongHeader }
