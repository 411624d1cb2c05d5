package bucket

import (
	"context"
	"iter"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"microsecrets/lib/cloud"
)

// Entry is a line of a listing: an object, or, where the listing has one level
// only, what several keys have in common up to the delimiter.
type Entry struct {
	Info
	Common bool // Key is a common prefix, its last byte the delimiter
}

// List lists the keys that begin with prefix, in the order of their bytes. With
// oneLevel, keys that go on behind a "/" after the prefix are one Entry. A page
// is asked for when the one before has been consumed.
func (b *Bucket) List(ctx context.Context, prefix string, oneLevel bool) iter.Seq2[Entry, error] {
	in := &s3.ListObjectsV2Input{
		Bucket:              &b.name,
		Prefix:              &prefix,
		EncodingType:        types.EncodingTypeUrl, // XML cannot carry every key
		ExpectedBucketOwner: b.owner,
	}
	if oneLevel {
		in.Delimiter = aws.String("/")
	}
	return func(yield func(Entry, error) bool) {
		pages := s3.NewListObjectsV2Paginator(b.client, in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Entry{}, cloud.Classify(ctx, "ListObjectsV2", err))
				return
			}
			for e, err := range entries(page) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// entries merges a page's objects and common prefixes, each of which S3 sorts.
func entries(page *s3.ListObjectsV2Output) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		objects, common := page.Contents, page.CommonPrefixes
		for len(objects)+len(common) > 0 {
			var e Entry
			var err error
			o, c := "", ""
			if len(objects) > 0 {
				if o, err = decoded(objects[0].Key); err != nil {
					yield(Entry{}, err)
					return
				}
			}
			if len(common) > 0 {
				if c, err = decoded(common[0].Prefix); err != nil {
					yield(Entry{}, err)
					return
				}
			}
			if len(common) > 0 && (len(objects) == 0 || c < o) {
				e = Entry{Info: Info{Key: c}, Common: true}
				common = common[1:]
			} else {
				e = Entry{Info: Info{
					Key:      o,
					Size:     aws.ToInt64(objects[0].Size),
					Modified: aws.ToTime(objects[0].LastModified),
					ETag:     aws.ToString(objects[0].ETag),
				}}
				objects = objects[1:]
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

func decoded(key *string) (string, error) {
	s, err := url.QueryUnescape(aws.ToString(key))
	if err != nil {
		return "", &cloud.Error{Operation: "ListObjectsV2", Detail: "a key in the answer is not URL-encoded"}
	}
	return s, nil
}
