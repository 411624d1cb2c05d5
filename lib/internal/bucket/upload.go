package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/hint"
)

const (
	// partUnit is the size of the first parts of a multipart upload, and the
	// most that goes in a single PutObject. S3 wants at least 5 MiB.
	partUnit = 8 << 20

	// partsMax is S3's bound on the parts of an upload. As nobody knows how
	// long a pipe is, parts double after every partsAlike, partDoublings times,
	// so that partsMax of them hold more than a TiB.
	partsMax      = 10_000
	partsAlike    = 500
	partDoublings = 4

	// partsHeld bounds the parts in memory: one that is being filled, the
	// others on their way. Where they would have more than heldMax bytes they
	// are fewer; a single part may have more.
	partsHeld = 4
	heldMax   = 64 << 20

	// abortTimeout is how long an upload that failed, or was interrupted, may
	// take to remove the parts that it has stored.
	abortTimeout = 10 * time.Second
)

// ErrTooLarge is the error of writing more than partsMax parts hold.
var ErrTooLarge = errors.New("more than an S3 upload can hold")

// ErrLost is the error of an upload that may have begun, and whose id is not known.
var ErrLost = errors.New("an upload without parts may be left behind")

// partSize is the size in bytes of part i, from 0.
func partSize(i int) int { return partUnit << min(i/partsAlike, partDoublings) }

// underWay is how many parts may be on their way while part i is being filled.
func underWay(i int) int { return min(partsHeld, max(1, heldMax/partSize(i))) - 1 }

// Upload writes an object of unknown length: in one PutObject if it fits in a
// part, else by a multipart upload. It holds at most 64 MiB of an object up to
// 58 GiB, and 128 MiB beyond. The object appears when Close succeeds; whoever
// does not get there must Abort. An Upload is used by one goroutine.
type Upload struct {
	ctx       context.Context
	bucket    *Bucket
	key       string
	condition Condition

	id      string // of the multipart upload, once it has begun
	lost    bool   // whether it has begun is not known
	err     error  // of a part; nothing is sent, or completed, after it
	parts   []types.CompletedPart
	part    []byte   // that is being filled
	free    [][]byte // memory of parts that were sent
	sending int      // parts on their way
	sent    chan sent
	partCtx context.Context
	cancel  context.CancelFunc
}

// sent is what became of a part.
type sent struct {
	part  types.CompletedPart
	bytes []byte
	err   error
}

// Upload begins to write an object, which appears on a condition. No request is
// made before a part is full.
func (b *Bucket) Upload(ctx context.Context, key string, c Condition) *Upload {
	if b.unconditional {
		c = Condition{}
	}
	return &Upload{ctx: ctx, bucket: b, key: key, condition: c}
}

func (u *Upload) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		room := partSize(len(u.parts)) - len(u.part)
		if room == 0 {
			if err := u.next(); err != nil {
				return written, err
			}
			continue
		}
		n := min(room, len(p))
		u.part = append(u.part, p[:n]...)
		p, written = p[n:], written+n
	}
	return written, nil
}

// next sends the part that is full and begins another, which may mean to wait
// until there is memory for it.
func (u *Upload) next() error {
	if err := u.send(); err != nil {
		return err
	}
	if err := u.await(underWay(len(u.parts))); err != nil {
		return err
	}
	size := partSize(len(u.parts))
	u.free = slices.DeleteFunc(u.free, func(b []byte) bool { return cap(b) < size })
	if last := len(u.free) - 1; last >= 0 {
		u.part, u.free = u.free[last][:0], u.free[:last]
	} else {
		u.part = make([]byte, 0, size)
	}
	return nil
}

// begin starts the multipart upload.
func (u *Upload) begin() error {
	if err := u.bucket.probe(u.ctx, completeMultipartUpload, u.key, u.condition); err != nil {
		return err
	}
	// An upload that has begun can be removed only by the id that the answer brings:
	// a signal waits for it.
	ctx, cancel := outlast(u.ctx, abortTimeout)
	defer cancel()
	attempts := &awsclient.Attempts{Blind: true} // what another one leaves has no parts
	out, err := u.bucket.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket:               &u.bucket.name,
		Key:                  &u.key,
		ExpectedBucketOwner:  u.bucket.owner,
		ServerSideEncryption: u.bucket.sse,
	}, attempts.Watch)
	if err != nil {
		err = awsclient.Classify(ctx, "CreateMultipartUpload", err, u.bucket.facts(""))
		var e *awsclient.Error
		u.lost = attempts.MaybeApplied() || errors.As(err, &e) && e.Status/100 == 2
		return err
	}
	u.id = aws.ToString(out.UploadId)
	u.sent = make(chan sent, partsHeld)
	u.partCtx, u.cancel = context.WithCancel(u.ctx)
	return nil
}

// send sets out to send what has been written as the next part.
func (u *Upload) send() error {
	if u.err != nil {
		return u.err
	}
	if u.id == "" {
		if err := u.begin(); err != nil {
			return err
		}
	}
	if len(u.parts) == partsMax {
		return ErrTooLarge
	}
	u.parts = append(u.parts, types.CompletedPart{})
	number, full := int32(len(u.parts)), u.part
	u.part = nil
	u.sending++
	go func() {
		part, err := u.sendPart(number, full)
		u.sent <- sent{part, full, err}
	}()
	return nil
}

func (u *Upload) sendPart(number int32, b []byte) (types.CompletedPart, error) {
	out, err := u.bucket.client.UploadPart(u.partCtx, &s3.UploadPartInput{
		Bucket:              &u.bucket.name,
		Key:                 &u.key,
		UploadId:            &u.id,
		PartNumber:          &number,
		Body:                bytes.NewReader(b),
		ContentLength:       aws.Int64(int64(len(b))),
		ExpectedBucketOwner: u.bucket.owner,
	})
	if err != nil {
		return types.CompletedPart{}, awsclient.Classify(u.partCtx, "UploadPart", err, u.bucket.facts(""))
	}
	// An upload with checksums is completed only with those of its parts.
	return types.CompletedPart{
		PartNumber:        &number,
		ETag:              aws.String(etag(out.ETag)),
		ChecksumCRC32:     out.ChecksumCRC32,
		ChecksumCRC32C:    out.ChecksumCRC32C,
		ChecksumCRC64NVME: out.ChecksumCRC64NVME,
		ChecksumSHA1:      out.ChecksumSHA1,
		ChecksumSHA256:    out.ChecksumSHA256,
	}, nil
}

// await waits until at most limit parts are on their way.
func (u *Upload) await(limit int) error {
	for u.err == nil && u.sending > limit {
		s := <-u.sent
		u.sending--
		if u.err = s.err; u.err == nil {
			u.parts[*s.part.PartNumber-1] = s.part
			u.free = append(u.free, s.bytes)
		}
	}
	return u.err
}

// Require changes the condition on which the object appears.
func (u *Upload) Require(c Condition) {
	if !u.bucket.unconditional {
		u.condition = c
	}
}

// InParts reports whether more than one request makes the object: S3 then keeps
// as the latest version the one whose upload began last.
func (u *Upload) InParts() bool { return u.id != "" || u.parts != nil }

// Close sends what is left and makes the object appear. When that failed it may
// be tried again, under another condition as well.
func (u *Upload) Close() (Written, error) {
	if u.id == "" {
		return u.bucket.put(u.ctx, u.key, u.part, u.condition)
	}
	if len(u.part) > 0 {
		if err := u.send(); err != nil {
			return Written{}, err
		}
	}
	if err := u.await(0); err != nil {
		return Written{}, err
	}
	attempts := u.bucket.attempts()
	out, err := u.bucket.client.CompleteMultipartUpload(u.ctx, &s3.CompleteMultipartUploadInput{
		Bucket:              &u.bucket.name,
		Key:                 &u.key,
		UploadId:            &u.id,
		MultipartUpload:     &types.CompletedMultipartUpload{Parts: u.parts},
		ExpectedBucketOwner: u.bucket.owner,
		IfMatch:             u.condition.ifMatch(),
		IfNoneMatch:         u.condition.ifNoneMatch(),
	}, attempts.Watch)
	if err != nil {
		return Written{}, awsclient.Classify(u.ctx, completeMultipartUpload, err, u.bucket.changeFacts(u.condition, attempts))
	}
	u.cancel()
	u.id = ""
	return Written{ETag: etag(out.ETag), Version: aws.ToString(out.VersionId)}, nil
}

// Fail aborts an upload because of an error, and returns that, with what is left
// behind and what may be done about it.
func (u *Upload) Fail(why error) error {
	left := u.Abort()
	switch {
	case errors.Is(left, ErrLost):
		return hint.With(why, left.Error()+", until the bucket's lifecycle rule ends it, or: aws s3api list-multipart-uploads, then abort-multipart-upload")
	case left != nil:
		return leftBehind(fmt.Errorf("%w; stored parts are left behind: %w", why, left))
	}
	return why
}

func leftBehind(err error) error {
	return hint.With(err, "stored parts are left behind, until the bucket's lifecycle rule ends the upload, or: aws s3api abort-multipart-upload")
}

// Abort removes the parts that an upload has stored, also after its context has
// ended. After a Close that succeeded it does nothing. Of an upload whose beginning
// was not answered the error is ErrLost.
func (u *Upload) Abort() error {
	switch {
	case u.lost:
		return ErrLost
	case u.id == "":
		return nil
	}
	u.cancel()
	for ; u.sending > 0; u.sending-- {
		<-u.sent
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), abortTimeout)
	defer cancel()
	_, err := u.bucket.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket:              &u.bucket.name,
		Key:                 &u.key,
		UploadId:            &u.id,
		ExpectedBucketOwner: u.bucket.owner,
	})
	u.id = ""
	err = awsclient.Classify(ctx, "AbortMultipartUpload", err, u.bucket.facts(""))
	var e *awsclient.Error
	if errors.As(err, &e) && e.Code == "NoSuchUpload" {
		return nil // a completion whose answer was lost
	}
	return err
}

// outlast returns a context that ends a while after ctx has, for what must not be
// broken off.
func outlast(ctx context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	outlasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(while, cancel) })
	return outlasting, func() {
		stop()
		cancel()
	}
}
