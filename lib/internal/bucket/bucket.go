// Package bucket keeps objects in an S3 bucket: get, put, list, conditions. It
// knows nothing of encryption; every error of S3 comes out as a *awsclient.Error.
package bucket

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"microsecrets/lib/internal/awsclient"
)

type client interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	HeadObject(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	DeleteObject(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
	ListObjectVersions(context.Context, *s3.ListObjectVersionsInput, ...func(*s3.Options)) (*s3.ListObjectVersionsOutput, error)
	CreateMultipartUpload(context.Context, *s3.CreateMultipartUploadInput, ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error)
	UploadPart(context.Context, *s3.UploadPartInput, ...func(*s3.Options)) (*s3.UploadPartOutput, error)
	CompleteMultipartUpload(context.Context, *s3.CompleteMultipartUploadInput, ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error)
	AbortMultipartUpload(context.Context, *s3.AbortMultipartUploadInput, ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error)
}

// Options are what every request to the bucket carries.
type Options struct {
	Owner string // the account that must own the bucket, 12 digits; empty: any
	SSE   string // the server-side encryption header: aws:kms, AES256, or empty for none

	// Trusted says that the server honours conditions, or that it does not
	// matter. Any other server is tried before the first conditional request
	// of each kind, and is an ErrIgnored if it does not.
	Trusted bool
}

// Bucket is one S3 bucket. It is safe for concurrent use.
type Bucket struct {
	client  client
	name    string
	owner   *string
	sse     types.ServerSideEncryption
	trusted bool
	tried   trials
	wide    sync.Mutex // held by the Object that fetches ranges ahead
}

// New returns the bucket of that name. No request is made.
func New(c client, name string, o Options) *Bucket {
	b := &Bucket{client: c, name: name, sse: types.ServerSideEncryption(o.SSE), trusted: o.Trusted}
	if o.Owner != "" {
		b.owner = &o.Owner
	}
	return b
}

// Info is what S3 tells of an object.
type Info struct {
	Key      string
	Size     int64
	Modified time.Time
	ETag     string // as S3 gives it, in quotes
	Version  string // empty in a bucket that never had versioning
}

// Head asks for the Info of an object's version, or of the latest. An absent
// one, or a deletion, is a awsclient.ErrNotFound.
func (b *Bucket) Head(ctx context.Context, key, version string) (Info, error) {
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket:              &b.name,
		Key:                 &key,
		VersionId:           optional(version),
		ExpectedBucketOwner: b.owner,
	})
	if err != nil {
		return Info{}, absent(version, awsclient.Classify(ctx, "HeadObject", err))
	}
	return Info{
		Key:      key,
		Size:     aws.ToInt64(out.ContentLength),
		Modified: aws.ToTime(out.LastModified),
		ETag:     aws.ToString(out.ETag),
		Version:  aws.ToString(out.VersionId),
	}, nil
}

// Written is what S3 answers to a write.
type Written struct {
	ETag    string
	Version string // empty in a bucket that never had versioning
}

// put stores data under key in one request.
func (b *Bucket) put(ctx context.Context, key string, data *buffer, c Condition) (Written, error) {
	if err := b.honours(ctx, putObject, key, c); err != nil {
		return Written{}, err
	}
	var doubt awsclient.Doubt
	data.at = 0
	out, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:               &b.name,
		Key:                  &key,
		Body:                 data,
		ContentLength:        aws.Int64(int64(data.size)),
		ExpectedBucketOwner:  b.owner,
		ServerSideEncryption: b.sse,
		IfMatch:              optional(c.IfMatch),
		IfNoneMatch:          c.ifNoneMatch(),
	}, doubt.Watch)
	if err != nil {
		return Written{}, c.refused(doubt.Classify(ctx, putObject, err))
	}
	return b.repeat(ctx, key, data, c, Written{ETag: aws.ToString(out.ETag), Version: aws.ToString(out.VersionId)})
}

// Delete removes an object. Without a version it is as if the object had never
// been; where the bucket keeps history that holds the old versions still, and a
// deletion, whose version is returned, is the newest. With a version that one is
// removed for good, and S3 takes no condition.
func (b *Bucket) Delete(ctx context.Context, key, version string, c Condition) (deletion string, err error) {
	if err := b.honours(ctx, deleteObject, key, c); err != nil {
		return "", err
	}
	var doubt awsclient.Doubt
	out, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{
		Bucket:              &b.name,
		Key:                 &key,
		VersionId:           optional(version),
		ExpectedBucketOwner: b.owner,
		IfMatch:             optional(c.IfMatch),
	}, doubt.Watch)
	if err != nil {
		return "", c.refused(doubt.Classify(ctx, deleteObject, err))
	}
	return aws.ToString(out.VersionId), nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
