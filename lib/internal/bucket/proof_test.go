package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
)

// A success without what S3 always sends with it is a failure of every
// operation, and nothing that was there is lost.
func TestSuccessWithoutProof(t *testing.T) {
	bodies := map[string]string{"empty": "", "HTML": "<html><body>Welcome</body></html>", "text": "OK"}
	isPart := func(r *http.Request) bool { return r.Method == http.MethodPut && r.URL.Query().Has("partNumber") }
	large := strings.Repeat("x", 9<<20)
	for _, c := range []struct {
		operation string
		is        func(*http.Request) bool
		do        func(*bucket.Bucket) error
	}{
		{"PutObject", func(r *http.Request) bool { return r.Method == http.MethodPut && !isPart(r) },
			func(b *bucket.Bucket) error { _, err := put(b, "s/x", "new", bucket.Condition{}); return err }},
		{"CreateMultipartUpload", func(r *http.Request) bool { return r.URL.Query().Has("uploads") },
			func(b *bucket.Bucket) error { _, err := put(b, "s/x", large, bucket.Condition{}); return err }},
		{"UploadPart", isPart,
			func(b *bucket.Bucket) error { _, err := put(b, "s/x", large, bucket.Condition{}); return err }},
		{"CompleteMultipartUpload", func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") },
			func(b *bucket.Bucket) error { _, err := put(b, "s/x", large, bucket.Condition{}); return err }},
		{"DeleteObject", func(r *http.Request) bool { return r.Method == http.MethodDelete },
			func(b *bucket.Bucket) error {
				return b.Delete(context.Background(), "s/x", "", bucket.Condition{})
			}},
		{"HeadObject", func(r *http.Request) bool { return r.Method == http.MethodHead },
			func(b *bucket.Bucket) error { _, err := b.Head(context.Background(), "s/x", ""); return err }},
	} {
		for name, body := range bodies {
			t.Run(c.operation+"/"+name, func(t *testing.T) {
				s, plain := start(t, bucket.Options{})
				if _, err := put(plain, "s/x", "old", bucket.Condition{}); err != nil {
					t.Fatal(err)
				}
				to, err := url.Parse(s.URL())
				if err != nil {
					t.Fatal(err)
				}
				forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host }}
				proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if !c.is(r) {
						forward.ServeHTTP(w, r)
						return
					}
					io.Copy(io.Discard, r.Body)
					fmt.Fprint(w, body)
				}))
				defer proxy.Close()
				t.Setenv("AWS_ENDPOINT_URL_S3", proxy.URL)
				cfg, err := awsclient.Load(context.Background(), awsclient.LoadOptions{})
				if err != nil {
					t.Fatal(err)
				}
				err = c.do(bucket.New(awsclient.New(cfg, awsclient.Options{}).S3(), fakeaws.DefaultBucket, bucket.Options{}))
				var e *awsclient.Error
				if !errors.As(err, &e) || e.Status != http.StatusOK || e.Kind != nil {
					t.Errorf("%v", err)
				}
				if got := s.Do("cat s/x"); got != "old" {
					t.Errorf("the object holds %.20q", got)
				}
			})
		}
	}
}
