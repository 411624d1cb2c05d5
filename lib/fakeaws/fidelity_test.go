package fakeaws_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
)

// An upload in parts is as old as its beginning. Where there are versions, what
// was begun after it stays current.
func TestUploadBegan(t *testing.T) {
	for _, versioning := range []string{"versioned", "unversioned"} {
		s := fakeawstest.Start(t, "bucket "+bucket+" "+versioning)
		c := s3Client(s)
		in, _ := upload(t, c, "CRC32", "", []byte("parts"))
		s.Do("clock 1m")
		put(t, c, "k", "whole")
		s.Do("clock 2m")
		_, err := c.CompleteMultipartUpload(ctx, in)
		want(t, "complete", err, "ok")
		got, out := get(t, c, &s3.GetObjectInput{Key: aws.String("k")})
		age := time.Until(*out.LastModified).Round(30 * time.Second)
		if versioning == "versioned" && (got != "whole" || age != time.Minute) || versioning == "unversioned" && (got != "parts" || age != 0) {
			t.Errorf("%s: current is %q, of %v from now", versioning, got, age)
		}
		if versions := strings.Count(s.Do("versions k"), "\n"); versioning == "versioned" && versions != 2 {
			t.Errorf("%d versions", versions)
		}
	}
}

// The order of versions outlives a restart.
func TestUploadBeganKept(t *testing.T) {
	dir := t.TempDir()
	s := fakeawstest.StartWith(t, fakeaws.Options{Dir: dir})
	in, _ := upload(t, s3Client(s), "CRC32", "", []byte("parts"))
	s.Do("clock 1m", "write k whole")
	if _, err := s3Client(s).CompleteMultipartUpload(ctx, in); err != nil {
		t.Fatal(err)
	}
	before := s.Do("versions k")
	s.Close()
	if after := serve(t, dir, "versions k"); after != before || !strings.Contains(after, " 5 latest\n") {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
}

func TestNotImplemented(t *testing.T) {
	s := fakeawstest.Start(t, "write k x")
	for _, header := range []string{"x-amz-grant-read", "x-amz-tagging", "x-amz-tagging-directive", "x-amz-object-lock-mode", "x-amz-object-lock-legal-hold",
		"x-amz-server-side-encryption-customer-algorithm", "x-amz-copy-source-server-side-encryption-customer-key", "x-amz-mfa"} {
		for _, request := range []string{"PUT /" + bucket + "/k", "GET /" + bucket + "/k", "POST /" + bucket + "/k?uploads", "PUT /another"} {
			method, path, _ := strings.Cut(request, " ")
			got := raw(t, s, method, path, emptyHash, "", http.Header{http.CanonicalHeaderKey(header): {"x"}})
			if got != "501 NotImplemented" {
				t.Errorf("%s with %s: %s", request, header, got)
			}
		}
	}
	if got := s.Do("cat k"); got != "x" {
		t.Errorf("stored: %q", got)
	}
}

// There are no access control lists: what says no more than that is taken.
func TestCannedACL(t *testing.T) {
	s := fakeawstest.Start(t)
	for _, row := range [][3]string{
		{"/" + bucket + "/k", "bucket-owner-full-control", "200 "},
		{"/" + bucket + "/k", "private", "400 AccessControlListNotSupported"},
		{"/" + bucket + "/k", "public-read", "400 AccessControlListNotSupported"},
		{"/example-another", "public-read", "400 AccessControlListNotSupported"},
		{"/example-another", "private", "200 "},
	} {
		got := raw(t, s, "PUT", row[0], emptyHash, "", http.Header{"X-Amz-Acl": {row[1]}})
		if strings.TrimSpace(got) != strings.TrimSpace(row[2]) {
			t.Errorf("%s: %s", row, got)
		}
	}
}

func TestResponseHeaders(t *testing.T) {
	s := fakeawstest.Start(t)
	c := s3Client(s)
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Metadata: map[string]string{"Camel-Case": "x"}, ContentType: aws.String("text/plain")})
	want(t, "put", err, "ok")
	in := &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), ResponseContentType: aws.String("a/b"), ResponseCacheControl: aws.String("no-store"),
		ResponseContentDisposition: aws.String("attachment"), ResponseContentLanguage: aws.String("de"), ResponseContentEncoding: aws.String("x")}
	_, out := get(t, c, in)
	if *out.ContentType != "a/b" || *out.CacheControl != "no-store" || *out.ContentDisposition != "attachment" || *out.ContentLanguage != "de" || *out.ContentEncoding != "x" {
		t.Errorf("%+v", out)
	}
	presigned, err := s3.NewPresignClient(c).PresignGetObject(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", strings.TrimPrefix(presigned.URL, s.URL()), strings.TrimPrefix(s.URL(), "http://"))
	if head, err := io.ReadAll(conn); err != nil || !strings.Contains(string(head), "\r\nx-amz-meta-camel-case: x\r\n") {
		t.Errorf("%q, %v", head, err)
	}
}

func TestCopiesRefused(t *testing.T) {
	s := fakeawstest.Start(t, "write k x")
	c := s3Client(s)
	source := aws.String(bucket + "/k")
	itself := &s3.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), CopySource: source}
	_, err := c.CopyObject(ctx, itself)
	want(t, "onto itself", err, "400 InvalidRequest")
	itself.MetadataDirective = types.MetadataDirectiveReplace
	_, err = c.CopyObject(ctx, itself)
	want(t, "onto itself, other metadata", err, "ok")
	_, up := upload(t, c, "", "")
	for spec, outcome := range map[string]string{"bytes=0-0": "ok", "bytes=0-1": "400 InvalidArgument", "bytes=1-1": "400 InvalidArgument", "bytes=0-": "400 InvalidArgument",
		"bytes=-1": "400 InvalidArgument", "bytes=1-0": "400 InvalidArgument"} {
		_, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: aws.String(bucket), Key: aws.String("k"), CopySource: source, UploadId: up.UploadId,
			PartNumber: aws.Int32(1), CopySourceRange: &spec})
		want(t, spec, err, outcome)
	}
}

func TestPartOfNothing(t *testing.T) {
	s := fakeawstest.Start(t)
	c := s3Client(s)
	put(t, c, "k", "")
	got, out := get(t, c, &s3.GetObjectInput{Key: aws.String("k"), PartNumber: aws.Int32(1)})
	if got != "" || out.ContentRange != nil {
		t.Errorf("%q, Content-Range %s", got, aws.ToString(out.ContentRange))
	}
}

func TestLocationConstraint(t *testing.T) {
	s := fakeawstest.Start(t)
	for _, row := range []struct{ region, bucket, constraint, want string }{
		{"us-east-1", "one", "", "ok"},
		{"us-east-1", "one", "", "ok"}, // as S3 still does there
		{"us-east-1", "two", "us-east-1", "400 InvalidLocationConstraint"},
		{"us-east-1", "two", "eu-west-1", "400 IllegalLocationConstraintException"},
		{"eu-west-1", "two", "", "400 IllegalLocationConstraintException"},
		{"eu-west-1", "two", "eu-west-2", "400 IllegalLocationConstraintException"},
		{"eu-west-1", "two", "eu-west-1", "ok"},
		{"eu-west-1", "two", "eu-west-1", "409 BucketAlreadyOwnedByYou"},
	} {
		in := &s3.CreateBucketInput{Bucket: &row.bucket}
		if row.constraint != "" {
			in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(row.constraint)}
		}
		c := config(s)
		c.Region = row.region
		_, err := s3.NewFromConfig(c).CreateBucket(ctx, in)
		want(t, row.region+" "+row.constraint, err, row.want)
	}
	_, err := s3.NewFromConfig(config(s, "principal stranger account=999999999999")).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("one")})
	want(t, "a stranger's", err, "409 BucketAlreadyExists")
	_, err = s3Client(s).ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("two")})
	want(t, "from another region", err, "400 AuthorizationHeaderMalformed")
}

// A weak ETag is never the same as the object's.
func TestWeakETags(t *testing.T) {
	s := fakeawstest.Start(t, "write k x")
	c := s3Client(s)
	head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("y"), IfMatch: aws.String("W/" + *head.ETag)})
	want(t, "weak", err, "412 PreconditionFailed")
}

func TestBucketDocuments(t *testing.T) {
	s := fakeawstest.Start(t)
	c, b := s3Client(s), aws.String(bucket)
	access, err := c.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: b})
	if err != nil || !*access.PublicAccessBlockConfiguration.BlockPublicAcls || !*access.PublicAccessBlockConfiguration.RestrictPublicBuckets {
		t.Errorf("of a new bucket: %v, %v", access, err)
	}
	_, err = c.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: b, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{IgnorePublicAcls: aws.Bool(true)}})
	want(t, "put", err, "ok")
	access, err = c.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: b})
	if err != nil || *access.PublicAccessBlockConfiguration.BlockPublicAcls || !*access.PublicAccessBlockConfiguration.IgnorePublicAcls {
		t.Errorf("%v, %v", access, err)
	}
	_, err = c.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: b})
	want(t, "delete", err, "ok")
	_, err = c.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: b})
	want(t, "deleted", err, "404 NoSuchPublicAccessBlockConfiguration")

	ownership := func(o types.ObjectOwnership) error {
		_, err := c.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: b,
			OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: o}}}})
		return err
	}
	want(t, "owner enforced", ownership("BucketOwnerEnforced"), "ok")
	want(t, "access control lists", ownership("ObjectWriter"), "501 NotImplemented")

	_, err = c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: b})
	want(t, "no lifecycle", err, "404 NoSuchLifecycleConfiguration")
	rules := []types.LifecycleRule{{ID: aws.String("uploads"), Status: "Enabled", Filter: &types.LifecycleRuleFilter{Prefix: aws.String("a/")},
		AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(7)}}}
	lifecycle := func(rules []types.LifecycleRule) error {
		_, err := c.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: b, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules}})
		return err
	}
	want(t, "lifecycle", lifecycle(rules), "ok")
	want(t, "twice the same rule", lifecycle(append(rules, rules...)), "400 InvalidArgument")
	kept, err := c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: b})
	if err != nil || len(kept.Rules) != 1 || *kept.Rules[0].AbortIncompleteMultipartUpload.DaysAfterInitiation != 7 || *kept.Rules[0].Filter.Prefix != "a/" {
		t.Errorf("%v, %v", kept, err)
	}
	for _, request := range []string{"PUT /" + bucket + "?encryption", "GET /" + bucket + "/k?acl&versionId=null"} {
		method, path, _ := strings.Cut(request, " ")
		if got := raw(t, s, method, path, emptyHash, "", nil); got != "501 NotImplemented" {
			t.Errorf("%s: %s", request, got)
		}
	}
}
