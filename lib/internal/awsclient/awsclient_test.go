package awsclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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
	send := &smithyhttp.RequestSendError{Err: io.ErrUnexpectedEOF}
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
	err := Classify(context.Background(), "GetObject", &smithy.GenericAPIError{
		Code:    "Odd\x1b[31m",
		Message: "line\nline\x00\xff" + strings.Repeat("x", 10_000),
	}, Facts{})
	text := err.Error()
	if strings.ContainsAny(text, "\n\x00\x1b") || !utf8.ValidString(text) || len(text) > 1000 {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}

func TestIsAmazon(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"https://s3.eu-west-1.amazonaws.com":         true,
		"https://bucket.vpce-1.s3.amazonaws.com":     true,
		"https://s3.cn-north-1.amazonaws.com.cn":     true,
		"http://127.0.0.1:9000":                      false,
		"https://amazonaws.com.example.org":          false,
		"https://evilamazonaws.com":                  false,
		"https://minio.example.com/s3.amazonaws.com": false,
	} {
		if got := isAmazon(endpoint); got != want {
			t.Errorf("%s: %v", endpoint, got)
		}
	}
}

// TestNoProgress has a server that sends a byte and stops: the client gives up
// though the transfer as a whole has no bound.
func TestNoProgress(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("x"))
		w.(http.Flusher).Flush()
		<-release
	}))
	defer server.Close()
	defer close(release)
	c := &transport{next: server.Client(), timeout: 20 * time.Millisecond}
	r, err := http.NewRequest("GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	var timeout interface{ Timeout() bool }
	if string(got) != "x" || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%q, %v", got, err)
	}
	if err := Classify(context.Background(), "GetObject", err, Facts{}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("%v", err)
	}
}

// TestTraceHoldsNoHeaders has everything that may be secret in a header.
func TestTraceHoldsNoHeaders(t *testing.T) {
	var lines []string
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	c := &transport{next: server.Client(), trace: func(r Request) { lines = append(lines, r.String()) }}
	r, err := http.NewRequest("GET", server.URL+"/bucket/key", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "canary")
	r.Header.Set("X-Amz-Security-Token", "canary")
	r.Header.Set("Amz-Sdk-Request", "attempt=1; max=3")
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if len(lines) != 1 || strings.Contains(lines[0], "canary") || !strings.Contains(lines[0], "/bucket/key (attempt=1; max=3): 404") {
		t.Errorf("%q", lines)
	}
}
