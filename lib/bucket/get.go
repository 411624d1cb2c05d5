package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

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
	ctx     context.Context
	bucket  *Bucket
	version string // that was asked for
	body    io.ReadCloser
	read    int64
	left    int // resumes
}

// Get begins to read a version of an object, or the latest; the caller closes
// it. An absent one, or a deletion, is a cloud.ErrNotFound.
func (b *Bucket) Get(ctx context.Context, key, version string) (*Object, error) {
	out, err := b.client.GetObject(ctx, b.getInput(key, version))
	if err != nil {
		return nil, absent(version, cloud.Classify(ctx, "GetObject", err))
	}
	return &Object{
		Info: Info{
			Key:      key,
			Size:     aws.ToInt64(out.ContentLength),
			Modified: aws.ToTime(out.LastModified),
			ETag:     aws.ToString(out.ETag),
			Version:  aws.ToString(out.VersionId),
		},
		ctx:     ctx,
		bucket:  b,
		version: version,
		body:    out.Body,
		left:    resumes,
	}, nil
}

func (b *Bucket) getInput(key, version string) *s3.GetObjectInput {
	return &s3.GetObjectInput{
		Bucket:              &b.name,
		Key:                 &key,
		VersionId:           optional(version),
		ExpectedBucketOwner: b.owner,
	}
}

// Peek reads the first n bytes, or all if it is shorter, of a version of an
// object, or of the latest.
func (b *Bucket) Peek(ctx context.Context, key, version string, n int) ([]byte, Info, error) {
	o, err := b.Get(ctx, key, version)
	if err != nil {
		return nil, Info{}, err
	}
	defer o.Close()
	head, err := io.ReadAll(io.LimitReader(o, int64(n)))
	return head, o.Info, err
}

// absent makes a cloud.ErrNotFound of the answers to a version that is none, or
// a deletion.
func absent(version string, err error) error {
	var e *cloud.Error
	if version == "" || !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Status == http.StatusMethodNotAllowed:
		e.Kind, e.Detail = cloud.ErrNotFound, "that version is a deletion"
	case e.Kind == cloud.ErrNotFound, e.Code == "InvalidArgument":
		e.Kind, e.Detail = cloud.ErrNotFound, "no such version"
	}
	return err
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
	in := o.bucket.getInput(o.Key, o.version)
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
