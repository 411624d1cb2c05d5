// Package bucket keeps objects in an S3 bucket: get, put, list, conditions. It
// knows nothing of encryption; every error of S3 comes out as an
// *awsclient.Error.
package bucket

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

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

	// Trusted says that the server honours conditions. Any other server is probed
	// before the first conditional request of each kind, and what it ignores is an
	// ErrConditionsIgnored.
	Trusted bool

	// Unconditional sends no condition, whatever is asked for, and repeats changes
	// that were not answered.
	Unconditional bool
}

// Bucket is one S3 bucket. It is safe for concurrent use.
type Bucket struct {
	client        client
	name          string
	owner         *string
	sse           types.ServerSideEncryption
	unconditional bool
	probes        *probes       // nil: the server is trusted
	probing       bool          // nothing is to be changed: what is not answered is repeated
	prefetching   chan struct{} // holds a value while an Object fetches ranges in advance
}

// New returns the bucket of that name. No request is made.
func New(c client, name string, o Options) *Bucket {
	b := &Bucket{
		client:        c,
		name:          name,
		sse:           types.ServerSideEncryption(o.SSE),
		unconditional: o.Unconditional,
		prefetching:   make(chan struct{}, 1),
	}
	if o.Owner != "" {
		b.owner = &o.Owner
	}
	if !o.Trusted && !o.Unconditional {
		b.probes = newProbes()
	}
	return b
}

// Info is what S3 says of an object.
type Info struct {
	Key      string
	Size     int64     // in bytes; -1 if the server did not say
	Modified time.Time // Last-Modified
	ETag     string    // in quotes; empty if the server gave none
	Version  string    // empty in a bucket that never had versioning

	Age time.Duration // since Modified, by the server's own clock; 0 in a listing
}

// age is how long before its answer the server has stored an object.
func age(modified *time.Time, metadata middleware.Metadata) time.Duration {
	now, ok := awsmiddleware.GetServerTime(metadata)
	if !ok || modified == nil {
		return 0
	}
	return now.Sub(*modified)
}

// Quoted is an ETag as a condition takes it: in quotes, and strong. A proxy that
// compresses answers makes it weak, of the same object.
func Quoted(etag string) string {
	value := strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
	if value == "" {
		return ""
	}
	return `"` + value + `"`
}

func etag(s *string) string { return Quoted(aws.ToString(s)) }

// Head asks for the Info of an object's version, or of the latest. An absent
// one, or a deletion, is an awsclient.ErrNotFound. What a failure means S3 says
// only in the body of an answer, which a HeadObject has not: it is asked for by a
// GetObject.
func (b *Bucket) Head(ctx context.Context, key, version string) (Info, error) {
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket:              &b.name,
		Key:                 &key,
		VersionId:           optional(version),
		ExpectedBucketOwner: b.owner,
	})
	err = awsclient.Classify(ctx, headObject, err, b.facts(version))
	var e *awsclient.Error
	switch {
	case errors.As(err, &e) && e.Status >= 300 && e.Status < 500:
		_, info, err := b.peek(ctx, headObject, key, version, 1)
		return info, err
	case err != nil:
		return Info{}, err
	}
	return Info{
		Key:      key,
		Size:     aws.ToInt64(out.ContentLength),
		Modified: aws.ToTime(out.LastModified),
		ETag:     etag(out.ETag),
		Version:  aws.ToString(out.VersionId),
		Age:      age(out.LastModified, out.ResultMetadata),
	}, nil
}

// facts are those of every request for a version of an object.
func (b *Bucket) facts(version string) awsclient.Facts {
	return awsclient.Facts{Version: version, Owner: b.owner != nil}
}

// Written is what S3 answers to a write.
type Written struct {
	ETag    string // in quotes
	Version string // empty in a bucket that never had versioning
}

// put stores data under key in one request.
func (b *Bucket) put(ctx context.Context, key string, data []byte, c Condition) (Written, error) {
	if err := b.probe(ctx, putObject, key, c); err != nil {
		return Written{}, err
	}
	attempts := b.attempts()
	out, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:               &b.name,
		Key:                  &key,
		Body:                 bytes.NewReader(data),
		ContentLength:        aws.Int64(int64(len(data))),
		ExpectedBucketOwner:  b.owner,
		ServerSideEncryption: b.sse,
		IfMatch:              c.ifMatch(),
		IfNoneMatch:          c.ifNoneMatch(),
	}, attempts.Watch)
	if err != nil {
		return Written{}, awsclient.Classify(ctx, putObject, err, b.changeFacts(c, attempts))
	}
	if c.IfAbsent {
		if err := b.probeAbsent(ctx, key, data); err != nil {
			return Written{}, err
		}
	}
	return Written{ETag: etag(out.ETag), Version: aws.ToString(out.VersionId)}, nil
}

func (b *Bucket) attempts() *awsclient.Attempts {
	return &awsclient.Attempts{Blind: b.unconditional || b.probing}
}

func (b *Bucket) changeFacts(c Condition, a *awsclient.Attempts) awsclient.Facts {
	return awsclient.Facts{Precondition: c.precondition(), Owner: b.owner != nil, Attempts: a}
}

// Delete removes an object. Without a version it is as if the object had never
// been; where the bucket keeps history, that still holds the old versions, and a
// deletion is the newest. With a version, that one is removed for good, and S3
// takes no condition.
func (b *Bucket) Delete(ctx context.Context, key, version string, c Condition) error {
	_, err := b.delete(ctx, key, version, c)
	return err
}

// delete also returns the version of the deletion.
func (b *Bucket) delete(ctx context.Context, key, version string, c Condition) (deletion string, err error) {
	if b.unconditional {
		c = Condition{}
	}
	if err := b.probe(ctx, deleteObject, key, c); err != nil {
		return "", err
	}
	attempts := b.attempts()
	if version != "" && version != NullVersion {
		attempts.Blind = true // that version is gone, or it is not
	}
	out, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{
		Bucket:              &b.name,
		Key:                 &key,
		VersionId:           optional(version),
		ExpectedBucketOwner: b.owner,
		IfMatch:             c.ifMatch(),
	}, attempts.Watch)
	if err != nil {
		return "", awsclient.Classify(ctx, deleteObject, err, b.changeFacts(c, attempts))
	}
	return aws.ToString(out.VersionId), nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
