package survey_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/survey"
)

const (
	bucket  = fakeaws.DefaultBucket
	account = fakeaws.DefaultAccount
)

func surveyor(fake *fakeawstest.Server, environ ...string) *survey.Surveyor {
	return survey.New(awsclient.New(fake.Config(environ...), awsclient.Options{}), account)
}

// states are the items in short: "public access blocked: fit".
func states(items []survey.Item) string {
	names := map[survey.State]string{survey.Fit: "fit", survey.Missing: "missing", survey.Unfit: "unfit",
		survey.Inapplicable: "-", survey.Left: "left", survey.Unknown: "unknown"}
	var b strings.Builder
	for _, i := range items {
		fmt.Fprintf(&b, "%s: %s\n", i.What, names[i.State])
	}
	return b.String()
}

const fresh = `bucket s3://example-microsecrets: fit
owner enforced, no access control lists: fit
public access blocked: fit
TLS only: -
versioning: fit
unfinished uploads ended after 7 days: unfit
`

func TestBucket(t *testing.T) {
	t.Parallel()
	wanted := survey.Wanted{}
	for _, row := range []struct {
		name   string
		lines  []string
		wanted survey.Wanted
		want   string // lines that differ from fresh
	}{
		{"fresh", nil, wanted, ""},
		{"old", []string{"bucket " + bucket + " old suspended"}, wanted, "owner enforced, no access control lists: unfit\npublic access blocked: unfit\nversioning: unfit\n"},
		{"MFA delete", []string{"bucket " + bucket + " suspended mfa-delete"}, wanted, "versioning: left\n"},
		{"MFA delete, versioned", []string{"bucket " + bucket + " mfa-delete"}, wanted, ""},
		{"not allowed", []string{"deny s3:GetBucketPublicAccessBlock", "deny s3:GetLifecycleConfiguration"}, wanted, "public access blocked: unknown\nunfinished uploads ended after 7 days: unknown\n"},
		{"not there", []string{"fault answer 501 NotImplemented GetBucketOwnershipControls,GetPublicAccessBlock"}, wanted, "owner enforced, no access control lists: -\npublic access blocked: -\n"},
		{"down", []string{"fault answer 400 Odd GetBucketVersioning"}, wanted, "versioning: unknown\n"},
		{"the policy denied", []string{"deny s3:GetBucketPolicy"}, wanted, ""}, // without TLS it does not matter
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			fake := fakeawstest.Start(t, row.lines...)
			want := fresh
			for line := range strings.Lines(row.want) {
				name, _, _ := strings.Cut(line, ": ")
				for old := range strings.Lines(want) {
					if strings.HasPrefix(old, name+": ") {
						want = strings.Replace(want, old, line, 1)
					}
				}
			}
			b := surveyor(fake).Bucket(t.Context(), bucket)
			if got := states(b.Items(row.wanted)); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			for _, i := range b.Items(row.wanted) {
				if (i.Err != nil) != (i.State == survey.Left || i.State == survey.Unknown) {
					t.Errorf("%s: %v", i.What, i.Err)
				}
			}
		})
	}
}

func TestBucketFacts(t *testing.T) {
	t.Parallel()
	fake := fakeawstest.Start(t, "bucket far region=eu-west-1", "bucket others account=999999999999")
	s := surveyor(fake)
	b := s.Bucket(t.Context(), bucket)
	if !b.Empty.Value || b.Empty.Err != nil || b.Region.Value != "us-east-1" {
		t.Errorf("%+v", b)
	}
	fake.Do("write a x", "rm a")
	if b := s.Bucket(t.Context(), bucket); b.Empty.Value || b.Empty.Err != nil {
		t.Errorf("with a deletion: %+v", b.Empty)
	}
	if b := s.Bucket(t.Context(), "nowhere"); b.Exists.Value || b.Exists.Err != nil {
		t.Errorf("nowhere: %+v", b.Exists)
	}
	if b := s.Bucket(t.Context(), "others"); !errors.Is(b.Exists.Err, awsclient.ErrDenied) {
		t.Errorf("another account's: %+v", b.Exists)
	}
	if b := s.Bucket(t.Context(), "far"); b.Exists.Err == nil || errors.Is(b.Exists.Err, awsclient.ErrDenied) {
		t.Errorf("in another region: %+v", b.Exists)
	}
	fake.Do("deny s3:ListBucket", "deny s3:ListBucketVersions")
	if b := s.Bucket(t.Context(), bucket); !b.Exists.Value || !errors.Is(b.Empty.Err, awsclient.ErrDenied) {
		t.Errorf("not to be listed: %+v, %+v", b.Exists, b.Empty)
	}
	if who := s.Identity(t.Context()); who.Value.Account != account || who.Value.ARN != "arn:aws:iam::111122223333:user/dev" {
		t.Errorf("%+v", who)
	}
	// No answer but S3's own makes a bucket absent.
	fake.Do("permit", "fault respond status=404 HeadBucket,GetBucketLocation")
	if b := s.Bucket(t.Context(), bucket); b.Exists.Err == nil {
		t.Errorf("a 404 of anybody: %+v", b.Exists)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if b := s.Bucket(ended, bucket); !errors.Is(b.Exists.Err, context.Canceled) {
		t.Errorf("ended: %+v", b.Exists)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	fake := fakeawstest.Start(t, "key create alias/plain", "key create alias/off", "key disable alias/off", "key create alias/gone", "key delete alias/gone",
		"key create alias/mac usage=GENERATE_VERIFY_MAC", "key create alias/theirs account=999999999999", "key create alias/many multi")
	theirs := "arn:aws:kms:us-east-1:999999999999:alias/theirs"
	fake.Do("key share "+theirs+" "+account, "key replicate alias/many eu-west-1")
	s := surveyor(fake)
	for _, row := range []struct{ id, want string }{
		{"alias/plain", "key ARN of svc: fit\nrotation of ARN: unfit\nalias/plain: fit\n"},
		{"alias/none", "key of svc: missing\nrotation of the key of svc: missing\nalias/none: missing\n"},
		{"alias/off", "key ARN of svc: left\nrotation of ARN: -\nalias/off: fit\n"},
		{"alias/gone", "key ARN of svc: left\nrotation of ARN: -\nalias/gone: fit\n"},
		{"alias/mac", "key ARN of svc: left\nrotation of ARN: -\nalias/mac: fit\n"},
		{"alias/aws/s3", "key alias/aws/s3 of svc: left\n"},
		{"arn:aws:kms:us-east-1:999999999999:alias/none", "key arn:aws:kms:us-east-1:999999999999:alias/none of svc: unknown\n"},
		{"00000000-0000-0000-0000-000000000000", "key 00000000-0000-0000-0000-000000000000 of svc: left\n"},
	} {
		k := s.Key(t.Context(), row.id)
		got := states(s.Items(k, "svc", account))
		if m := k.Found.Value; m != nil {
			got = strings.ReplaceAll(got, m.ARN, "ARN")
		}
		if got != row.want {
			t.Errorf("%s: got\n%swant\n%s", row.id, got, row.want)
		}
	}
	if k := s.Key(t.Context(), theirs); k.Found.Err != nil || s.Items(k, "svc", account)[1].State != survey.Inapplicable {
		t.Errorf("another account's: %+v", k)
	}
	many := s.Key(t.Context(), strings.TrimSpace(strings.ReplaceAll(fake.Do("key arn alias/many"), "us-east-1", "eu-west-1")))
	if m := many.Found.Value; m == nil || !strings.Contains(m.Primary, "us-east-1") || m.Region != "eu-west-1" || many.Rotation.Err != nil || many.Rotation.Value {
		t.Errorf("a replica: %+v, %+v", many, many.Found.Value)
	}
	fake.Do("deny kms:DescribeKey")
	if k := s.Key(t.Context(), "alias/plain"); !errors.Is(k.Found.Err, awsclient.ErrDenied) || s.Items(k, "svc", account)[0].State != survey.Unknown {
		t.Errorf("denied: %+v", k)
	}
}

func TestUnnamed(t *testing.T) {
	t.Parallel()
	fake := fakeawstest.Start(t, "auto off")
	s := surveyor(fake)
	found, err := s.Unnamed(t.Context(), "us-east-1", "")
	if err != nil || len(found) != 0 {
		t.Errorf("%v, %v", found, err)
	}
	fake.Do("key create", "key create alias/named", "key create usage=GENERATE_VERIFY_MAC", "key create region=eu-west-1")
	if found, err = s.Unnamed(t.Context(), "us-east-1", ""); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
	if found, err = s.Unnamed(t.Context(), "us-east-1", "something else"); err != nil || len(found) != 0 {
		t.Errorf("%v, %v", found, err)
	}
	fake.Do("deny kms:ListKeys")
	if _, err = s.Unnamed(t.Context(), "us-east-1", ""); !errors.Is(err, awsclient.ErrDenied) {
		t.Errorf("%v", err)
	}
}
