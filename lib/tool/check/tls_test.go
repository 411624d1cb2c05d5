package check_test

import (
	"strings"
	"testing"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/tool/check"
)

func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	var out, err strings.Builder
	status = check.Run(t.Context(), args, strings.NewReader(""), &out, &err)
	return status, out.String(), err.String()
}

// With TLS its certificates are looked at, and what the bucket's policy says of it.
func TestTLS(t *testing.T) {
	fake := fakeawstest.StartWith(t, fakeaws.Options{TLS: true})
	fake.Setenv()
	t.Setenv("HOME", t.TempDir())
	status, out, err := run(t)
	if status != 1 || err != "" || !strings.Contains(out, "ok  TLS: certificates are valid\n") ||
		!strings.Contains(out, "no  TLS only: not as it should be\n    ms-init\n") || !strings.Contains(out, "ok  S3: https://") {
		t.Errorf("status %d: %s%s", status, out, err)
	}
	t.Setenv("AWS_CA_BUNDLE", "")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	status, out, err = run(t)
	if status != 1 || err != "" || !strings.Contains(out, "?   TLS: not looked at\n") ||
		!strings.Contains(out, "GetBucketLocation: not sent: the certificate is not signed by a known authority\n    a certificate authority of your own is named by AWS_CA_BUNDLE") {
		t.Errorf("status %d: %s%s", status, out, err)
	}
}
