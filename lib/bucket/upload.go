package bucket

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"microsecrets/lib/cloud"
)

const (
	// partUnit is the size of the first parts of a multipart upload, and the
	// most that goes in a single PutObject. S3 wants at least 5 MiB.
	partUnit = 8 << 20

	// partsMax is S3's bound on the parts of an upload. Parts grow by a unit
	// every partsAlike, so that partsMax of them hold more than a TiB.
	partsMax   = 10_000
	partsAlike = 384

	// partsInFlight bounds the parts that are being sent while the next one is
	// being filled.
	partsInFlight = 3

	// abortTimeout is how long an upload that failed, or was interrupted, may
	// take to remove the parts that it has stored.
	abortTimeout = 10 * time.Second
)

// ErrTooLarge is the error of writing more than partsMax parts hold.
var ErrTooLarge = errors.New("more than an S3 upload can hold")

// partSize is the size in bytes of part i, from 0.
func partSize(i int) int { return partUnit * (1 + i/partsAlike) }

// Upload writes an object of unknown length: in one PutObject if it fits in a
// part, else by a multipart upload, in memory that does not grow with it. The
// object appears when Close succeeds; whoever does not get there must Abort.
// An Upload is used by one goroutine.
type Upload struct {
	ctx       context.Context
	bucket    *Bucket
	key       string
	condition Condition

	buf   *bytes.Buffer
	free  chan *bytes.Buffer
	id    string // of the multipart upload, once it has begun
	parts []types.CompletedPart
	sent  *errgroup.Group
	sctx  context.Context
}

// Upload begins to write an object, which appears on a condition. No request is
// made before a part is full.
func (b *Bucket) Upload(ctx context.Context, key string, c Condition) *Upload {
	return &Upload{ctx: ctx, bucket: b, key: key, condition: c, buf: new(bytes.Buffer)}
}

func (u *Upload) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		room := partSize(len(u.parts)) - u.buf.Len()
		if room == 0 {
			if err := u.send(); err != nil {
				return written, err
			}
			continue
		}
		n, _ := u.buf.Write(p[:min(room, len(p))])
		p, written = p[n:], written+n
	}
	return written, nil
}

// begin starts the multipart upload.
func (u *Upload) begin() error {
	if err := u.bucket.honours(u.ctx, completeMultipartUpload, u.key, u.condition); err != nil {
		return err
	}
	out, err := u.bucket.client.CreateMultipartUpload(u.ctx, &s3.CreateMultipartUploadInput{
		Bucket:               &u.bucket.name,
		Key:                  &u.key,
		ExpectedBucketOwner:  u.bucket.owner,
		ServerSideEncryption: u.bucket.sse,
	})
	if err != nil {
		return cloud.Classify(u.ctx, "CreateMultipartUpload", err)
	}
	u.id = aws.ToString(out.UploadId)
	u.sent, u.sctx = errgroup.WithContext(u.ctx)
	u.free = make(chan *bytes.Buffer, partsInFlight+1)
	for range partsInFlight {
		u.free <- new(bytes.Buffer)
	}
	return nil
}

// send hands the full buffer over as the next part and takes a free one, which
// may mean to wait until a part has arrived.
func (u *Upload) send() error {
	if u.id == "" {
		if err := u.begin(); err != nil {
			return err
		}
	}
	if len(u.parts) == partsMax {
		return ErrTooLarge
	}
	i, full := len(u.parts), u.buf
	u.parts = append(u.parts, types.CompletedPart{PartNumber: aws.Int32(int32(i + 1))})
	etag := new(string)
	u.parts[i].ETag = etag
	u.sent.Go(func() error {
		out, err := u.bucket.client.UploadPart(u.sctx, &s3.UploadPartInput{
			Bucket:              &u.bucket.name,
			Key:                 &u.key,
			UploadId:            &u.id,
			PartNumber:          aws.Int32(int32(i + 1)),
			Body:                bytes.NewReader(full.Bytes()),
			ContentLength:       aws.Int64(int64(full.Len())),
			ExpectedBucketOwner: u.bucket.owner,
		})
		if err != nil {
			return cloud.Classify(u.sctx, "UploadPart", err)
		}
		*etag = aws.ToString(out.ETag)
		full.Reset()
		u.free <- full
		return nil
	})
	select {
	case u.buf = <-u.free:
		return nil
	case <-u.sctx.Done():
		if err := u.sent.Wait(); err != nil {
			return err
		}
		return context.Cause(u.ctx)
	}
}

// Close sends what is left and makes the object appear. When it was refused it
// may be tried again.
func (u *Upload) Close() (Written, error) {
	if u.id == "" {
		return u.bucket.put(u.ctx, u.key, u.buf.Bytes(), u.condition)
	}
	if u.buf.Len() > 0 {
		if err := u.send(); err != nil {
			return Written{}, err
		}
	}
	if err := u.sent.Wait(); err != nil {
		return Written{}, err
	}
	var doubt cloud.Doubt
	out, err := u.bucket.client.CompleteMultipartUpload(u.ctx, &s3.CompleteMultipartUploadInput{
		Bucket:              &u.bucket.name,
		Key:                 &u.key,
		UploadId:            &u.id,
		MultipartUpload:     &types.CompletedMultipartUpload{Parts: u.parts},
		ExpectedBucketOwner: u.bucket.owner,
		IfMatch:             optional(u.condition.IfMatch),
		IfNoneMatch:         u.condition.ifNoneMatch(),
	}, doubt.Watch)
	if err != nil {
		return Written{}, u.condition.refused(doubt.Classify(u.ctx, completeMultipartUpload, err))
	}
	u.id = ""
	return Written{ETag: aws.ToString(out.ETag), Version: aws.ToString(out.VersionId)}, nil
}

// Abort removes the parts that an upload has stored, also after its context has
// ended. After a Close that succeeded it does nothing.
func (u *Upload) Abort() error {
	if u.id == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), abortTimeout)
	defer cancel()
	u.sent.Go(func() error { return errAborted })
	u.sent.Wait()
	_, err := u.bucket.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket:              &u.bucket.name,
		Key:                 &u.key,
		UploadId:            &u.id,
		ExpectedBucketOwner: u.bucket.owner,
	})
	u.id = ""
	err = cloud.Classify(ctx, "AbortMultipartUpload", err)
	var e *cloud.Error
	if errors.As(err, &e) && e.Code == "NoSuchUpload" {
		return nil // a completion whose answer was lost
	}
	return err
}

// errAborted ends the parts that are still being sent.
var errAborted = errors.New("aborted")
