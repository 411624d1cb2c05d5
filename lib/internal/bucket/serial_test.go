package bucket

import (
	"context"
	"iter"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// serial lists as the SDK does, page after page: what List is held to, and
// measured against.
func serial(t testing.TB, b *Bucket, prefix, delimiter string) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		in := &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix, EncodingType: types.EncodingTypeUrl}
		if delimiter != "" {
			in.Delimiter = &delimiter
		}
		pages := s3.NewListObjectsV2Paginator(b.client, in)
		for pages.HasMorePages() {
			out, err := pages.NextPage(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			var entries []Entry
			for _, o := range out.Contents {
				entries = append(entries, Entry{Info: Info{
					Key: unescape(t, o.Key), Size: *o.Size, Modified: *o.LastModified, ETag: *o.ETag,
				}})
			}
			for _, c := range out.CommonPrefixes {
				entries = append(entries, Entry{Info: Info{Key: unescape(t, c.Prefix)}, Common: true})
			}
			slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
			for _, e := range entries {
				if !yield(e) {
					return
				}
			}
		}
	}
}

func unescape(t testing.TB, key *string) string {
	s, err := url.QueryUnescape(aws.ToString(key))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
