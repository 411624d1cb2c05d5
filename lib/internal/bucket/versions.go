package bucket

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"iter"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"microsecrets/lib/internal/awsclient"
)

// Version is one version of an object, or its deletion. The Version of its Info
// is "null" for what was written while the bucket kept no history.
type Version struct {
	Info
	Latest  bool
	Deleted bool // a deletion: Size and ETag are empty
}

// ListVersions lists every version and deletion of the keys that begin with
// prefix, by key in the order of their bytes, the newest first.
func (b *Bucket) ListVersions(ctx context.Context, prefix string) iter.Seq2[Version, error] {
	in := &s3.ListObjectVersionsInput{
		Bucket:              &b.name,
		Prefix:              &prefix,
		EncodingType:        types.EncodingTypeUrl,
		ExpectedBucketOwner: b.owner,
	}
	return func(yield func(Version, error) bool) {
		for more := true; more; {
			var page versionsPage
			out, err := b.client.ListObjectVersions(ctx, in, page.keep)
			if err != nil {
				yield(Version{}, awsclient.Classify(ctx, listVersions, err))
				return
			}
			for v, err := range page.versions() {
				if !yield(v, err) || err != nil {
					return
				}
			}
			more = aws.ToBool(out.IsTruncated)
			next, err := unescaped(aws.ToString(out.NextKeyMarker), string(out.EncodingType))
			if err == nil && more && (next == "" || next == aws.ToString(in.KeyMarker) && aws.ToString(out.NextVersionIdMarker) == aws.ToString(in.VersionIdMarker)) {
				err = &awsclient.Error{Operation: listVersions, Detail: "the answer cannot be used: it does not go on"}
			}
			if err != nil {
				yield(Version{}, err)
				return
			}
			in.KeyMarker, in.VersionIdMarker = &next, out.NextVersionIdMarker
		}
	}
}

// History is ListVersions of one key alone.
func (b *Bucket) History(ctx context.Context, key string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		for v, err := range b.ListVersions(ctx, key) {
			if err == nil && v.Key != key { // sorted: what begins with key comes behind it
				return
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

const listVersions = "ListObjectVersions"

// versionsPage is a page of the answer as S3 wrote it: the SDK sorts versions
// and deletions apart, and their times, in seconds, do not tell their order.
type versionsPage struct{ body bytes.Buffer }

// keep keeps what the SDK reads of a response.
func (p *versionsPage) keep(o *s3.Options) {
	tee := middleware.DeserializeMiddlewareFunc("KeepBody", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if r, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil {
			p.body.Reset()
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.TeeReader(r.Body, &p.body), r.Body}
		}
		return out, metadata, err
	})
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		return s.Deserialize.Add(tee, middleware.After)
	})
}

// versions are the entries of the page, in its order.
func (p *versionsPage) versions() iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		var answer struct {
			EncodingType string
			Entries      []struct {
				XMLName      xml.Name
				Key          string
				VersionID    string `xml:"VersionId"`
				IsLatest     bool
				LastModified time.Time
				ETag         string
				Size         int64
			} `xml:",any"`
		}
		if err := xml.Unmarshal(p.body.Bytes(), &answer); err != nil {
			yield(Version{}, &awsclient.Error{Operation: listVersions, Detail: "the answer cannot be read", Err: err})
			return
		}
		for _, e := range answer.Entries {
			deleted := e.XMLName.Local == "DeleteMarker"
			if !deleted && e.XMLName.Local != "Version" {
				continue
			}
			key, err := unescaped(e.Key, answer.EncodingType)
			if err != nil {
				yield(Version{}, err)
				return
			}
			v := Version{
				Info:    Info{Key: key, Size: e.Size, Modified: e.LastModified, ETag: e.ETag, Version: e.VersionID},
				Latest:  e.IsLatest,
				Deleted: deleted,
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}

// unescaped undoes the encoding of a key in an answer, which a server need not
// have done although it was asked to.
func unescaped(key, encoding string) (string, error) {
	if encoding != string(types.EncodingTypeUrl) {
		return key, nil
	}
	s, err := url.QueryUnescape(key)
	if err != nil {
		return "", &awsclient.Error{Operation: listVersions, Detail: "a key in the answer is not URL-encoded"}
	}
	return s, nil
}
