package fakeaws_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"microsecrets/lib/fakeaws/fakeawstest"
)

// The states that an object can be in before a conditional request.
var states = map[string][]string{
	"absent":  nil,
	"there":   {"write k old"},
	"deleted": {"write k old", "rm k"},
}

const etagOld, etagOther = `"149603e6c03516362a8da23f624db945"`, `"00000000000000000000000000000000"`

func TestConditions(t *testing.T) {
	ctx, b, k := context.Background(), aws.String(bucket), aws.String("k")
	optional := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	type doer func(c *s3.Client, ifMatch, ifNoneMatch string) error
	putIt := func(c *s3.Client, m, n string) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: k, Body: strings.NewReader("new"), IfMatch: optional(m), IfNoneMatch: optional(n)})
		return err
	}
	copyIt := func(c *s3.Client, m, n string) error {
		put(t, c, "source", "new")
		_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: b, Key: k, CopySource: aws.String(bucket + "/source"), IfMatch: optional(m), IfNoneMatch: optional(n)})
		return err
	}
	completeIt := func(c *s3.Client, m, n string) error {
		up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: k})
		if err != nil {
			return err
		}
		part, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: k, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("new")})
		if err != nil {
			return err
		}
		_, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: b, Key: k, UploadId: up.UploadId, IfMatch: optional(m), IfNoneMatch: optional(n),
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1), ChecksumCRC32: part.ChecksumCRC32}}}})
		return err
	}
	getIt := func(c *s3.Client, m, n string) error {
		_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: k, IfMatch: optional(m), IfNoneMatch: optional(n)})
		return err
	}
	headIt := func(c *s3.Client, m, n string) error {
		_, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: k, IfMatch: optional(m), IfNoneMatch: optional(n)})
		return err
	}
	deleteIt := func(c *s3.Client, m, n string) error {
		_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: k, IfMatch: optional(m)})
		return err
	}
	writes := map[string]doer{"PutObject": putIt, "CopyObject": copyIt, "CompleteMultipartUpload": completeIt}
	table := []struct {
		ops                  map[string]doer
		ifMatch, ifNoneMatch string
		absent, there, gone  string
	}{
		{writes, "", "*", "ok", "412 PreconditionFailed", "ok"},
		{writes, etagOld, "", "404 NoSuchKey", "ok", "404 NoSuchKey"},
		{writes, strings.Trim(etagOld, `"`), "", "404 NoSuchKey", "ok", "404 NoSuchKey"},
		{writes, etagOther, "", "404 NoSuchKey", "412 PreconditionFailed", "404 NoSuchKey"},
		{writes, "", etagOld, "501 NotImplemented", "501 NotImplemented", "501 NotImplemented"},
		{map[string]doer{"DeleteObject": deleteIt}, etagOld, "", "404 NoSuchKey", "ok", "404 NoSuchKey"},
		{map[string]doer{"DeleteObject": deleteIt}, "*", "", "404 NoSuchKey", "ok", "404 NoSuchKey"},
		{map[string]doer{"DeleteObject": deleteIt}, etagOther, "", "404 NoSuchKey", "412 PreconditionFailed", "404 NoSuchKey"},
		{map[string]doer{"GetObject": getIt}, etagOld, "", "404 NoSuchKey", "ok", "404 NoSuchKey"},
		{map[string]doer{"GetObject": getIt}, etagOther, "", "404 NoSuchKey", "412 PreconditionFailed", "404 NoSuchKey"},
		{map[string]doer{"GetObject": getIt}, "", etagOld, "404 NoSuchKey", "304 NotModified", "404 NoSuchKey"},
		{map[string]doer{"GetObject": getIt}, "", etagOther, "404 NoSuchKey", "ok", "404 NoSuchKey"},
		{map[string]doer{"HeadObject": headIt}, etagOther, "", "404 NotFound", "412 PreconditionFailed", "404 NotFound"},
		{map[string]doer{"HeadObject": headIt}, "", etagOld, "404 NotFound", "304 NotModified", "404 NotFound"},
	}
	for _, row := range table {
		for op, f := range row.ops {
			for state, lines := range states {
				wanted := map[string]string{"absent": row.absent, "there": row.there, "deleted": row.gone}[state]
				t.Run(fmt.Sprintf("%s %s%s %s", op, row.ifMatch, row.ifNoneMatch, state), func(t *testing.T) {
					s := fakeawstest.Start(t)
					s.Do(lines...)
					versions := s.Do("versions k")
					err := f(s3Client(s), row.ifMatch, row.ifNoneMatch)
					want(t, op, err, wanted)
					if err != nil && s.Do("versions k") != versions {
						t.Error("a refused request has changed something")
					}
				})
			}
		}
	}
}

// What another does between the check and the write is a conflict, after which
// an upload in parts must be begun again.
func TestConflict(t *testing.T) {
	s := fakeawstest.Start(t, "fault do-midway 'write k other' PutObject,CompleteMultipartUpload times=2")
	c := s3Client(s)
	b, k, none := aws.String(bucket), aws.String("k"), aws.String("*")
	in := &s3.PutObjectInput{Bucket: b, Key: k, Body: strings.NewReader("ours"), IfNoneMatch: none}
	_, err := c.PutObject(ctx, in)
	want(t, "in between", err, "409 ConditionalRequestConflict")
	s.Do("rm k")
	complete, _ := upload(t, c, "", "", []byte("ours"))
	complete.IfNoneMatch = none
	_, err = c.CompleteMultipartUpload(ctx, complete)
	want(t, "in parts", err, "409 ConditionalRequestConflict")
	_, err = c.CompleteMultipartUpload(ctx, complete)
	want(t, "afterwards", err, "412 PreconditionFailed")
	s.Do("rm k")
	_, err = c.CompleteMultipartUpload(ctx, complete)
	want(t, "the upload", err, "404 NoSuchUpload")
}

func TestConditionsIgnored(t *testing.T) {
	s := fakeawstest.Start(t)
	s.Do("write k old", "fault ignore-conditions PutObject,DeleteObject")
	c := s3Client(s)
	_, err := c.PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("new"), IfNoneMatch: aws.String("*")})
	want(t, "PutObject", err, "ok")
	_, err = c.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), IfMatch: aws.String(etagOther)})
	want(t, "DeleteObject", err, "ok")
	if got := s.Do("ls"); got != "" {
		t.Errorf("left: %s", got)
	}
}
