package awsclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

func TestClassify(t *testing.T) {
	ctx := context.Background()
	for code, want := range map[string]error{
		"NoSuchKey":                  ErrNotFound,
		"NotFound":                   nil, // only as the answer to a HEAD
		"AccessDenied":               ErrDenied,
		"AccessDeniedException":      ErrDenied,
		"ExpiredToken":               ErrDenied,
		"PreconditionFailed":         nil, // of a request without a condition
		"ConditionalRequestConflict": ErrUnreachable,
		"SlowDown":                   ErrUnreachable,
		"ThrottlingException":        ErrUnreachable,
		"KMSInternalException":       ErrUnreachable,
		"NoSuchBucket":               nil,
		"DisabledException":          nil,
		"NotFoundException":          nil,
	} {
		err := Classify(ctx, "GetObject", &smithy.GenericAPIError{Code: code, Message: "text"}, Facts{})
		var e *Error
		if !errors.As(err, &e) || e.Kind != want || e.Code != code {
			t.Errorf("%s: %+v", code, err)
		}
	}
	send := &smithyhttp.RequestSendError{Err: &failedAttempt{err: io.ErrUnexpectedEOF}}
	if err := Classify(ctx, "GetObject", send, Facts{}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a request that was not sent: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := Classify(ended, "GetObject", send, Facts{}); err != context.Canceled {
		t.Errorf("ended: %v", err)
	}
	if err := Classify(ctx, "GetObject", nil, Facts{}); err != nil {
		t.Errorf("no error: %v", err)
	}
}

// What a service answers may be anything, and is shown on a terminal.
func TestErrorIsOneShortPrintableLine(t *testing.T) {
	for _, code := range []string{"Odd", "Odd\x1b[31m", "http://odd.example", strings.Repeat("x", 100)} {
		err := Classify(context.Background(), "GetObject", &awshttp.ResponseError{
			RequestID: "id\x1b[31m http://odd.example",
			ResponseError: &smithyhttp.ResponseError{
				Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 400}},
				Err: &smithy.GenericAPIError{
					Code:    code,
					Message: "line\nline\x00\xff\u202e http://odd.example " + strings.Repeat("x", 10_000),
				},
			},
		}, Facts{})
		text := err.Error()
		if strings.ContainsAny(text, "\n\x00\x1b\u202e") || strings.Contains(text, "://") || !utf8.ValidString(text) || len(text) > 1000 {
			t.Errorf("%s: %d bytes: %q", code, len(text), text)
		}
	}
}
