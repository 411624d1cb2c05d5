package bucket

import (
	"context"
	"iter"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"microsecrets/lib/internal/awsclient"
)

// ListVersions lists every version and deletion of the keys that begin with
// prefix, by key in the order of their bytes, the newest first.
func (b *Bucket) ListVersions(ctx context.Context, prefix string) iter.Seq2[Entry, error] {
	return entries(func(yield func(page, error) bool) {
		in := &s3.ListObjectVersionsInput{
			Bucket:              &b.name,
			Prefix:              &prefix,
			EncodingType:        types.EncodingTypeUrl,
			ExpectedBucketOwner: b.owner,
		}
		for p := (page{more: true}); p.more; {
			asked := p.next
			in.KeyMarker, in.VersionIdMarker = optional(asked.key), optional(asked.version)
			_, err := b.client.ListObjectVersions(ctx, in, p.fetch)
			if err == nil {
				err = p.check(listVersions, prefix, asked)
			}
			if err != nil {
				yield(page{}, awsclient.Classify(ctx, listVersions, err, b.facts("")))
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	})
}

const listVersions = "ListObjectVersions"

// History is ListVersions of one key alone.
func (b *Bucket) History(ctx context.Context, key string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range b.ListVersions(ctx, key) {
			if err == nil && e.Key != key { // the keys that key is the beginning of come after it
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}
