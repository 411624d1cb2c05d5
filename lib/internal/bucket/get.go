package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/internal/awsclient"
)

const (
	// rangeSize is how many bytes of an object a request asks for: up to that,
	// an object is one request.
	rangeSize = 8 << 20

	// rangesAhead is how many ranges are held, the one being read among them.
	rangesAhead = 3

	// lead is how much of an object is read before others are fetched ahead:
	// whoever stops after a message's header has fetched no more than a range.
	lead = 128 << 10

	// resumes is how often a range is taken up again after its connection
	// broke: as many tries in all as the SDK gives a request.
	resumes = 2
)

// Object is an object that is being read, in order; of a large one several
// ranges are fetched side by side. All of its bytes are of one version: if the
// object changes meanwhile, reading it fails with a awsclient.ErrConflict. A
// connection that breaks is taken up again where it broke.
type Object struct {
	Info
	ctx    context.Context
	cancel context.CancelFunc
	bucket *Bucket
	err    error // of every Read from now on

	version string  // that was asked for
	current *stream // a range that is read as it comes
	ahead   []*span // the ranges that follow it, in order
	next    int64   // where the range after those begins
	wide    bool    // has the bucket's memory for ranges ahead
}

// Get begins to read a version of an object, or the latest; the caller closes
// it. An absent one, or a deletion, is a awsclient.ErrNotFound.
func (b *Bucket) Get(ctx context.Context, key, version string) (*Object, error) {
	return b.get(ctx, key, version, "", rangeSize)
}

// Again begins to read the object once more, from its start, on condition that
// it has not changed: else the error is a awsclient.ErrConflict.
func (o *Object) Again(ctx context.Context) (*Object, error) {
	return o.bucket.get(ctx, o.Key, o.version, o.ETag, rangeSize)
}

// Peek reads the first n bytes, or all if it is shorter, of a version of an
// object, or of the latest.
func (b *Bucket) Peek(ctx context.Context, key, version string, n int) ([]byte, Info, error) {
	o, err := b.get(ctx, key, version, "", n)
	if err != nil {
		return nil, Info{}, err
	}
	defer o.Close()
	head, err := io.ReadAll(io.LimitReader(o, int64(n)))
	return head, o.Info, err
}

// get begins with the first n bytes of an object.
func (b *Bucket) get(ctx context.Context, key, version, etag string, n int) (*Object, error) {
	in := b.getInput(key, version)
	in.IfMatch = optional(etag)
	in.Range = aws.String(fmt.Sprintf("bytes=0-%d", n-1))
	out, err := b.client.GetObject(ctx, in)
	if isEmpty(err) {
		in.Range = nil
		out, err = b.client.GetObject(ctx, in)
	}
	if err != nil {
		return nil, changed(etag, absent(version, awsclient.Classify(ctx, "GetObject", err)))
	}
	o := &Object{
		Info: Info{
			Key:      key,
			Size:     aws.ToInt64(out.ContentLength),
			Modified: aws.ToTime(out.LastModified),
			ETag:     aws.ToString(out.ETag),
			Version:  aws.ToString(out.VersionId),
		},
		bucket:  b,
		version: version,
		next:    aws.ToInt64(out.ContentLength),
	}
	if _, size, ok := strings.Cut(aws.ToString(out.ContentRange), "/"); ok {
		if o.Size, err = strconv.ParseInt(size, 10, 64); err != nil || o.Size < o.next {
			out.Body.Close()
			return nil, &awsclient.Error{Operation: "GetObject", Detail: "the answer does not tell the object's size"}
		}
	}
	o.ctx, o.cancel = context.WithCancel(ctx)
	o.current = &stream{object: o, body: out.Body, end: o.next, left: resumes}
	return o, nil
}

func (b *Bucket) getInput(key, version string) *s3.GetObjectInput {
	return &s3.GetObjectInput{
		Bucket:              &b.name,
		Key:                 &key,
		VersionId:           optional(version),
		ExpectedBucketOwner: b.owner,
	}
}

// absent makes a awsclient.ErrNotFound of the answers to a version that is none, or
// a deletion.
func absent(version string, err error) error {
	var e *awsclient.Error
	if version == "" || !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Status == http.StatusMethodNotAllowed:
		e.Kind, e.Detail = awsclient.ErrNotFound, "that version is a deletion"
	case e.Kind == awsclient.ErrNotFound, e.Code == "InvalidArgument":
		e.Kind, e.Detail = awsclient.ErrNotFound, "no such version"
	}
	return err
}

// isEmpty tells whether S3 has refused a range since the object has no bytes.
func isEmpty(err error) bool {
	var e *awsclient.Error
	return errors.As(awsclient.Classify(context.Background(), "GetObject", err), &e) && e.Code == "InvalidRange"
}

// changed makes of the failure of a request with an If-Match what it says of
// the object: that it is another one, or gone.
func changed(etag string, err error) error {
	var e *awsclient.Error
	if etag != "" && errors.As(err, &e) && (e.Kind == awsclient.ErrNotFound || e.Kind == awsclient.ErrConflict) {
		e.Kind, e.Detail = awsclient.ErrConflict, detailChanged
	}
	return err
}

const detailChanged = "the object changed while it was being read"

// Read reads the object's bytes. An error other than io.EOF is a *awsclient.Error,
// or the context's.
func (o *Object) Read(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	var n int
	switch {
	case o.current != nil:
		n, o.err = o.readCurrent(p)
	case len(o.ahead) > 0:
		n, o.err = o.readAhead(p)
	case o.next < o.Size:
		o.err = o.openNext()
	default:
		o.err = io.EOF
	}
	return n, o.err
}

func (o *Object) readCurrent(p []byte) (int, error) {
	n, err := o.current.Read(p)
	if o.current.at >= lead {
		o.widen()
	}
	if err == io.EOF {
		o.current.Close()
		o.current, err = nil, nil
	}
	return n, err
}

// widen begins to fetch ranges ahead, unless another object of the bucket is
// doing so: memory is bounded, however many objects are read.
func (o *Object) widen() {
	if o.wide || o.next >= o.Size || !o.bucket.wide.TryLock() {
		return
	}
	o.wide = true
	for range rangesAhead {
		o.fetch(nil)
	}
}

// openNext begins to read the next range as it comes.
func (o *Object) openNext() error {
	end := min(o.next+rangeSize, o.Size)
	s := &stream{object: o, at: o.next, end: end, left: resumes}
	if err := s.open(); err != nil {
		return err
	}
	o.current, o.next = s, end
	return nil
}

func (o *Object) readAhead(p []byte) (int, error) {
	s := o.ahead[0]
	<-s.fetched
	if s.err != nil {
		return 0, s.err
	}
	n := copy(p, s.bytes[s.read:])
	if s.read += n; s.read == len(s.bytes) {
		o.ahead = o.ahead[1:]
		o.fetch(s.bytes[:0])
	}
	return n, nil
}

// fetch sets out to fetch the next range, if there is one, into buf.
func (o *Object) fetch(buf []byte) {
	size := min(rangeSize, o.Size-o.next)
	if size <= 0 {
		return
	}
	if buf == nil {
		buf = make([]byte, 0, size)
	}
	s := &span{bytes: buf[:size], fetched: make(chan struct{})}
	from := &stream{object: o, at: o.next, end: o.next + size, left: resumes}
	o.next += size
	o.ahead = append(o.ahead, s)
	go func() {
		defer close(s.fetched)
		if s.err = from.open(); s.err == nil {
			_, s.err = io.ReadFull(from, s.bytes)
			from.Close()
		}
	}()
}

// Close ends the reading.
func (o *Object) Close() error {
	o.cancel()
	if o.current != nil {
		o.current.Close()
		o.current = nil
	}
	for _, s := range o.ahead {
		<-s.fetched
	}
	o.ahead = nil
	if o.wide {
		o.wide = false
		o.bucket.wide.Unlock()
	}
	return nil
}

// span is a range of an object that is fetched ahead.
type span struct {
	bytes   []byte
	read    int
	fetched chan struct{} // closed when bytes or err are there
	err     error
}

// stream is a range of an object as it comes.
type stream struct {
	object  *Object
	body    io.ReadCloser
	at, end int64
	left    int // resumes
}

// open asks for what is left of the range.
func (s *stream) open() error {
	o := s.object
	in := o.bucket.getInput(o.Key, o.version)
	in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", s.at, s.end-1))
	in.IfMatch = &o.ETag
	out, err := o.bucket.client.GetObject(o.ctx, in)
	if err != nil {
		return changed(o.ETag, awsclient.Classify(o.ctx, "GetObject", err))
	}
	s.body = out.Body
	want := fmt.Sprintf("bytes %d-%d/%d", s.at, s.end-1, o.Size)
	switch {
	case aws.ToString(out.ETag) != o.ETag:
		err = &awsclient.Error{Kind: awsclient.ErrConflict, Operation: "GetObject", Detail: detailChanged}
	case aws.ToString(out.ContentRange) != want:
		err = &awsclient.Error{Operation: "GetObject", Detail: "the server answered with another range than was asked for"}
	}
	if err != nil {
		s.Close()
	}
	return err
}

func (s *stream) Read(p []byte) (int, error) {
	for {
		n, err := s.body.Read(p)
		s.at += int64(n)
		switch {
		case s.at >= s.end:
			return n, io.EOF
		case n > 0, err == nil:
			return n, nil
		case err == io.EOF:
			err = io.ErrUnexpectedEOF
		}
		if err := s.resume(err); err != nil {
			return 0, err
		}
	}
}

func (s *stream) resume(cause error) error {
	failure := awsclient.Classify(s.object.ctx, "GetObject", cause)
	if s.left == 0 || !errors.Is(failure, awsclient.ErrUnreachable) {
		return failure
	}
	s.left--
	s.Close()
	return s.open()
}

func (s *stream) Close() error { return s.body.Close() }
