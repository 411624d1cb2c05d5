package fakes3

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"microsecrets/lib/fakeaws/internal/service"
)

// etagMatches reports whether a list of ETags, quoted or not, names etag; "*"
// names any. A weak one, W/"…", is never the same: RFC 9110, 13.1.1.
func etagMatches(list, etag string) bool {
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "*" || strings.Trim(item, `"`) == etag {
			return true
		}
	}
	return false
}

// checkRead applies the conditions of GET and HEAD. If-Match overrides
// If-Unmodified-Since and If-None-Match If-Modified-Since, as in RFC 9110.
func checkRead(h http.Header, v *version) *service.Error {
	modified := v.Time.Truncate(time.Second)
	if match := h.Get("If-Match"); match != "" {
		if !etagMatches(match, v.ETag) {
			return errPrecondition.With("Condition", "If-Match")
		}
	} else if t, err := http.ParseTime(h.Get("If-Unmodified-Since")); err == nil && modified.After(t) {
		return errPrecondition.With("Condition", "If-Unmodified-Since")
	}
	if none := h.Get("If-None-Match"); none != "" {
		if etagMatches(none, v.ETag) {
			return errNotModified
		}
	} else if t, err := http.ParseTime(h.Get("If-Modified-Since")); err == nil && !modified.After(t) {
		return errNotModified
	}
	return nil
}

// checkWrite applies the conditions of PutObject, CopyObject,
// CompleteMultipartUpload and DeleteObject to what is at the key: nil for
// nothing, perhaps a delete marker.
func (c *call) checkWrite(h http.Header, latest *version) error {
	exists := latest != nil && !latest.Deleted
	match := h.Get("If-Match")
	switch {
	case c.IgnoreConditions:
		return nil
	case match != "" && !exists:
		return errNoSuchKey
	case match != "" && !etagMatches(match, latest.ETag):
		return errPrecondition.With("Condition", "If-Match")
	case h.Get("If-None-Match") != "" && exists:
		return errPrecondition.With("Condition", "If-None-Match")
	}
	return nil
}

// writeCheck returns the check of this request's conditions for store.put and
// store.del. The conditions have been checked once, against before, when the
// request came in; what has changed since is a conflict: 409, or 404 to an
// If-Match for what is gone.
func (c *call) writeCheck(before *version) func(*version) error {
	return func(latest *version) error {
		err := c.checkWrite(c.Request.Header, latest)
		if failure, _ := errors.AsType[*service.Error](err); failure != nil && failure.Code == errPrecondition.Code && latest != before {
			conflict := *errConflict
			conflict.Detail = failure.Detail
			return &conflict
		}
		return err
	}
}

// precheck applies a write's conditions before its body is read, and refuses
// those that S3 does not know.
func (c *call) precheck() error {
	before := c.store.version(c.bucket, c.key, "")
	match, none := c.Request.Header.Get("If-Match"), c.Request.Header.Get("If-None-Match")
	if none != "" && none != "*" || match != "" && none != "" {
		return errNotImplemented.With("Header", "If-None-Match")
	}
	if match != "" {
		if err := c.allowObject("s3:GetObject", c.bucketName, c.key); err != nil {
			return err
		}
	}
	c.check = c.writeCheck(before)
	return c.checkWrite(c.Request.Header, before)
}
