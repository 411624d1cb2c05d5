package awsclient

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// configuredBy is a configuration whose HTTP client is changed.
func configuredBy(change func(*http.Transport)) aws.Config {
	return aws.Config{
		Region:      "eu-west-1",
		Credentials: nobody,
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
		HTTPClient:  awshttp.NewBuildableClient().WithTransportOptions(change),
	}
}

// fixed are settings as a file of the AWS configuration has them.
type fixed struct {
	fips      aws.FIPSEndpointState
	dualStack aws.DualStackEndpointState
}

func (f fixed) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return f.fips, true, nil
}

func (f fixed) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return f.dualStack, true, nil
}

// TestExpectedServers compares where connections are opened in advance with where
// the requests go.
func TestExpectedServers(t *testing.T) {
	fips, dualStack := aws.FIPSEndpointStateEnabled, aws.DualStackEndpointStateEnabled
	for name, test := range map[string]struct {
		change  func(*aws.Config)
		bucket  string
		region  string // of the key
		s3, kms string
	}{
		"plain":            {nil, "bucket", "eu-west-1", "bucket.s3.eu-west-1.amazonaws.com:443", "kms.eu-west-1.amazonaws.com:443"},
		"a bucket's dot":   {nil, "a.bucket", "eu-west-1", "s3.eu-west-1.amazonaws.com:443", "kms.eu-west-1.amazonaws.com:443"},
		"a key elsewhere":  {nil, "bucket", "us-west-2", "bucket.s3.eu-west-1.amazonaws.com:443", "kms.us-west-2.amazonaws.com:443"},
		"an access point":  {nil, "arn:aws:s3:us-west-2:123456789012:accesspoint/p", "eu-west-1", "p-123456789012.s3-accesspoint.us-west-2.amazonaws.com:443", "kms.eu-west-1.amazonaws.com:443"},
		"China":            {func(c *aws.Config) { c.Region = "cn-north-1" }, "bucket", "cn-north-1", "bucket.s3.cn-north-1.amazonaws.com.cn:443", "kms.cn-north-1.amazonaws.com.cn:443"},
		"FIPS":             {func(c *aws.Config) { c.ConfigSources = []any{fixed{fips: fips}} }, "bucket", "us-east-1", "bucket.s3-fips.eu-west-1.amazonaws.com:443", "kms-fips.us-east-1.amazonaws.com:443"},
		"dual stack":       {func(c *aws.Config) { c.ConfigSources = []any{fixed{dualStack: dualStack}} }, "bucket", "eu-west-1", "bucket.s3.dualstack.eu-west-1.amazonaws.com:443", "kms.eu-west-1.api.aws:443"},
		"both":             {func(c *aws.Config) { c.ConfigSources = []any{fixed{fips, dualStack}} }, "bucket", "eu-west-1", "bucket.s3-fips.dualstack.eu-west-1.amazonaws.com:443", "kms-fips.eu-west-1.api.aws:443"},
		"an endpoint":      {func(c *aws.Config) { c.BaseEndpoint = aws.String("https://[::1]:9000") }, "bucket", "eu-west-1", "[::1]:9000", "[::1]:9000"},
		"without TLS":      {func(c *aws.Config) { c.BaseEndpoint = aws.String("http://minio") }, "bucket", "eu-west-1", "minio:80", "minio:80"},
		"an HTTP proxy":    {proxied("http://proxy:3128"), "bucket", "eu-west-1", "proxy:3128", "proxy:3128"},
		"an HTTPS proxy":   {proxied("https://proxy"), "bucket", "eu-west-1", "proxy:443", "proxy:443"},
		"a bucket in path": {func(c *aws.Config) { c.BaseEndpoint = aws.String("https://s3.eu-west-1.amazonaws.com") }, "bucket", "eu-west-1", "bucket.s3.eu-west-1.amazonaws.com:443", "s3.eu-west-1.amazonaws.com:443"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var dialled []string
				record := func(_ context.Context, network, address string) (net.Conn, error) {
					mu.Lock()
					defer mu.Unlock()
					if network != "tcp" { // both IPv4 and IPv6
						t.Errorf("network %s", network)
					}
					dialled = append(dialled, address)
					return nil, errors.New("recorded")
				}
				cfg := configuredBy(func(t *http.Transport) { t.DialContext, t.Proxy = record, nil })
				if test.change != nil {
					test.change(&cfg)
				}
				c := New(cfg, Options{})
				ctx := t.Context()
				for _, do := range []func(){
					func() { c.ExpectS3(test.bucket)() },
					func() { c.S3().HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &test.bucket}) },
					func() { c.ExpectKMS(test.region)() },
					func() { c.KMS(test.region).ListKeys(ctx, &kms.ListKeysInput{}) },
				} {
					do()
					synctest.Wait()
				}
				if want := []string{test.s3, test.s3, test.kms, test.kms}; !slices.Equal(dialled, want) {
					t.Errorf("%q, not %q", dialled, want)
				}
			})
		})
	}
}

// proxied puts a proxy into a configuration.
func proxied(proxy string) func(*aws.Config) {
	return func(c *aws.Config) {
		c.HTTPClient = c.HTTPClient.(*awshttp.BuildableClient).WithTransportOptions(func(t *http.Transport) {
			t.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }
		})
	}
}

// TestExpectedThroughProxy has requests go through a proxy, which sees one connection
// for each, opened in advance, under a certificate of an authority of one's own.
func TestExpectedThroughProxy(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Request-Id", "1")
		w.Header().Set("X-Amzn-Requestid", "1")
		io.WriteString(w, `{"Keys":[]}`)
	}))
	defer server.Close()
	var mu sync.Mutex
	var asked []string
	opened := make(chan struct{}, 10)
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.Host)
		mu.Unlock()
		there, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			io.Copy(there, here)
			there.Close()
		}()
		go func() {
			io.Copy(here, there)
			here.Close()
		}()
	}))
	proxy.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened <- struct{}{}
		}
	}
	proxy.Start()
	defer proxy.Close()
	cfg := configuredBy(func(t *http.Transport) {
		t.TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"}
	})
	proxied(proxy.URL)(&cfg)
	c := New(cfg, Options{})
	defer c.cfg.HTTPClient.(*transport).next.(*http.Client).CloseIdleConnections()
	bucket := "bucket"
	defer c.ExpectS3(bucket)()
	defer c.ExpectKMS("eu-west-1")()
	<-opened
	<-opened
	if _, err := c.S3().HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &bucket}); err != nil {
		t.Error(err)
	}
	if _, err := c.KMS("eu-west-1").ListKeys(t.Context(), &kms.ListKeysInput{}); err != nil {
		t.Error(err)
	}
	if want := []string{"CONNECT bucket.s3.eu-west-1.amazonaws.com:443", "CONNECT kms.eu-west-1.amazonaws.com:443"}; !slices.Equal(asked, want) {
		t.Errorf("%q, not %q", asked, want)
	}
	if len(opened) > 0 {
		t.Errorf("%d connections more than requests", len(opened))
	}
}

// TestExpectedFallback has a host name with an IPv6 address where nobody listens, and
// an IPv4 address.
func TestExpectedFallback(t *testing.T) {
	opened := make(chan struct{}, 10)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-Requestid", "1")
		io.WriteString(w, `{"Keys":[]}`)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	cfg := configuredBy(func(t *http.Transport) {
		t.DialContext = (&net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: dualHomed}}).DialContext
		t.Proxy = nil
	})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.BaseEndpoint = aws.String("http://both.example:" + port)
	c := New(cfg, Options{})
	defer c.cfg.HTTPClient.(*transport).next.(*http.Client).CloseIdleConnections()
	defer c.ExpectKMS("eu-west-1")()
	<-opened
	if _, err := c.KMS("eu-west-1").ListKeys(t.Context(), &kms.ListKeysInput{}); err != nil {
		t.Error(err)
	}
	if len(opened) > 0 {
		t.Errorf("%d connections more than requests", len(opened))
	}
}

// dualHomed is a connection to a name server for which every host has the addresses
// ::1 and 127.0.0.1.
func dualHomed(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		for {
			var length [2]byte
			if _, err := io.ReadFull(server, length[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(server, query); err != nil {
				return
			}
			const header = 12
			end := header + slices.Index(query[header:], 0) + 5 // of the question
			kind, address := query[end-4:end-2], net.ParseIP("::1")
			if kind[1] == 1 { // A
				address = net.IPv4(127, 0, 0, 1).To4()
			}
			answer := append(query[:2:2], 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0)
			answer = append(answer, query[header:end]...)
			answer = append(answer, 0xc0, header, kind[0], kind[1], 0, 1, 0, 0, 0, 60, 0, byte(len(address)))
			answer = append(answer, address...)
			server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
		}
	}()
	return client, nil
}
