package awsclient

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/hint"
)

// served returns a client whose S3, and KMS, is a handler.
func served(t *testing.T, timeout time.Duration, h http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return New(aws.Config{
		Region:           "us-east-1",
		BaseEndpoint:     &server.URL,
		RetryMaxAttempts: 2,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret", SessionToken: "token"}, nil
		}),
	}, Options{Timeout: timeout})
}

func get(c *Client) (*s3.GetObjectOutput, error) {
	bucket, key := "bucket", "key"
	return c.S3().GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
}

// TestNoProgress has a server that sends a byte and stops: the client gives up
// though the transfer as a whole has no bound.
func TestNoProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := fakeawstest.StartWith(t, fakeaws.Options{InMemory: true})
		defer server.Close()
		c := New(server.Config(), Options{Timeout: 20 * time.Millisecond})
		bucket, key := fakeaws.DefaultBucket, "key"
		if _, err := c.S3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("xy")}); err != nil {
			t.Fatal(err)
		}
		server.Do("fault stall 1 GetObject")
		out, err := c.S3().GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		defer out.Body.Close()
		got, err := io.ReadAll(out.Body)
		if string(got) != "x" || !Stalled(err) {
			t.Errorf("%q, %v", got, err)
		}
		err = Classify(context.Background(), "GetObject", err, Facts{})
		if want := "not reachable: GetObject: no more of the answer for 20ms"; !errors.Is(err, ErrUnreachable) || err.Error() != want {
			t.Errorf("%v", err)
		}
	})
}

// TestDripIsNoProgress has servers that send a byte now and then, of an object and
// of an error.
func TestDripIsNoProgress(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusForbidden} {
		release := make(chan struct{})
		began := time.Now()
		out, err := get(served(t, time.Second, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"x"`)
			w.WriteHeader(status)
			for range 1000 {
				w.Write([]byte("x"))
				w.(http.Flusher).Flush()
				select {
				case <-release:
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		}))
		if err == nil {
			_, err = io.ReadAll(out.Body)
			out.Body.Close()
		}
		if took := time.Since(began); !Stalled(err) || took > 10*time.Second {
			t.Errorf("%d: %v, after %v", status, err, took)
		}
		close(release)
	}
}

// TestAnswersAreBounded has answers that do not end, in their bodies and their
// headers, of what is read as a whole.
func TestAnswersAreBounded(t *testing.T) {
	chunk := strings.Repeat("x", 64<<10)
	endless := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			for {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
			}
		}
	}
	for name, test := range map[string]struct {
		h    http.HandlerFunc
		want string
	}{
		"error":  {endless(http.StatusForbidden), "not allowed: GetObject: the answer, of HTTP status 403, has over 1 MiB"},
		"outage": {endless(http.StatusBadGateway), "not reachable: GetObject: the answer, of HTTP status 502, has over 1 MiB"},
		"header": {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Long", strings.Repeat("x", 1<<20)) },
			"not reachable: GetObject: no answer: the answer is not HTTP (2 tries)"},
	} {
		_, err := get(served(t, time.Minute, test.h))
		if err = Classify(context.Background(), "GetObject", err, Facts{}); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRedirectIsNotFollowed has a server that points to another: neither the
// session token nor anything else gets there.
func TestRedirectIsNotFollowed(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("got %s with %v", r.Method, r.Header)
	}))
	defer other.Close()
	_, err := get(served(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	err = Classify(context.Background(), "GetObject", err, Facts{})
	if err == nil || !strings.Contains(err.Error(), "redirect, which is not followed: HTTP status 307") {
		t.Errorf("%v", err)
	}
}

// TestAcceptEncodingIsNotSigned has a proxy in mind that rewrites the header.
func TestAcceptEncodingIsNotSigned(t *testing.T) {
	out, err := get(served(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Values("Accept-Encoding"); len(got) != 1 || got[0] != "identity" {
			t.Errorf("Accept-Encoding: %q", got)
		}
		if authorization := r.Header.Get("Authorization"); !strings.Contains(authorization, "SignedHeaders=") || strings.Contains(authorization, "accept-encoding") {
			t.Errorf("%s", authorization)
		}
		w.Header().Set("ETag", `"x"`)
	}))
	if err != nil {
		t.Fatal(err)
	}
	out.Body.Close()
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

// TestCertificates has servers that are not the ones that they should be: nothing is
// sent to them, and they are asked once.
func TestCertificates(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	known := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	})
	for _, test := range []struct {
		client   aws.HTTPClient
		endpoint string
		want     string
		hint     string
	}{
		{nil, server.URL, "PutObject: not sent: the certificate is not signed by a known authority", "AWS_CA_BUNDLE"},
		{known, strings.Replace(server.URL, "127.0.0.1", "localhost", 1), "PutObject: not sent: the certificate is for another host", "check the endpoint"},
	} {
		connections.Store(0)
		c := New(aws.Config{
			Region:       "us-east-1",
			BaseEndpoint: &test.endpoint,
			HTTPClient:   test.client,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
			}),
		}, Options{Timeout: time.Minute})
		var attempts Attempts
		_, err := c.S3().PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")}, attempts.Watch)
		err = Classify(context.Background(), "PutObject", err, Facts{Attempts: &attempts})
		var e *Error
		if !errors.As(err, &e) || e.Error() != test.want || e.Kind != ErrConfig || e.MaybeApplied || !strings.Contains(hint.Of(err), test.hint) {
			t.Errorf("%v (%s)", err, hint.Of(err))
		}
		if n := connections.Load(); n != 1 {
			t.Errorf("%d connections", n)
		}
	}
}

// TestTooManyOpenFiles is not the network's fault, and does not pass by itself.
func TestTooManyOpenFiles(t *testing.T) {
	tries := 0
	c := New(aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://127.0.0.1"),
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.DialContext = func(context.Context, string, string) (net.Conn, error) {
				tries++
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)}
			}
		}),
		Credentials: aws.AnonymousCredentials{},
	}, Options{Timeout: time.Minute})
	_, err := get(c)
	err = Classify(context.Background(), "GetObject", err, Facts{})
	var e *Error
	if !errors.As(err, &e) || e.Kind != nil || e.Error() != "GetObject: no answer: too many open files" || tries != 1 {
		t.Errorf("%v, after %d tries", err, tries)
	}
}

// A server that prefers HTTP/2 is asked by HTTP/1.1: the connections that are opened in
// advance are one for each request.
func TestHTTP1(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"x"`)
		w.Header().Set("X-Amz-Meta-Protocol", r.Proto)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	c := New(aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &server.URL,
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		}),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
		}),
	}, Options{Timeout: time.Minute})
	out, err := get(c)
	if err != nil {
		t.Fatal(err)
	}
	out.Body.Close()
	if p := out.Metadata["protocol"]; p != "HTTP/1.1" {
		t.Errorf("asked by %q", p)
	}
}
