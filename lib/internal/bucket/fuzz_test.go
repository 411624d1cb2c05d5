package bucket

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// FuzzExtent holds that no answer makes a size or a range that an object cannot have.
func FuzzExtent(f *testing.F) {
	for _, s := range []string{"bytes 0-9/10", "bytes 0-0/1", "bytes */10", "bytes 0-9/*", "bytes 1-9/10", "bytes 0--1/10", "bytes 0-9/9223372036854775808", "bytes 0-10/10", ""} {
		f.Add(s, int64(10), true)
	}
	f.Add("", int64(-1), false)
	f.Add("", int64(1)<<62, false)
	f.Fuzz(func(t *testing.T, span string, length int64, ranged bool) {
		out := &s3.GetObjectOutput{ContentLength: &length}
		if ranged {
			out.ContentRange = &span
		}
		if length < 0 {
			out.ContentLength = nil // net/http has no negative one
		}
		first, size, err := extent(out)
		if err == nil && (first > size || size > sizeMax || first < -1 || ranged && first < 1) {
			t.Errorf("%q, %d: %d of %d", span, length, first, size)
		}
	})
}

// FuzzQuoted holds that an ETag is quoted once, whatever way the server wrote it.
func FuzzQuoted(f *testing.F) {
	for _, s := range []string{"", `"`, `""`, `"x"`, `W/"x"`, "x", `x"y`, `W/`, `W/W/"x"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := Quoted(s)
		if once == "" {
			return
		}
		if Quoted(once) != once || len(once) < 3 || !strings.HasPrefix(once, `"`) || !strings.HasSuffix(once, `"`) {
			t.Errorf("%q: %q, then %q", s, once, Quoted(once))
		}
	})
}
