package fakeaws_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/fakeaws/fakeawstest"
)

// The server must not be what is measured when the programs are: these are its
// own rates, client included.

func BenchmarkPut(b *testing.B) {
	s := fakeawstest.Start(b)
	s.Do("bucket " + bucket + " unversioned")
	c := s3Client(s)
	data := make([]byte, 64<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: bytes.NewReader(data)})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	s := fakeawstest.Start(b)
	c := s3Client(s)
	put(b, c, "k", string(make([]byte, 64<<20)))
	b.SetBytes(64 << 20)
	for b.Loop() {
		out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, out.Body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPage is one page of a thousand names of a million, as bytes, since
// the SDK's decoding takes longer.
func BenchmarkPage(b *testing.B) {
	s := fakeawstest.Start(b)
	s.Do("fill 1000000 svc/")
	for b.Loop() {
		if got := raw(b, s, "GET", "/"+bucket+"?list-type=2&start-after=svc%2F000500000", emptyHash, "", nil); got != "200" {
			b.Fatal(got)
		}
	}
}

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
