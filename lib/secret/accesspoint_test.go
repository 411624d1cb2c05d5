package secret_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"microsecrets/lib/secret"
)

// asked is an HTTP client that answers nothing and keeps the last request.
type asked struct{ last *http.Request }

func (a *asked) Do(r *http.Request) (*http.Response, error) {
	a.last = r
	return &http.Response{StatusCode: http.StatusNotImplemented, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// TestAccessPoints has buckets that are access points, by ARN and alias: where is
// asked, and for which region it is signed.
func TestAccessPoints(t *testing.T) {
	yes := true
	for _, test := range []struct {
		store, endpoint    string
		pathStyle          *bool
		url, region, wrong string
	}{
		{store: "arn:aws:s3:eu-west-1:111122223333:accesspoint/ap", region: "eu-west-1",
			url: "https://ap-111122223333.s3-accesspoint.eu-west-1.amazonaws.com/s/a"},
		{store: "arn:aws:s3:eu-west-1:111122223333:accesspoint/ap/prod", region: "eu-west-1",
			url: "https://ap-111122223333.s3-accesspoint.eu-west-1.amazonaws.com/prod/s/a"},
		{store: "ap-0123456789abcdef-s3alias/prod", region: "us-east-1",
			url: "https://ap-0123456789abcdef-s3alias.s3.us-east-1.amazonaws.com/prod/s/a"},
		{store: "arn:aws:s3:eu-west-1:111122223333:accesspoint/ap", endpoint: "http://s3.example.com:9000", region: "eu-west-1",
			url: "http://ap-111122223333.s3.example.com:9000/s/a"},
		{store: "bucket/prod", endpoint: "http://s3.example.com:9000", region: "us-east-1",
			url: "http://s3.example.com:9000/bucket/prod/s/a"},
		{store: "arn:aws:s3:eu-west-1:111122223333:accesspoint/ap", pathStyle: &yes,
			wrong: "the ARN of an access point cannot be in the path of a URL, which path-style puts it into"},
	} {
		var http asked
		cfg := aws.Config{Region: "us-east-1", HTTPClient: &http, RetryMaxAttempts: 1, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		})}
		if test.endpoint != "" {
			cfg.BaseEndpoint = &test.endpoint
		}
		s, err := secret.New(cfg, test.store, &secret.Options{PathStyle: test.pathStyle})
		if test.wrong != "" {
			if err == nil || err.Error() != test.wrong || !errors.Is(err, secret.ErrInvalid) {
				t.Errorf("%s: %v", test.store, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(context.Background(), "s/a", nil); err == nil || http.last == nil {
			t.Errorf("%s: %v", test.store, err)
			continue
		}
		url, _, _ := strings.Cut(http.last.URL.String(), "?")
		if url != test.url || !strings.Contains(http.last.Header.Get("Authorization"), "/"+test.region+"/s3/") {
			t.Errorf("%s: %s, signed by %s", test.store, url, http.last.Header.Get("Authorization"))
		}
	}
}
