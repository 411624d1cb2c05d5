package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/cloud"
)

// resumes is how often a read goes on after its connection broke: as many tries
// in all as the SDK gives a request.
const resumes = 2

// Object is an object that is being read. A connection that breaks is taken up
// again where it broke, on condition that the object is still the same.
type Object struct {
	Info
	ctx    context.Context
	bucket *Bucket
	body   io.ReadCloser
	read   int64
	left   int // resumes
}

// Get begins to read an object; the caller closes it. An absent one is a
// cloud.ErrNotFound.
func (b *Bucket) Get(ctx context.Context, key string) (*Object, error) {
	out, err := b.client.GetObject(ctx, b.getInput(key))
	if err != nil {
		return nil, cloud.Classify(ctx, "GetObject", err)
	}
	return &Object{
		Info: Info{
			Key:      key,
			Size:     aws.ToInt64(out.ContentLength),
			Modified: aws.ToTime(out.LastModified),
			ETag:     aws.ToString(out.ETag),
			Version:  aws.ToString(out.VersionId),
		},
		ctx:    ctx,
		bucket: b,
		body:   out.Body,
		left:   resumes,
	}, nil
}

func (b *Bucket) getInput(key string) *s3.GetObjectInput {
	return &s3.GetObjectInput{
		Bucket:              &b.name,
		Key:                 &key,
		ExpectedBucketOwner: b.owner,
	}
}

// Read reads the object's bytes. An error other than io.EOF is a *cloud.Error,
// or the context's.
func (o *Object) Read(p []byte) (int, error) {
	for {
		n, err := o.body.Read(p)
		o.read += int64(n)
		switch {
		case err == nil, err == io.EOF && o.read >= o.Size:
			return n, err
		case n > 0:
			return n, nil
		case err == io.EOF:
			err = io.ErrUnexpectedEOF
		}
		if err := o.resume(err); err != nil {
			return 0, err
		}
	}
}

func (o *Object) resume(cause error) error {
	failure := cloud.Classify(o.ctx, "GetObject", cause)
	if o.left == 0 || !errors.Is(failure, cloud.ErrUnreachable) {
		return failure
	}
	o.left--
	in := o.bucket.getInput(o.Key)
	in.Range = aws.String(fmt.Sprintf("bytes=%d-", o.read))
	in.IfMatch = &o.ETag
	out, err := o.bucket.client.GetObject(o.ctx, in)
	if err != nil {
		return cloud.Classify(o.ctx, "GetObject", err)
	}
	o.body.Close()
	o.body = out.Body
	return nil
}

// Close ends the reading.
func (o *Object) Close() error { return o.body.Close() }
