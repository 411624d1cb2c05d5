package fakeaws_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/fakeaws/fakeawstest"
)

// tries are the operations by which a rule shows.
func tries(cfg aws.Config, key string) map[string]error {
	c, k := s3.NewFromConfig(cfg), kms.NewFromConfig(cfg)
	b := aws.String(bucket)
	_, get := c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: &key})
	_, head := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: &key})
	_, put := c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String(key + "2"), Body: strings.NewReader("x")})
	_, replace := c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String(key + "2"), Body: strings.NewReader("x"), IfMatch: aws.String("*")})
	_, list := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: b, Prefix: aws.String(key)})
	_, absent := c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: aws.String(key + "/absent")})
	_, generate := k.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String("alias/microsecrets-a"), KeySpec: "AES_256", EncryptionContext: map[string]string{"ms-name": key}})
	return map[string]error{"get": get, "head": head, "put": put, "replace": replace, "list": list, "absent": absent, "generate": generate}
}

func TestRules(t *testing.T) {
	all := map[string]string{"get": "ok", "head": "ok", "put": "ok", "replace": "ok", "list": "ok", "absent": "404 NoSuchKey", "generate": "ok"}
	for _, row := range []struct {
		rules  []string
		differ map[string]string
	}{
		{nil, nil},
		{[]string{"deny s3:GetObject a/*"}, map[string]string{"get": "403 AccessDenied", "head": "403 Forbidden", "absent": "403 AccessDenied", "replace": "403 AccessDenied"}},
		{[]string{"deny s3:GetObject other/*"}, nil},
		{[]string{"deny s3:GetObject s3://" + bucket + "/a/b"}, map[string]string{"get": "403 AccessDenied", "head": "403 Forbidden"}},
		{[]string{"deny s3:ListBucket"}, map[string]string{"list": "403 AccessDenied", "absent": "403 AccessDenied"}},
		{[]string{"deny s3:PutObject"}, map[string]string{"put": "403 AccessDenied", "replace": "403 AccessDenied"}},
		{[]string{"deny kms:*"}, map[string]string{"generate": "400 AccessDeniedException"}},
		{[]string{"deny kms:GenerateDataKey alias/microsecrets-a"}, map[string]string{"generate": "400 AccessDeniedException"}},
		{[]string{"deny kms:GenerateDataKey a/*"}, map[string]string{"generate": "400 AccessDeniedException"}},
		{[]string{"deny kms:Decrypt"}, nil},
		{[]string{"deny s3:*", "allow s3:*"}, map[string]string{"get": "403 AccessDenied", "head": "403 Forbidden", "put": "403 AccessDenied",
			"replace": "403 AccessDenied", "list": "403 AccessDenied", "absent": "403 AccessDenied"}},
	} {
		s := fakeawstest.Start(t)
		s.Do("write a/b x", "write a/b2 x")
		s.Do(row.rules...)
		for name, err := range tries(config(s), "a/b") {
			wanted := all[name]
			if w, ok := row.differ[name]; ok {
				wanted = w
			}
			want(t, strings.Join(row.rules, ", ")+": "+name, err, wanted)
		}
		s.Do("permit")
		want(t, "permit", tries(config(s), "a/b")["get"], "ok")
	}
}

func TestClosedPrincipal(t *testing.T) {
	s := fakeawstest.Start(t)
	s.Do("write a/b x")
	reader := config(s, "principal reader closed")
	want(t, "at first", tries(reader, "a/b")["get"], "403 AccessDenied")
	s.Do("allow s3:GetObject a/* by=reader")
	got := tries(reader, "a/b")
	want(t, "get", got["get"], "ok")
	want(t, "absent", got["absent"], "403 AccessDenied")
	want(t, "put", got["put"], "403 AccessDenied")
	want(t, "generate", got["generate"], "400 AccessDeniedException")
}

func TestCredentials(t *testing.T) {
	s := fakeawstest.Start(t)
	s.Do("write k x")
	session := config(s, "principal session token=T")
	change := func(c aws.Config, f func(*aws.Credentials)) aws.Config {
		v, err := c.Credentials.Retrieve(ctx)
		if err != nil {
			t.Fatal(err)
		}
		f(&v)
		c.Credentials = credentials.StaticCredentialsProvider{Value: v}
		return c
	}
	for _, row := range []struct {
		name    string
		config  aws.Config
		line    string
		s3, kms string
	}{
		{"right", config(s), "", "ok", "ok"},
		{"session", session, "", "ok", "ok"},
		{"no session token", change(session, func(c *aws.Credentials) { c.SessionToken = "" }), "", "400 InvalidToken", "400 UnrecognizedClientException"},
		{"wrong session token", change(session, func(c *aws.Credentials) { c.SessionToken = "U" }), "", "400 InvalidToken", "400 UnrecognizedClientException"},
		{"unknown key", change(config(s), func(c *aws.Credentials) { c.AccessKeyID = "AKIA" }), "", "403 InvalidAccessKeyId", "400 UnrecognizedClientException"},
		{"wrong secret", change(config(s), func(c *aws.Credentials) { c.SecretAccessKey = "x" }), "", "403 SignatureDoesNotMatch", "400 InvalidSignatureException"},
		{"expired", session, "expire session", "400 ExpiredToken", "400 ExpiredTokenException"},
		{"a slow clock", config(s), "clock -20m", "403 RequestTimeTooSkewed", "400 InvalidSignatureException"},
		{"a fast clock", config(s), "clock 20m", "403 RequestTimeTooSkewed", "400 InvalidSignatureException"},
		{"a clock that will do", config(s), "clock 10m", "ok", "ok"},
	} {
		s.Do(row.line)
		_, err := s3.NewFromConfig(row.config).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
		want(t, row.name, err, row.s3)
		_, err = kms.NewFromConfig(row.config).ListKeys(ctx, &kms.ListKeysInput{})
		want(t, row.name, err, row.kms)
	}
}
