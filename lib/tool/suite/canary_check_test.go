package suite_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// ms-check prints what fails on standard output, and reads a secret: no fault and no
// mistake makes it print any of it.
func TestCanaryCheck(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	check := func(because string, env []string, args ...string) {
		w.Helper()
		status, stdout, stderr := w.call(attempt{args: append([]string{"ms-check", "-v"}, args...), env: append(env, "MS_TIMEOUT=500ms")})
		if status > 1 || len(stdout) == 0 {
			w.Errorf("%q %s: status %d: %s", args, because, status, stderr)
		}
		if leaky(stdout) || leaky(stderr) {
			w.Errorf("%q %s says too much:\n%s%s", args, because, stdout, stderr)
		}
		if bytes.ContainsAny(stdout, "\x1b\r") {
			w.Errorf("%q %s moves the cursor: %q", args, because, stdout)
		}
	}
	faults := []string{
		"fault drop REQUEST", "fault answer 400 Strange REQUEST", "fault answer 403 AccessDenied REQUEST",
		`fault respond status=403 text='<Error><Code>AccessDenied</Code><Message>\x1b[2J\r</Message></Error>' REQUEST`,
	}
	for i, request := range []string{
		"GetCallerIdentity", "HeadBucket", "GetBucketLocation", "GetBucketVersioning", "DescribeKey", "ListKeys",
		"ListObjectsV2", "GenerateDataKey", "GetObject", "Decrypt", "PutObject", "DeleteObject",
	} {
		for j, fault := range faults {
			if !turn(i, j) {
				continue
			}
			line := strings.ReplaceAll(fault, "REQUEST", request)
			w.server.Do(line)
			check("at "+line, nil, "-write", "s/pass", "s")
			w.server.Do("clear")
		}
	}
	for _, name := range []string{"s/bad", "s/moved", "s/clear", "s/huge", "s/none"} {
		check("", nil, name)
	}
	for _, flags := range unusable {
		check("", nil, append(slices.Clone(flags), "s/pass")...)
	}
	for _, variable := range []string{
		"MS_TIMEOUT=" + canary, "MS_SSE=" + canary, "MS_BUCKET_OWNER=" + canary, "MS_UNSIGNED=" + canary, "AWS_REGION=a " + canary,
		"AWS_SECRET_ACCESS_KEY=" + canary, "AWS_SESSION_TOKEN=" + canary, "AWS_ACCESS_KEY_ID=" + canary, "AWS_PROFILE=" + canary,
		"AWS_ENDPOINT_URL_S3=http://user:" + canary + "@127.0.0.1:1", "AWS_ENDPOINT_URL_STS=http://user:" + canary + "@127.0.0.1:1",
	} {
		name, _, _ := strings.Cut(variable, "=")
		check("with "+name, []string{variable}, "-json", "s/pass")
	}
}
