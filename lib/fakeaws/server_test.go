package fakeaws_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
)

const bucket = fakeaws.DefaultBucket

// config leads to s, as the first principal or with the environment that a line
// of the control language prints, without retries.
func config(s *fakeawstest.Server, lines ...string) aws.Config {
	c := s.Config(s.Do(lines...))
	c.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
	c.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
	c.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	c.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return c
}

func s3Client(s *fakeawstest.Server) *s3.Client   { return s3.NewFromConfig(config(s)) }
func kmsClient(s *fakeawstest.Server) *kms.Client { return kms.NewFromConfig(config(s)) }

// outcome is "ok", or "404 NoSuchKey", or "transport" for an error without an
// answer.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	response, _ := errors.AsType[*awshttp.ResponseError](err)
	apiErr, _ := errors.AsType[smithy.APIError](err)
	switch {
	case response == nil || response.HTTPStatusCode() == 0:
		return "transport"
	case apiErr == nil:
		return fmt.Sprint(response.HTTPStatusCode())
	}
	return fmt.Sprintf("%d %s", response.HTTPStatusCode(), apiErr.ErrorCode())
}

func want(t testing.TB, what string, err error, outcomeWanted string) {
	t.Helper()
	if got := outcome(err); got != outcomeWanted {
		t.Errorf("%s: %s, want %s (%v)", what, got, outcomeWanted, err)
	}
}

func put(t testing.TB, c *s3.Client, key, text string) *s3.PutObjectOutput {
	t.Helper()
	out, err := c.PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader(text)})
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return out
}

func get(t testing.TB, c *s3.Client, in *s3.GetObjectInput) (string, *s3.GetObjectOutput) {
	t.Helper()
	in.Bucket = aws.String(bucket)
	out, err := c.GetObject(context.Background(), in)
	if err != nil {
		t.Fatalf("get %q: %v", *in.Key, err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatalf("get %q: %v", *in.Key, err)
	}
	return string(data), out
}

func TestRoundTrip(t *testing.T) {
	s := fakeawstest.Start(t)
	c := s3Client(s)
	for _, key := range []string{"a", "myservice/env", "a//b", "../x", "white space+plus%25&=?#", "üñí/日本", "ctl\x01\n", "~*'()"} {
		put(t, c, key, "value of "+key)
		if got, _ := get(t, c, &s3.GetObjectInput{Key: &key}); got != "value of "+key {
			t.Errorf("%q: got %q", key, got)
		}
	}
	for _, size := range []int{0, 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 5 << 20} {
		data := bytes.Repeat([]byte("x"), size)
		put(t, c, "sized", string(data))
		got, out := get(t, c, &s3.GetObjectInput{Key: aws.String("sized"), ChecksumMode: "ENABLED"})
		if got != string(data) || *out.ContentLength != int64(size) {
			t.Errorf("%d bytes: got %d", size, len(got))
		}
	}
}

func TestKMSRoundTrip(t *testing.T) {
	s := fakeawstest.Start(t)
	c := kmsClient(s)
	ctx := context.Background()
	key, context1 := aws.String("alias/microsecrets-x"), map[string]string{"ms-name": "x/y"}
	made, err := c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: key, KeySpec: "AES_256", EncryptionContext: context1})
	if err != nil {
		t.Fatal(err)
	}
	if len(made.CiphertextBlob) != 184 || len(made.Plaintext) != 32 || !strings.HasPrefix(*made.KeyId, "arn:aws:kms:us-east-1:111122223333:key/") {
		t.Errorf("blob of %d bytes, key of %d, by %s", len(made.CiphertextBlob), len(made.Plaintext), *made.KeyId)
	}
	opened, err := c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: made.CiphertextBlob, KeyId: key, EncryptionContext: context1})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(opened.Plaintext, made.Plaintext) || *opened.KeyId != *made.KeyId {
		t.Error("another data key came back")
	}
	wrapped, err := c.Encrypt(ctx, &kms.EncryptInput{Plaintext: made.Plaintext, KeyId: key})
	if err != nil {
		t.Fatal(err)
	}
	if opened, err = c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: wrapped.CiphertextBlob}); err != nil || !bytes.Equal(opened.Plaintext, made.Plaintext) {
		t.Error("what was encrypted did not come back", err)
	}
}

// raw sends a request that is signed over payloadHash, whatever its body is,
// and returns the answer's status and error code.
func raw(t testing.TB, s *fakeawstest.Server, method, path, payloadHash, body string, header http.Header) string {
	t.Helper()
	r, err := http.NewRequest(method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name := range header {
		r.Header.Set(name, header.Get(name))
	}
	r.Header.Set("X-Amz-Content-Sha256", payloadHash)
	c := config(s)
	identity, err := c.Credentials.Retrieve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(ctx, identity, r, payloadHash, "s3", c.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	response, err := c.HTTPClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(text), "<Code>")
	code, _, _ = strings.Cut(code, "</Code>")
	return strings.TrimSpace(response.Status[:3] + " " + code)
}
