package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/internal/awsclient"
)

// A liar is a client whose answers to GetObject are altered, but for an object's
// first range.
type liar struct {
	client
	alter func(*s3.GetObjectOutput)
}

func (l *liar) GetObject(ctx context.Context, in *s3.GetObjectInput, o ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	out, err := l.client.GetObject(ctx, in, o...)
	if err == nil && !strings.HasPrefix(*in.Range, "bytes=0-") {
		l.alter(out)
	}
	return out, err
}

// TestLaterRanges holds that a range is of the same object and the one that was
// asked for, whatever the server makes of the request's conditions: of ranges
// that are read as they come, and ahead.
func TestLaterRanges(t *testing.T) {
	server, b := emulated(t)
	if _, err := server.Control("", "write", "a", strings.Repeat("x", 3*rangeSize)); err != nil {
		t.Fatal(err)
	}
	for _, ahead := range []bool{false, true} {
		for _, test := range []struct {
			name  string
			alter func(*s3.GetObjectOutput)
			ok    bool
			kind  error
		}{
			{"as it is", func(*s3.GetObjectOutput) {}, true, nil},
			{"another object", func(out *s3.GetObjectOutput) { out.ETag = aws.String(`"0"`) }, false, awsclient.ErrConflict},
			{"no ETag", func(out *s3.GetObjectOutput) { out.ETag = nil }, false, awsclient.ErrConflict},
			{"another range", func(out *s3.GetObjectOutput) {
				out.ContentRange = aws.String(fmt.Sprintf("bytes 0-%d/%d", rangeSize-1, 3*rangeSize))
			}, false, nil},
			{"another size", func(out *s3.GetObjectOutput) {
				out.ContentRange = aws.String(fmt.Sprintf("bytes %d-%d/%d", rangeSize, 2*rangeSize-1, 4*rangeSize))
			}, false, nil},
			{"no range", func(out *s3.GetObjectOutput) { out.ContentRange = nil }, false, nil},
		} {
			lying := New(&liar{b.client, test.alter}, b.name, Options{})
			if !ahead {
				lying.prefetching <- struct{}{}
			}
			o, err := lying.Get(t.Context(), "a", "")
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, o)
			o.Close()
			var e *awsclient.Error
			if test.ok != (err == nil) || !test.ok && (!errors.As(err, &e) || e.Kind != test.kind || n != rangeSize) {
				t.Errorf("%s, ahead %v: %d bytes, %v", test.name, ahead, n, err)
			}
		}
	}
}
