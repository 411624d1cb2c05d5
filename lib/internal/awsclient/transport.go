package awsclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"microsecrets/lib/internal/printable"
)

// transport sends requests, gives up on one when no byte has moved for timeout,
// and traces each.
type transport struct {
	next    aws.HTTPClient
	timeout time.Duration
	trace   func(Request)
}

// stalled is the error of a request that made no progress. It is a timeout, and
// that of the whole wait: the request is not repeated.
type stalled struct{ after time.Duration }

func (e stalled) Error() string { return fmt.Sprintf("no progress for %v", e.after) }
func (e stalled) Timeout() bool { return true }

// Stalled reports whether a request made no progress for the time that Options
// give it.
func Stalled(err error) bool { return errors.As(err, new(stalled)) }

func (c *transport) Do(r *http.Request) (*http.Response, error) {
	start := time.Now()
	sent := false
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		WroteHeaderField: func(string, []string) { sent = true },
	}))
	resp, err := c.do(r)
	if err != nil && !sent {
		err = &notSentError{err}
	}
	if c.trace != nil {
		c.trace(describe(r, resp, err, time.Since(start)))
	}
	return resp, err
}

// notSentError is the error of a request of which no byte was sent: nothing can
// have acted on it.
type notSentError struct{ err error }

func (e *notSentError) Error() string { return e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }

func (c *transport) do(r *http.Request) (*http.Response, error) {
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

// Request is what is public of a request: never a header's or a body's content.
type Request struct {
	What      string // method and URL, or the KMS operation and host, with the number of the attempt
	Status    string // the HTTP status, empty without an answer
	RequestID string
	Err       error // why there is no answer
	Took      time.Duration
}

// String is the request in one printable line.
func (r Request) String() string {
	outcome := r.Status
	if r.Err != nil {
		outcome = root(r.Err).Error()
	}
	if r.RequestID != "" {
		outcome += ", request id " + r.RequestID
	}
	return printable.Line(fmt.Sprintf("%s: %s, %v", r.What, outcome, r.Took.Round(time.Microsecond)))
}

func describe(r *http.Request, resp *http.Response, err error, took time.Duration) Request {
	d := Request{What: r.Method + " " + r.URL.Scheme + "://" + r.URL.Host + r.URL.EscapedPath(), Err: err, Took: took}
	if r.URL.RawQuery != "" {
		d.What += "?" + r.URL.RawQuery
	}
	if _, op, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		d.What = "kms " + op + " " + r.URL.Host
	}
	if attempt := r.Header.Get("Amz-Sdk-Request"); attempt != "" {
		d.What += " (" + attempt + ")"
	}
	if err == nil {
		d.Status = strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", http.StatusText(resp.StatusCode)))
		d.RequestID = printable.Line(cmp.Or(resp.Header.Get("X-Amz-Request-Id"), resp.Header.Get("X-Amzn-Requestid")))
	}
	return d
}
