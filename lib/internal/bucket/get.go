package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
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

	// prefetched is how many ranges are in memory, the one being read among them.
	prefetched = 3

	// prefetchAfter is how many bytes are read before ranges are prefetched:
	// whoever stops after a message's header has fetched no more than a range.
	prefetchAfter = 128 << 10

	// resumes is how often a range is resumed after its connection broke: as many
	// tries in all as the SDK gives a request.
	resumes = 2

	// sizeMax bounds the size that a server may claim, in bytes: twenty times what
	// S3 keeps in an object.
	sizeMax = 1 << 50
)

const (
	getObject  = "GetObject"
	headObject = "HeadObject"
)

// Object is an object that is being read, in order; of a large one several
// ranges are fetched side by side. All of its bytes are of one version: if the
// object changes meanwhile, reading it fails with an awsclient.ErrConflict. A
// connection that breaks is resumed where it broke.
type Object struct {
	Info
	ctx    context.Context
	cancel context.CancelFunc
	bucket *Bucket
	err    error // of every Read from now on

	version     string   // that was asked for
	current     *stream  // a range that is read as it comes
	waiting     []*chunk // the ranges that follow it, in order
	next        int64    // where the range after those begins
	prefetching bool     // has the bucket's memory for prefetched ranges
}

// Get begins to read a version of an object, or the latest; the caller closes
// it. An absent one, or a deletion, is an awsclient.ErrNotFound.
func (b *Bucket) Get(ctx context.Context, key, version string) (*Object, error) {
	return b.get(ctx, getObject, key, version, "", rangeSize)
}

// Again begins to read the object once more, from its start, on condition that
// it has not changed: else the error is an awsclient.ErrConflict.
func (o *Object) Again(ctx context.Context) (*Object, error) {
	if o.ETag == "" {
		return nil, errNoETag
	}
	return o.bucket.get(ctx, getObject, o.Key, o.version, o.ETag, rangeSize)
}

var errNoETag = awsclient.Unusable(getObject, "the server gives no ETag, so no two requests can be held to one object")

// Peek reads the first n bytes, or all if it is shorter, of a version of an
// object, or of the latest.
func (b *Bucket) Peek(ctx context.Context, key, version string, n int) ([]byte, Info, error) {
	return b.peek(ctx, getObject, key, version, n)
}

func (b *Bucket) peek(ctx context.Context, op, key, version string, n int) ([]byte, Info, error) {
	o, err := b.get(ctx, op, key, version, "", n)
	if err != nil {
		return nil, Info{}, err
	}
	defer o.Close()
	head, err := io.ReadAll(io.LimitReader(o, int64(n)))
	return head, o.Info, err
}

// get begins with the first n bytes of an object. Errors name the operation op.
func (b *Bucket) get(ctx context.Context, op, key, version, etagBefore string, n int) (*Object, error) {
	in := b.getInput(key, version, etagBefore)
	in.Range = aws.String(fmt.Sprintf("bytes=0-%d", n-1))
	out, err := b.client.GetObject(ctx, in)
	facts := b.facts(version)
	if etagBefore != "" {
		facts.Precondition = awsclient.WhileReading
	}
	err = awsclient.Classify(ctx, op, err, facts)
	var e *awsclient.Error
	if errors.As(err, &e) && e.Code == "InvalidRange" { // an object of no bytes
		in.Range = nil
		out, err = b.client.GetObject(ctx, in)
		err = awsclient.Classify(ctx, op, err, facts)
	}
	if err != nil {
		return nil, err
	}
	first, size, err := extent(out)
	if err != nil {
		out.Body.Close()
		return nil, err
	}
	o := &Object{
		Info: Info{
			Key:      key,
			Size:     size,
			Modified: aws.ToTime(out.LastModified),
			ETag:     etag(out.ETag),
			Version:  aws.ToString(out.VersionId),
			Age:      age(out.LastModified, out.ResultMetadata),
		},
		bucket:  b,
		version: version,
		next:    first,
	}
	o.ctx, o.cancel = context.WithCancel(ctx)
	o.current = &stream{object: o, body: out.Body, end: first, resumes: resumes}
	return o, nil
}

func (b *Bucket) getInput(key, version, etagBefore string) *s3.GetObjectInput {
	return &s3.GetObjectInput{
		Bucket:              &b.name,
		Key:                 &key,
		VersionId:           optional(version),
		ExpectedBucketOwner: b.owner,
		IfMatch:             optional(etagBefore),
	}
}

// extent is how many bytes the answer to a first range holds, and the object. A
// server that sends the whole object need not say how long it is: both are then
// -1.
func extent(out *s3.GetObjectOutput) (first, size int64, err error) {
	if out.ContentRange == nil {
		if out.ContentLength == nil {
			return -1, -1, nil
		}
		if *out.ContentLength > sizeMax {
			return 0, 0, awsclient.Unusable(getObject, "the server answered with a size that no object has")
		}
		return *out.ContentLength, *out.ContentLength, nil
	}
	span, total, _ := strings.Cut(strings.TrimPrefix(*out.ContentRange, "bytes "), "/")
	last, ok := strings.CutPrefix(span, "0-")
	end, errEnd := strconv.ParseInt(last, 10, 64)
	size, errSize := strconv.ParseInt(total, 10, 64)
	if !ok || errEnd != nil || errSize != nil || end < 0 || size <= end || size > sizeMax {
		return 0, 0, awsclient.Unusable(getObject, "the server answered with another range than was asked for")
	}
	return end + 1, size, nil
}

// Read reads the object's bytes. An error other than io.EOF is an
// *awsclient.Error, or the context's.
func (o *Object) Read(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	var n int
	switch {
	case o.current != nil:
		n, o.err = o.readCurrent(p)
	case len(o.waiting) > 0:
		n, o.err = o.readPrefetched(p)
	case o.next < o.Size:
		o.err = o.openNext()
	default:
		o.err = io.EOF
	}
	return n, o.err
}

func (o *Object) readCurrent(p []byte) (int, error) {
	n, err := o.current.Read(p)
	if o.current.at >= prefetchAfter {
		o.prefetch()
	}
	if err == io.EOF {
		o.current.Close()
		o.current, err = nil, nil
	}
	return n, err
}

// prefetch begins to fetch ranges in advance, unless another object of the bucket
// is doing so: memory is bounded, however many objects are read.
func (o *Object) prefetch() {
	if o.prefetching || o.next >= o.Size {
		return
	}
	select {
	case o.bucket.prefetching <- struct{}{}:
		o.prefetching = true
	default:
		return
	}
	for range prefetched {
		o.fetch(nil)
	}
}

// openNext begins to read the next range as it comes.
func (o *Object) openNext() error {
	end := min(o.next+rangeSize, o.Size)
	s := &stream{object: o, at: o.next, end: end, resumes: resumes}
	if err := s.open(); err != nil {
		return err
	}
	o.current, o.next = s, end
	return nil
}

func (o *Object) readPrefetched(p []byte) (int, error) {
	c := o.waiting[0]
	<-c.fetched
	if c.err != nil {
		return 0, c.err
	}
	n := copy(p, c.bytes[c.read:])
	if c.read += n; c.read == len(c.bytes) {
		o.waiting = o.waiting[1:]
		o.fetch(c.bytes[:0])
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
	c := &chunk{bytes: buf[:size], fetched: make(chan struct{})}
	from := &stream{object: o, at: o.next, end: o.next + size, resumes: resumes}
	o.next += size
	o.waiting = append(o.waiting, c)
	go func() {
		defer close(c.fetched)
		if c.err = from.open(); c.err == nil {
			_, c.err = io.ReadFull(from, c.bytes)
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
	for _, c := range o.waiting {
		<-c.fetched
	}
	o.waiting = nil
	if o.prefetching {
		o.prefetching = false
		<-o.bucket.prefetching
	}
	return nil
}

// chunk is a range of an object that is prefetched.
type chunk struct {
	bytes   []byte
	read    int
	fetched chan struct{} // closed when bytes or err are there
	err     error
}

// stream is a range of an object as it comes.
type stream struct {
	object  *Object
	body    io.ReadCloser
	at, end int64 // end is -1 where the server did not say
	resumes int   // that are left
}

// open asks for what is left of the range.
func (s *stream) open() error {
	o := s.object
	if o.ETag == "" {
		return errNoETag
	}
	in := o.bucket.getInput(o.Key, o.version, o.ETag)
	in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", s.at, s.end-1))
	out, err := o.bucket.client.GetObject(o.ctx, in)
	facts := o.bucket.facts(o.version)
	facts.Precondition = awsclient.WhileReading
	if err != nil {
		return awsclient.Classify(o.ctx, getObject, err, facts)
	}
	s.body = out.Body
	want := fmt.Sprintf("bytes %d-%d/%d", s.at, s.end-1, o.Size)
	switch {
	case etag(out.ETag) != o.ETag:
		err = awsclient.Changed(getObject)
	case aws.ToString(out.ContentRange) != want:
		err = awsclient.Unusable(getObject, "the server answered with another range than was asked for")
	}
	if err != nil {
		s.Close()
	}
	return err
}

func (s *stream) Read(p []byte) (int, error) {
	if s.end >= 0 {
		p = p[:min(int64(len(p)), s.end-s.at)]
	}
	for {
		n, err := s.body.Read(p)
		s.at += int64(n)
		switch {
		case s.at == s.end, s.end < 0 && err == io.EOF:
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
	failure := awsclient.Classify(s.object.ctx, getObject, cause, s.object.bucket.facts(""))
	if s.resumes == 0 || s.end < 0 || awsclient.Stalled(cause) || !errors.Is(failure, awsclient.ErrUnreachable) {
		return failure
	}
	s.resumes--
	s.Close()
	return s.open()
}

func (s *stream) Close() error { return s.body.Close() }
