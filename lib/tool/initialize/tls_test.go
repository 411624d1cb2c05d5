package initialize_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/tool/initialize"
)

// foreign are policies of others, as they lie in the bucket, and as they are to be
// found in it afterwards.
var foreign = []string{
	"{ \"Version\" : \"2012-10-17\",\n  \"Id\": \"\\u00e9\", \"Statement\" : {\"Sid\":\"a\",\"Effect\":\"Allow\",\n\"Principal\":{\"AWS\":\"111122223333\"},\"Action\":\"s3:*\",\"Resource\":\"*\"} }",
	"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"a\",\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:DeleteBucket\",\"Resource\":\"arn:aws:s3:::policy-store\" } ,\n {\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":[\"s3:GetObject\"],\"Resource\":\"arn:aws:s3:::policy-store/open\\/*\"}\t]}",
}

// With TLS the statement that denies requests without it is added to the bucket's
// policy, and nothing else of that changes.
func TestTLSOnly(t *testing.T) {
	fake := fakeawstest.StartWith(t, fakeaws.Options{TLS: true})
	fake.Setenv()
	t.Setenv("MS_STORE", "s3://policy-store")
	t.Setenv("HOME", t.TempDir())
	dir := t.TempDir()
	run := func(args ...string) (status int, stdout, stderr string) {
		var out, err strings.Builder
		status = initialize.Run(t.Context(), args, strings.NewReader(""), &out, &err)
		return status, out.String(), err.String()
	}
	if status, out, err := run(); status != 0 || !strings.Contains(out, "made    TLS only\n") {
		t.Fatalf("status %d: %s%s", status, out, err)
	}
	alone := fake.Do("document policy-store policy")
	if !strings.Contains(alone, `"arn:aws:s3:::policy-store/*"`) || !strings.Contains(alone, "MicrosecretsTLSOnly") {
		t.Error(alone)
	}
	fake.Do("reset")
	if status, out, err := run(); status != 0 || !strings.Contains(out, "kept    TLS only\n") || strings.Contains(fake.Do("counts"), "Put") {
		t.Errorf("status %d: %s%s", status, out, err)
	}
	for i, policy := range foreign {
		file := filepath.Join(dir, "policy")
		if err := os.WriteFile(file, []byte(policy), 0o600); err != nil {
			t.Fatal(err)
		}
		fake.Do("document policy-store policy '" + file + "'")
		if status, out, err := run(); status != 0 || !strings.Contains(out, "mended  TLS only\n") {
			t.Errorf("%d: status %d: %s%s", i, status, out, err)
		}
		with := fake.Do("document policy-store policy")
		_, added, _ := strings.Cut(with, `{"Sid":"MicrosecretsTLSOnly"`)
		added, _, _ = strings.Cut(added, "}}}")
		without := strings.Replace(with, `,{"Sid":"MicrosecretsTLSOnly"`+added+"}}}", "", 1)
		if i == 0 { // one statement has become a list
			without = strings.Replace(strings.Replace(without, "[{", "{", 1), "}]", "}", 1)
		}
		if without != policy {
			t.Errorf("%d:\n%s\nhas become\n%s", i, policy, with)
		}
		if status, out, err := run(); status != 0 || !strings.Contains(out, "kept    TLS only\n") {
			t.Errorf("%d: status %d: %s%s", i, status, out, err)
		}
	}

	// A statement of that name that says something else is left.
	file := filepath.Join(dir, "policy")
	if err := os.WriteFile(file, []byte(strings.Replace(alone, "s3:*", "s3:GetObject", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	fake.Do("document policy-store policy '" + file + "'")
	status, out, text := run()
	if status != 1 || !strings.Contains(out, "left    TLS only\n") || !strings.Contains(text, "MicrosecretsTLSOnly that does not deny") {
		t.Errorf("status %d: %s%s", status, out, text)
	}

	// Somebody changes the policy meanwhile: status 6, and what they wrote stays.
	fake.Do("bucket busy-store old", "fault do \"document busy-store policy '"+file+"'\" PutBucketOwnershipControls")
	status, out, text = run("-store", "s3://busy-store")
	if now := fake.Do("document busy-store policy"); status != 6 || !strings.Contains(text, "the bucket's policy was changed by somebody else meanwhile") || strings.Contains(now, `"s3:*"`) {
		t.Errorf("status %d: %s%s%s", status, out, text, now)
	}

	// What the policy says is not known: nothing is written.
	fake.Do("clear", "bucket shut-store old", "deny s3:GetBucketPolicy", "reset")
	status, out, text = run("-store", "s3://shut-store")
	if status != 4 || out != "" || !strings.Contains(text, "ms-init: TLS only: not allowed: GetBucketPolicy") || strings.Contains(fake.Do("counts"), "Put") {
		t.Errorf("status %d: %s%s", status, out, text)
	}

	// A reply that is lost: what became of it is not known, and the next run sees it.
	fake.Do("permit", "bucket lost-store", "fault forget PutBucketPolicy times=1")
	status, out, text = run("-store", "s3://lost-store")
	if status != 7 || !strings.Contains(text, "hint: run ms-init again") {
		t.Errorf("status %d: %s%s", status, out, text)
	}
	if status, out, text = run("-store", "s3://lost-store"); status != 0 || !strings.Contains(out, "kept    TLS only\n") {
		t.Errorf("status %d: %s%s", status, out, text)
	}
}
