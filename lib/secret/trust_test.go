package secret

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
)

// counted answers each request, and counts them.
type counted struct{ requests []string }

func (c *counted) Do(r *http.Request) (*http.Response, error) {
	c.requests = append(c.requests, r.Method+" "+r.URL.Host)
	status := http.StatusOK
	if r.Method == http.MethodDelete {
		status = http.StatusNoContent
	}
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Etag": {`"0123456789abcdef0123456789abcdef"`}},
		Body:       io.NopCloser(strings.NewReader("")),
		Request:    r,
	}, nil
}

// At S3 itself, whose endpoint nobody configures, conditions cost nothing.
func TestTrust(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	text := "[profile elsewhere]\nendpoint_url = http://127.0.0.1:9\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = example\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		env      map[string]string
		profile  string
		requests int
	}{
		{"resolved by the SDK", nil, "", 1},
		{"AWS_ENDPOINT_URL_S3", map[string]string{"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, "", 2},
		{"AWS_ENDPOINT_URL, though Amazon's", map[string]string{"AWS_ENDPOINT_URL": "https://s3.us-east-1.amazonaws.com"}, "", 2},
		{"profile", nil, "elsewhere", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, value := range map[string]string{
				"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_REGION": "eu-central-1",
				"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": config + ".none",
				"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "",
			} {
				t.Setenv(name, value)
			}
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			cfg, err := awsclient.Load(context.Background(), awsclient.LoadOptions{Profile: test.profile})
			if err != nil {
				t.Fatal(err)
			}
			var http counted
			cfg.HTTPClient = &http
			store, err := New(cfg, "example", nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = store.bucket.Upload(context.Background(), "a", bucket.Condition{IfMatch: `"0"`}).Close()
			trusted := test.requests == 1
			if (err == nil) != trusted {
				t.Errorf("a server that refuses nothing: %v", err)
			}
			// Elsewhere the probe is accepted, and what it stored removed.
			if len(http.requests) != test.requests {
				t.Errorf("requests: %q", http.requests)
			}
		})
	}
}
