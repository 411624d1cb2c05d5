package fakeaws_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"microsecrets/lib/fakeaws/fakeawstest"
)

// A web page whose own name leads to the loopback interface gets nothing, not
// even where it knows the control URL.
func TestHosts(t *testing.T) {
	s := fakeawstest.Start(t)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.URL(), "http://"))
	for host, status := range map[string]int{
		"127.0.0.1:" + port:              http.StatusForbidden, // not signed
		"localhost:" + port:              http.StatusForbidden,
		bucket + ".localhost:" + port:    http.StatusForbidden,
		"evil.example:" + port:           http.StatusMisdirectedRequest,
		"127.0.0.1:1":                    http.StatusForbidden, // through a proxy
		"localhost.evil.example:" + port: http.StatusMisdirectedRequest,
	} {
		for _, path := range []string{"/" + bucket + "/k", "/_fake/x"} {
			r, err := http.NewRequest("GET", s.URL()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != status {
				t.Errorf("%q, %s: %s, want %d", host, path, response.Status, status)
			}
		}
	}
}

// The bucket can be in the host's name, as AWS has it.
func TestVirtualHost(t *testing.T) {
	s := fakeawstest.Start(t)
	c := config(s)
	endpoint := strings.TrimPrefix(s.URL(), "http://")
	c.BaseEndpoint = aws.String(strings.Replace(s.URL(), "127.0.0.1", "localhost", 1))
	var hosts []string
	c.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		hosts = append(hosts, r.URL.Host)
		r.Host, r.URL.Host = r.URL.Host, endpoint
		return http.DefaultTransport.RoundTrip(r)
	})}
	client := s3.NewFromConfig(c)
	put(t, client, "a//b c", "x")
	if got, _ := get(t, client, &s3.GetObjectInput{Key: aws.String("a//b c")}); got != "x" {
		t.Errorf("%q", got)
	}
	if _, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucket)}); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(hosts[0], bucket+".localhost:") || s.Do("ls") != "\"a//b c\"\n" {
		t.Errorf("%q, %s", hosts, s.Do("ls"))
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestGetCallerIdentity(t *testing.T) {
	s := fakeawstest.Start(t)
	identity := func(c aws.Config) (string, error) {
		out, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return "", err
		}
		return *out.Account + " " + *out.Arn, nil
	}
	if got, err := identity(config(s)); err != nil || got != "111122223333 arn:aws:iam::111122223333:user/dev" {
		t.Errorf("%s, %v", got, err)
	}
	// Nobody needs a permission for that.
	if got, err := identity(config(s, "principal stranger closed account=999999999999")); err != nil || got != "999999999999 arn:aws:iam::999999999999:user/stranger" {
		t.Errorf("%s, %v", got, err)
	}
	session := config(s, "principal session token=T")
	s.Do("expire session")
	_, err := identity(session)
	want(t, "expired", err, "403 ExpiredToken")
	_, err = identity(s.Config("AWS_ACCESS_KEY_ID=AKIAUNKNOWN"))
	want(t, "unknown", err, "403 InvalidClientTokenId")
	_, err = identity(s.Config("AWS_SECRET_ACCESS_KEY=x"))
	want(t, "wrong secret", err, "403 SignatureDoesNotMatch")
	s.Do("fault throttle GetCallerIdentity times=1")
	_, err = identity(config(s))
	want(t, "throttled", err, "400 Throttling")
	_, err = sts.NewFromConfig(config(s)).GetSessionToken(ctx, &sts.GetSessionTokenInput{})
	want(t, "another operation", err, "400 InvalidAction")
}
