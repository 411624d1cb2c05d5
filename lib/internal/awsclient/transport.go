package awsclient

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"microsecrets/lib/internal/printable"
)

const (
	// connections is how many kept-alive connections to one host are worth having:
	// the most requests that the project has in flight at once.
	connections = 32

	// headerMax bounds the header of an answer, in bytes. S3 and KMS send one or two
	// KiB, and user metadata has at most two more.
	headerMax = 64 << 10

	// answerMax bounds an answer that is read as a whole, in bytes. S3 and KMS send a
	// few KiB.
	answerMax = 1 << 20

	// completionMax is how long the answer to a CompleteMultipartUpload may take.
	// While S3 joins the parts, which takes minutes, it sends white space.
	completionMax = 10 * time.Minute
)

// The rates of progress, in bytes a second: fewer bytes do not count, or a server
// that sends one now and then would hold a program for ever.
const uploadRate = 16

// streamed are the rates of the operations whose answers are not read as a whole
// here. An object may take any time; a listing, which ends at 8 MiB, may not.
var streamed = map[string]int{"GetObject": 16, "ListObjectsV2": 4096, "ListObjectVersions": 4096}

// transport sends requests, bounds what an answer takes of time and of memory, and
// traces each request.
type transport struct {
	next    aws.HTTPClient
	timeout time.Duration
	trace   func(Request)
	moved   func(n int) // or nil
}

// httpClient makes the HTTP client of a configuration follow no redirect, which
// would take the body and the session token to another host. A client that the
// caller wrote stays as it is.
func httpClient(c aws.HTTPClient) (aws.HTTPClient, *dialer) {
	b, ok := c.(*awshttp.BuildableClient)
	switch {
	case c == nil:
		b = awshttp.NewBuildableClient()
	case !ok:
		return c, nil
	}
	t := b.GetTransport()
	t.MaxIdleConnsPerHost = connections
	restrict(t)
	d := dialAhead(t)
	return &http.Client{
		Transport:     t,
		Timeout:       b.GetTimeout(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, d
}

// restrict makes a transport speak HTTP/1.1, of which each request has a connection of
// its own, decompress nothing, bound the header of an answer, and return a typed error
// where net/http would show a proxy's words, or its URL.
func restrict(t *http.Transport) {
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.ForceAttemptHTTP2 = false
	t.TLSNextProto = nil
	if t.TLSClientConfig != nil { // it offers HTTP/2 if the transport has ever been cloned
		t.TLSClientConfig = t.TLSClientConfig.Clone()
		t.TLSClientConfig.NextProtos = nil
	}
	t.DisableCompression = true
	t.MaxResponseHeaderBytes = headerMax
	t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
		if answer.StatusCode != http.StatusOK {
			return proxyRefusal(answer.StatusCode)
		}
		return nil
	}
	proxy := t.Proxy
	if proxy == nil {
		return
	}
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		u, err := proxy(r)
		if err != nil || u != nil && !hasPort(u) {
			return nil, errProxyURL
		}
		return u, nil
	}
}

func (c *transport) Do(r *http.Request) (*http.Response, error) {
	start := time.Now()
	w := c.watch(r.Context())
	resp, err := c.do(r, w)
	if err != nil {
		err = w.fail(err)
	}
	if c.trace != nil {
		c.trace(describe(r, resp, err, time.Since(start)))
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func (c *transport) do(r *http.Request, w *watch) (*http.Response, error) {
	if w.useless {
		return nil, errStalled
	}
	r = r.WithContext(httptrace.WithClientTrace(w.ctx, &httptrace.ClientTrace{
		WroteHeaderField: func(string, []string) { w.sent.Store(true) },
	}))
	r.Header.Set("Accept-Encoding", "identity")
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &watchedRequest{r.Body, w, c.moved}
	}
	resp, err := c.next.Do(r)
	if err != nil {
		return nil, err
	}
	w.begun = true
	operation := awsmiddleware.GetOperationName(r.Context())
	if resp.StatusCode/100 == 2 && streamed[operation] > 0 {
		w.pause()
		resp.Body = &watchedAnswer{resp.Body, w, streamed[operation], c.moved}
		return resp, nil
	}
	defer resp.Body.Close()
	var body io.Reader = io.LimitReader(resp.Body, answerMax+1)
	if operation == "CompleteMultipartUpload" {
		body = &slowAnswer{body, w, time.Now().Add(completionMax)}
	}
	whole, err := io.ReadAll(body)
	switch {
	case err != nil:
		return resp, err
	case len(whole) > answerMax:
		return resp, &oddAnswerError{resp.StatusCode, "has over 1 MiB"}
	}
	resp.Body = io.NopCloser(bytes.NewReader(whole))
	w.progress()
	w.end()
	return resp, nil
}

// watchedRequest is the body of a request. It may be closed while the answer is
// still awaited.
type watchedRequest struct {
	io.ReadCloser
	watch *watch
	moved func(n int) // or nil
}

func (b *watchedRequest) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.watch.moved(n, uploadRate)
	if b.moved != nil {
		b.moved(n)
	}
	return n, err
}

// watchedAnswer is the body of an answer. Only the time in Read counts: a caller
// that takes its time between reads is not a server that stalls.
type watchedAnswer struct {
	io.ReadCloser
	watch *watch
	rate  int         // of progress
	moved func(n int) // or nil
}

func (b *watchedAnswer) Read(p []byte) (int, error) {
	b.watch.resume()
	n, err := b.ReadCloser.Read(p)
	b.watch.moved(n, b.rate)
	b.watch.pause()
	if b.moved != nil {
		b.moved(n)
	}
	if err != nil && err != io.EOF {
		err = b.watch.fail(err)
	}
	return n, err
}

func (b *watchedAnswer) Close() error {
	err := b.ReadCloser.Close()
	b.watch.end()
	return err
}

// slowAnswer is an answer of which every byte is progress, until a time.
type slowAnswer struct {
	io.Reader
	watch *watch
	until time.Time
}

func (b *slowAnswer) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if n > 0 && time.Now().Before(b.until) {
		b.watch.progress()
	}
	return n, err
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
		outcome = cause(r.Err)
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
	if resp != nil {
		d.Status = strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", http.StatusText(resp.StatusCode)))
		d.RequestID = requestID(cmp.Or(resp.Header.Get("X-Amz-Request-Id"), resp.Header.Get("X-Amzn-Requestid")))
	}
	return d
}
