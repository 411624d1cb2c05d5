package fakeaws_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"microsecrets/lib/fakeaws/fakeawstest"
)

func TestBucketPolicy(t *testing.T) {
	s := fakeawstest.Start(t, "write secret/a x", "write open/a x")
	c, b := s3Client(s), aws.String(bucket)
	_, err := c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: b})
	want(t, "none", err, "404 NoSuchBucketPolicy")
	put := func(text string) error {
		_, err := c.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: b, Policy: &text})
		return err
	}
	const policy = `{ "Version":"2012-10-17", "Statement" : {"Sid":"a", "Effect":"Deny", "Principal":"*", "Action":"s3:GetObject",
		"Resource":"arn:aws:s3:::example-microsecrets/secret/*", "Condition":{"Bool":{"aws:SecureTransport":false}}}}`
	want(t, "put", put(policy), "ok")
	kept, err := c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: b})
	if err != nil || *kept.Policy != policy {
		t.Errorf("%v, %v", kept, err)
	}
	get := func(key string) error {
		_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: &key})
		return err
	}
	want(t, "denied", get("secret/a"), "403 AccessDenied")
	want(t, "another object", get("open/a"), "ok")
	want(t, "no principal", put(strings.Replace(policy, `"Principal":"*", `, "", 1)), "400 MalformedPolicy")
	want(t, "no JSON", put("x"), "400 MalformedPolicy")
	statement := policy[strings.LastIndex(policy, `{"Sid`) : len(policy)-1]
	want(t, "a Sid twice", put(`{"Version":"2012-10-17","Statement":[`+statement+","+statement+"]}"), "400 MalformedPolicy")
	want(t, "somebody else", put(strings.Replace(policy, `"*"`, `{"AWS":["arn:aws:iam::111122223333:user/ann"]}`, 1)), "ok")
	want(t, "not denied", get("secret/a"), "ok")
	_, err = c.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: b})
	want(t, "delete", err, "ok")
}

func TestBucketProtection(t *testing.T) {
	s := fakeawstest.Start(t, "bucket locked versioned lock", "bucket guarded mfa-delete", "bucket ancient old")
	c := s3Client(s)
	encryption, err := c.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: aws.String(bucket)})
	if err != nil || encryption.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm != "AES256" {
		t.Errorf("%v, %v", encryption, err)
	}
	_, err = c.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: aws.String(bucket)})
	want(t, "no lock", err, "404 ObjectLockConfigurationNotFoundError")
	lock, err := c.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: aws.String("locked")})
	if err != nil || lock.ObjectLockConfiguration.ObjectLockEnabled != "Enabled" {
		t.Errorf("%v, %v", lock, err)
	}
	versioning := func(bucket string, status types.BucketVersioningStatus) error {
		_, err := c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: status}})
		return err
	}
	want(t, "suspended under a lock", versioning("locked", "Suspended"), "409 InvalidBucketState")
	want(t, "enabled under a lock", versioning("locked", "Enabled"), "ok")
	want(t, "without MFA", versioning("guarded", "Enabled"), "403 AccessDenied")
	guarded, err := c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: aws.String("guarded")})
	if err != nil || guarded.MFADelete != "Enabled" || guarded.Status != "" {
		t.Errorf("%+v, %v", guarded, err)
	}
	_, err = c.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: aws.String("ancient")})
	want(t, "an old bucket", err, "404 NoSuchPublicAccessBlockConfiguration")
	if got := s.Do("document " + bucket + " ownershipControls"); !strings.Contains(got, "BucketOwnerEnforced") {
		t.Errorf("%q", got)
	}
}

func TestKeyRotation(t *testing.T) {
	s := fakeawstest.Start(t)
	c := kmsClient(s)
	rotated := func(c *kms.Client, id string) bool {
		out, err := c.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &id})
		if err != nil {
			t.Fatal(err)
		}
		return out.KeyRotationEnabled
	}
	enable := func(c *kms.Client, id string) error {
		_, err := c.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &id})
		return err
	}
	primary := strings.TrimSpace(s.Do("key create multi"))
	replica := strings.TrimSpace(s.Do("key replicate " + primary + " eu-west-1"))
	there := in(config(s), "eu-west-1")
	if rotated(c, primary) || rotated(there, replica) {
		t.Error("rotated from the start")
	}
	want(t, "a replica", enable(there, replica), "400 UnsupportedOperationException")
	want(t, "the primary", enable(c, primary), "ok")
	if !rotated(c, primary) || !rotated(there, replica) {
		t.Error("not rotated")
	}
	want(t, "no encryption", enable(c, strings.TrimSpace(s.Do("key create usage=GENERATE_VERIFY_MAC"))), "400 UnsupportedOperationException")
	disabled := strings.TrimSpace(s.Do("key create"))
	s.Do("key disable " + disabled)
	want(t, "disabled", enable(c, disabled), "400 DisabledException")
}
