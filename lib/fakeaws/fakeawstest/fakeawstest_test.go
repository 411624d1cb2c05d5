package fakeawstest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
)

func TestStart(t *testing.T) {
	t.Parallel()
	fake := fakeawstest.Start(t, "write svc/a hunter2", "key create alias/other region=eu-west-1")
	_, err := s3.NewFromConfig(fake.Config()).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(fakeaws.DefaultBucket), Key: aws.String("svc/b"), Body: strings.NewReader("x"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fake.Do("ls", "cat svc/a"), "svc/a\nsvc/b\nhunter2"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	encrypt := &kms.EncryptInput{KeyId: aws.String("alias/other"), Plaintext: []byte("x")}
	if _, err := kms.NewFromConfig(fake.Config("AWS_REGION=eu-west-1")).Encrypt(t.Context(), encrypt); err != nil {
		t.Error(err)
	}
	stranger := fake.Config(fake.Do("principal stranger closed"))
	if _, err := kms.NewFromConfig(stranger).Encrypt(t.Context(), encrypt); err == nil {
		t.Error("a principal to whom nothing is allowed may encrypt")
	}
}

func TestSetenv(t *testing.T) {
	fake := fakeawstest.Start(t)
	fake.Setenv()
	if got := os.Getenv("AWS_ENDPOINT_URL_S3"); got != fake.URL() {
		t.Errorf("AWS_ENDPOINT_URL_S3 is %q, want %q", got, fake.URL())
	}
}
