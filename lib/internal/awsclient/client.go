package awsclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// client sends requests, gives up on one when no byte has moved for timeout,
// and traces each.
type client struct {
	next    aws.HTTPClient
	timeout time.Duration
	trace   func(string)
}

// stalled is the error of a request that made no progress. It says that it is
// a timeout, so that the SDK tries again.
type stalled struct{ after time.Duration }

func (e stalled) Error() string { return fmt.Sprintf("no progress for %v", e.after) }
func (e stalled) Timeout() bool { return true }

func (c *client) Do(r *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, err := c.do(r)
	if c.trace != nil {
		c.trace(line(r, resp, err, time.Since(start)))
	}
	return resp, err
}

func (c *client) do(r *http.Request) (*http.Response, error) {
	if c.timeout <= 0 {
		return c.next.Do(r)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	w := &watch{ctx: ctx, cancel: cancel, timeout: c.timeout}
	w.timer = time.AfterFunc(c.timeout, func() { cancel(stalled{c.timeout}) })
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &watched{r.Body, w}
	}
	resp, err := c.next.Do(r)
	if err != nil {
		w.stop()
		return nil, w.cause(err)
	}
	resp.Body = &watchedResponse{watched{resp.Body, w}}
	return resp, nil
}

// watch cancels a request when its timer runs out; each byte that moves winds
// the timer up again.
type watch struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	timeout time.Duration
}

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

func (w *watch) cause(err error) error {
	if s, ok := context.Cause(w.ctx).(stalled); ok {
		return s
	}
	return err
}

type watched struct {
	io.ReadCloser
	watch *watch
}

func (b *watched) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.watch.timer.Reset(b.watch.timeout)
	}
	if err != nil && err != io.EOF {
		err = b.watch.cause(err)
	}
	return n, err
}

// watchedResponse ends the watch when the response has been read; a request's
// body is closed while its response is still awaited.
type watchedResponse struct{ watched }

// Read winds the timer up before reading too: a caller that takes its time
// between reads is not a server that stalls.
func (b *watchedResponse) Read(p []byte) (int, error) {
	b.watch.timer.Reset(b.watch.timeout)
	n, err := b.watched.Read(p)
	b.watch.timer.Stop()
	return n, err
}

func (b *watchedResponse) Close() error {
	err := b.ReadCloser.Close()
	b.watch.stop()
	return err
}

// line describes a request by what is public: method, host and path, the KMS
// operation, the status, the attempt. Never a header's or a body's content.
func line(r *http.Request, resp *http.Response, err error, took time.Duration) string {
	what := r.Method + " " + r.URL.Scheme + "://" + r.URL.Host + r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		what += "?" + r.URL.RawQuery
	}
	if _, op, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		what = "kms " + op + " " + r.URL.Host
	}
	outcome := ""
	switch {
	case err != nil:
		outcome = printable(root(err).Error())
	default:
		outcome = resp.Status
		for _, h := range []string{"X-Amz-Request-Id", "X-Amzn-Requestid"} {
			if id := resp.Header.Get(h); id != "" {
				outcome += ", request id " + printable(id)
			}
		}
	}
	if attempt := r.Header.Get("Amz-Sdk-Request"); attempt != "" {
		what += " (" + attempt + ")"
	}
	return fmt.Sprintf("%s: %s, %v", what, outcome, took.Round(time.Microsecond))
}
