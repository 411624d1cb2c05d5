package fakeaws_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
)

var ctx = context.Background()

func TestVersions(t *testing.T) {
	s := fakeawstest.Start(t)
	c := s3Client(s)
	b, k := aws.String(bucket), aws.String("k")
	first, second := put(t, c, "k", "one"), put(t, c, "k", "two")
	if got, out := get(t, c, &s3.GetObjectInput{Key: k}); got != "two" || *out.VersionId != *second.VersionId {
		t.Errorf("latest is %q", got)
	}
	if got, out := get(t, c, &s3.GetObjectInput{Key: k, VersionId: first.VersionId}); got != "one" || *out.VersionId != *first.VersionId || *out.ETag != *first.ETag {
		t.Errorf("the first version is %q", got)
	}
	gone, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: k})
	if err != nil || !*gone.DeleteMarker || *gone.VersionId == *second.VersionId {
		t.Fatalf("delete: %+v, %v", gone, err)
	}

	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: k})
	want(t, "get of what is deleted", err, "404 NoSuchKey")
	if h := responseHeader(err); h.Get("X-Amz-Delete-Marker") != "true" || h.Get("X-Amz-Version-Id") != *gone.VersionId {
		t.Errorf("headers of a delete marker: %v", h)
	}
	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: k, VersionId: gone.VersionId})
	want(t, "get of a delete marker", err, "405 MethodNotAllowed")
	_, err = c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: k, VersionId: gone.VersionId})
	if outcome(err)[:3] != "405" {
		t.Errorf("head of a delete marker: %v", err)
	}
	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: k, VersionId: aws.String(strings.Repeat("x", 32))})
	want(t, "get of an unknown version", err, "404 NoSuchVersion")
	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: k, VersionId: aws.String("x")})
	want(t, "get of no version", err, "400 InvalidArgument")

	list, err := c.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: b})
	if err != nil || len(list.Versions) != 2 || *list.Versions[0].VersionId != *second.VersionId || *list.Versions[0].IsLatest ||
		len(list.DeleteMarkers) != 1 || !*list.DeleteMarkers[0].IsLatest {
		t.Errorf("versions: %+v, %v", list, err)
	}

	undone, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: k, VersionId: gone.VersionId})
	if err != nil || !*undone.DeleteMarker || *undone.VersionId != *gone.VersionId {
		t.Errorf("delete of a delete marker: %+v, %v", undone, err)
	}
	if got, _ := get(t, c, &s3.GetObjectInput{Key: k}); got != "two" {
		t.Errorf("after the marker: %q", got)
	}
	for _, v := range []*string{first.VersionId, second.VersionId, second.VersionId} {
		_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: k, VersionId: v})
		want(t, "delete of a version", err, "ok")
	}
	if left := s.Do("versions"); left != "" {
		t.Errorf("left: %s", left)
	}
}

func responseHeader(err error) http.Header {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) {
		return nil
	}
	return response.Response.Header
}

func TestVersioningStates(t *testing.T) {
	for _, row := range []struct{ state, putID, deleted, left string }{
		{"unversioned", "", "", ""},
		{"suspended", "null", "null", "k null 0 latest-deleted\n"},
	} {
		t.Run(row.state, func(t *testing.T) {
			s := fakeawstest.Start(t)
			s.Do("bucket " + bucket + " " + row.state)
			c := s3Client(s)
			put(t, c, "k", "one")
			if out := put(t, c, "k", "two"); aws.ToString(out.VersionId) != row.putID {
				t.Errorf("put says version %q", aws.ToString(out.VersionId))
			}
			if got := s.Do("versions"); got != "k null 3 latest\n" {
				t.Errorf("versions: %s", got)
			}
			out, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
			if err != nil || aws.ToString(out.VersionId) != row.deleted {
				t.Errorf("delete says version %q, %v", aws.ToString(out.VersionId), err)
			}
			if got := s.Do("versions"); got != row.left {
				t.Errorf("left: %s", got)
			}
		})
	}
	t.Run("suspended later", func(t *testing.T) {
		s := fakeawstest.Start(t)
		c := s3Client(s)
		put(t, c, "k", "one")
		_, err := c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String(bucket), VersioningConfiguration: &types.VersioningConfiguration{Status: "Suspended"}})
		want(t, "PutBucketVersioning", err, "ok")
		put(t, c, "k", "two")
		put(t, c, "k", "three")
		lines := strings.Split(s.Do("versions"), "\n")
		if len(lines) != 3 || lines[0] != "k null 5 latest" || !strings.HasSuffix(lines[1], " 3 old") {
			t.Errorf("versions: %q", lines)
		}
	})
}

func TestRanges(t *testing.T) {
	s := fakeawstest.Start(t)
	c := s3Client(s)
	text := "0123456789"
	made := put(t, c, "k", text)
	for _, row := range []struct{ header, want, contentRange string }{
		{"bytes=0-3", "0123", "bytes 0-3/10"},
		{"bytes=8-", "89", "bytes 8-9/10"},
		{"bytes=-1", "9", "bytes 9-9/10"},
		{"bytes=5-99", "56789", "bytes 5-9/10"},
	} {
		got, out := get(t, c, &s3.GetObjectInput{Key: aws.String("k"), Range: &row.header, IfMatch: made.ETag})
		if got != row.want || *out.ContentRange != row.contentRange {
			t.Errorf("%s: %q, %s", row.header, got, *out.ContentRange)
		}
	}
	_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Range: aws.String("bytes=10-")})
	want(t, "a range after the end", err, "416 InvalidRange")
	put(t, c, "k", text+"!")
	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Range: aws.String("bytes=0-3"), IfMatch: made.ETag})
	want(t, "a range of another version", err, "412 PreconditionFailed")
}

// keys lists all pages and returns names, with common prefixes in brackets.
func keys(t *testing.T, c *s3.Client, in *s3.ListObjectsV2Input) (all []string, pages int) {
	t.Helper()
	in.Bucket = aws.String(bucket)
	for p := s3.NewListObjectsV2Paginator(c, in); p.HasMorePages(); pages++ {
		out, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out.Contents {
			key := *o.Key
			if in.EncodingType == "url" {
				key, _ = url.QueryUnescape(key)
			}
			all = append(all, key)
		}
		for _, p := range out.CommonPrefixes {
			all = append(all, "["+*p.Prefix+"]")
		}
	}
	slices.Sort(all)
	return all, pages
}

func TestList(t *testing.T) {
	s := fakeawstest.Start(t)
	c := s3Client(s)
	for _, key := range []string{"a", "a/b", "a/b/c", "a/d", "b/", "b/x", "c+d e", "c/deleted", "z"} {
		s.Do("write '" + key + "' x")
	}
	s.Do("rm c/deleted")
	for _, row := range []struct {
		name  string
		in    s3.ListObjectsV2Input
		want  string
		pages int
	}{
		{"all", s3.ListObjectsV2Input{}, "a a/b a/b/c a/d b/ b/x c+d·e z", 1},
		{"paged", s3.ListObjectsV2Input{MaxKeys: aws.Int32(3)}, "a a/b a/b/c a/d b/ b/x c+d·e z", 3},
		{"exact page", s3.ListObjectsV2Input{MaxKeys: aws.Int32(4)}, "a a/b a/b/c a/d b/ b/x c+d·e z", 2},
		{"prefix", s3.ListObjectsV2Input{Prefix: aws.String("a/")}, "a/b a/b/c a/d", 1},
		{"delimiter", s3.ListObjectsV2Input{Delimiter: aws.String("/")}, "[a/] [b/] a c+d·e z", 1},
		{"delimiter, paged", s3.ListObjectsV2Input{Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)}, "[a/] [b/] a c+d·e z", 5},
		{"delimiter and prefix", s3.ListObjectsV2Input{Delimiter: aws.String("/"), Prefix: aws.String("a/")}, "[a/b/] a/b a/d", 1},
		{"start after", s3.ListObjectsV2Input{StartAfter: aws.String("a/b")}, "a/b/c a/d b/ b/x c+d·e z", 1},
		{"start after, in a common prefix", s3.ListObjectsV2Input{StartAfter: aws.String("a/b"), Delimiter: aws.String("/")}, "[a/] [b/] c+d·e z", 1},
		{"start after, before a common prefix", s3.ListObjectsV2Input{StartAfter: aws.String("a"), Delimiter: aws.String("/")}, "[a/] [b/] c+d·e z", 1},
		{"start after the end", s3.ListObjectsV2Input{StartAfter: aws.String("zz")}, "", 1},
		{"encoded", s3.ListObjectsV2Input{EncodingType: "url", Prefix: aws.String("c")}, "c+d·e", 1},
		{"none", s3.ListObjectsV2Input{Prefix: aws.String("nothing")}, "", 1},
	} {
		got, pages := keys(t, c, &row.in)
		if g := strings.ReplaceAll(strings.Join(got, "\n"), " ", "·"); strings.ReplaceAll(g, "\n", " ") != row.want || pages != row.pages {
			t.Errorf("%s: %d pages, %q", row.name, pages, got)
		}
	}
	s.Do("fill 2500 many/")
	if got, pages := keys(t, c, &s3.ListObjectsV2Input{Prefix: aws.String("many/"), MaxKeys: aws.Int32(5000)}); len(got) != 2500 || pages != 3 {
		t.Errorf("%d keys on %d pages", len(got), pages)
	}
	_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), ContinuationToken: aws.String("?")})
	want(t, "a token that is none", err, "400 InvalidArgument")
}

func TestControlCharactersInKeys(t *testing.T) {
	s := fakeawstest.Start(t)
	if _, err := s.Control("", "write", "a\x01\r\n<&>\"b", "x"); err != nil {
		t.Fatal(err)
	}
	got, _ := keys(t, s3Client(s), &s3.ListObjectsV2Input{EncodingType: "url"})
	if !slices.Equal(got, []string{"a\x01\r\n<&>\"b"}) {
		t.Errorf("%q", got)
	}
}

func TestListVersionsPaged(t *testing.T) {
	s := fakeawstest.Start(t)
	c := s3Client(s)
	s.Do("write a 1", "write a 2", "rm a", "write b 1", "write c/x 1", "write c/y 1", "write d 1", "write d 2")
	for max := int32(1); max < 10; max++ {
		var got []string
		in := &s3.ListObjectVersionsInput{Bucket: aws.String(bucket), MaxKeys: &max}
		for p := s3.NewListObjectVersionsPaginator(c, in); p.HasMorePages(); {
			out, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range out.Versions {
				got = append(got, *v.Key)
			}
			for _, v := range out.DeleteMarkers {
				got = append(got, "-"+*v.Key)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != "-a a a b c/x c/y d d" {
			t.Errorf("%d a page: %q", max, got)
		}
	}
	out, err := c.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: aws.String(bucket), Delimiter: aws.String("/"), KeyMarker: aws.String("b")})
	if err != nil || len(out.CommonPrefixes) != 1 || *out.CommonPrefixes[0].Prefix != "c/" || len(out.Versions) != 2 {
		t.Errorf("with a delimiter: %+v, %v", out, err)
	}
}

func TestDeleteObjects(t *testing.T) {
	s := fakeawstest.Start(t)
	s.Do("write a x", "write b x", "write c x", "deny s3:DeleteObject c")
	id := func(key string) types.ObjectIdentifier { return types.ObjectIdentifier{Key: &key} }
	changed := id("b")
	changed.ETag = aws.String("other")
	out, err := s3Client(s).DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String(bucket),
		Delete: &types.Delete{Objects: []types.ObjectIdentifier{id("a"), changed, id("c"), id("absent")}}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range out.Deleted {
		got = append(got, *d.Key)
	}
	for _, e := range out.Errors {
		got = append(got, *e.Key+" "+*e.Code)
	}
	if strings.Join(got, ", ") != "a, absent, b PreconditionFailed, c AccessDenied" {
		t.Errorf("%q", got)
	}
	if left := s.Do("ls"); left != "b\nc\n" {
		t.Errorf("left: %s", left)
	}
}

func TestCopyObject(t *testing.T) {
	s := fakeawstest.Start(t)
	c := s3Client(s)
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("a"), Body: strings.NewReader("one"),
		Metadata: map[string]string{"kind": "test"}, ContentType: aws.String("text/plain")})
	want(t, "PutObject", err, "ok")
	out, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("b c"), CopySource: aws.String(bucket + "/a")})
	if err != nil || *out.CopyObjectResult.ETag != `"f97c5d29941bfb1b2fdab0874906ab82"` {
		t.Fatalf("%+v, %v", out, err)
	}
	got, meta := get(t, c, &s3.GetObjectInput{Key: aws.String("b c")})
	if got != "one" || meta.Metadata["kind"] != "test" || *meta.ContentType != "text/plain" {
		t.Errorf("%q, %v, %s", got, meta.Metadata, *meta.ContentType)
	}
	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("b"), CopySource: aws.String(bucket + "/absent")})
	want(t, "copy of nothing", err, "404 NoSuchKey")
}

// bigPart is the least that is not a last part, and a byte.
var bigPart = bytes.Repeat([]byte("0123456789abcdef"), 5<<16)

func upload(t *testing.T, c *s3.Client, alg types.ChecksumAlgorithm, sumType types.ChecksumType, parts ...[]byte) (*s3.CompleteMultipartUploadInput, *s3.CreateMultipartUploadOutput) {
	t.Helper()
	b, k := aws.String(bucket), aws.String("k")
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: k, ChecksumAlgorithm: alg, ChecksumType: sumType})
	if err != nil {
		t.Fatal(err)
	}
	in := &s3.CompleteMultipartUploadInput{Bucket: b, Key: k, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{}}
	for i, data := range parts {
		n := aws.Int32(int32(i + 1))
		out, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: k, UploadId: up.UploadId, PartNumber: n, Body: bytes.NewReader(data), ChecksumAlgorithm: alg})
		if err != nil {
			t.Fatal(err)
		}
		in.MultipartUpload.Parts = append(in.MultipartUpload.Parts, types.CompletedPart{PartNumber: n, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32,
			ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME, ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256})
	}
	return in, up
}

func TestMultipart(t *testing.T) {
	last := []byte("the end")
	whole := slices.Concat(bigPart, bigPart, last)
	part := md5.Sum(bigPart)
	end := md5.Sum(last)
	all := md5.Sum(slices.Concat(part[:], part[:], end[:]))
	etag := `"` + hex.EncodeToString(all[:]) + `-3"`
	for _, row := range []struct {
		alg     types.ChecksumAlgorithm
		sumType types.ChecksumType
		suffix  string
	}{{"CRC32", "", "-3"}, {"CRC32", "FULL_OBJECT", "="}, {"CRC32C", "COMPOSITE", "-3"}, {"CRC64NVME", "", "="}, {"SHA1", "", "-3"}, {"SHA256", "", "-3"}} {
		t.Run(string(row.alg+" ")+string(row.sumType), func(t *testing.T) {
			s := fakeawstest.Start(t)
			c := s3Client(s)
			in, _ := upload(t, c, row.alg, row.sumType, bigPart, bigPart, last)
			out, err := c.CompleteMultipartUpload(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			sum := aws.ToString(out.ChecksumCRC32) + aws.ToString(out.ChecksumCRC32C) + aws.ToString(out.ChecksumCRC64NVME) + aws.ToString(out.ChecksumSHA1) + aws.ToString(out.ChecksumSHA256)
			if *out.ETag != etag || !strings.HasSuffix(sum, row.suffix) || aws.ToString(out.VersionId) == "" {
				t.Errorf("etag %s, checksum %s", *out.ETag, sum)
			}
			// The client verifies a checksum of the whole.
			if got, _ := get(t, c, &s3.GetObjectInput{Key: aws.String("k"), ChecksumMode: "ENABLED"}); got != string(whole) {
				t.Error("other bytes came back")
			}
			got, parted := get(t, c, &s3.GetObjectInput{Key: aws.String("k"), PartNumber: aws.Int32(3)})
			if got != string(last) || *parted.PartsCount != 3 {
				t.Errorf("the third part is %q of %d", got, *parted.PartsCount)
			}
			if left := s.Do("uploads"); left != "" {
				t.Errorf("left: %s", left)
			}
			_, err = c.CompleteMultipartUpload(ctx, in)
			want(t, "a second completion", err, "404 NoSuchUpload")
		})
	}
}

func TestMultipartRefused(t *testing.T) {
	s := fakeawstest.Start(t)
	c := s3Client(s)
	for _, row := range []struct {
		name, want string
		parts      [][]byte
		change     func(*s3.CompleteMultipartUploadInput)
	}{
		{"small part", "400 EntityTooSmall", [][]byte{bigPart[1:], []byte("x")}, func(*s3.CompleteMultipartUploadInput) {}},
		{"small last part", "ok", [][]byte{bigPart, []byte("x")}, func(*s3.CompleteMultipartUploadInput) {}},
		{"empty part alone", "ok", [][]byte{{}}, func(*s3.CompleteMultipartUploadInput) {}},
		{"order", "400 InvalidPartOrder", [][]byte{bigPart, bigPart}, func(in *s3.CompleteMultipartUploadInput) { slices.Reverse(in.MultipartUpload.Parts) }},
		{"twice", "400 InvalidPartOrder", [][]byte{bigPart, bigPart}, func(in *s3.CompleteMultipartUploadInput) { in.MultipartUpload.Parts[1] = in.MultipartUpload.Parts[0] }},
		{"etag", "400 InvalidPart", [][]byte{bigPart}, func(in *s3.CompleteMultipartUploadInput) { in.MultipartUpload.Parts[0].ETag = aws.String("x") }},
		{"checksum", "400 InvalidPart", [][]byte{bigPart}, func(in *s3.CompleteMultipartUploadInput) {
			in.MultipartUpload.Parts[0].ChecksumCRC32 = aws.String("AAAAAA==")
		}},
		{"number", "400 InvalidPart", [][]byte{bigPart}, func(in *s3.CompleteMultipartUploadInput) { in.MultipartUpload.Parts[0].PartNumber = aws.Int32(7) }},
		{"none", "400 MalformedXML", nil, func(*s3.CompleteMultipartUploadInput) {}},
		{"size", "400 InvalidRequest", [][]byte{bigPart}, func(in *s3.CompleteMultipartUploadInput) { in.MpuObjectSize = aws.Int64(1) }},
		{"left out", "ok", [][]byte{bigPart, bigPart, bigPart}, func(in *s3.CompleteMultipartUploadInput) {
			in.MultipartUpload.Parts = slices.Delete(in.MultipartUpload.Parts, 1, 2)
		}},
	} {
		in, _ := upload(t, c, "CRC32", "", row.parts...)
		row.change(in)
		_, err := c.CompleteMultipartUpload(ctx, in)
		want(t, row.name, err, row.want)
		if err == nil {
			continue
		}
		if left := s.Do("uploads"); !strings.HasSuffix(left, fmt.Sprintf(" %d\n", len(row.parts))) {
			t.Errorf("%s: left: %s", row.name, left)
		}
		_, err = c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId})
		want(t, row.name+": abort", err, "ok")
		_, err = c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId})
		want(t, row.name+": abort again", err, "404 NoSuchUpload")
	}
}

func TestUploadPartCopy(t *testing.T) {
	s := fakeawstest.Start(t)
	c := s3Client(s)
	put(t, c, "source", "0123456789")
	in, _ := upload(t, c, "CRC32", "", bigPart)
	out, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, PartNumber: aws.Int32(2),
		CopySource: aws.String(bucket + "/source"), CopySourceRange: aws.String("bytes=3-5")})
	if err != nil {
		t.Fatal(err)
	}
	in.MultipartUpload.Parts = append(in.MultipartUpload.Parts, types.CompletedPart{PartNumber: aws.Int32(2), ETag: out.CopyPartResult.ETag,
		ChecksumCRC32: out.CopyPartResult.ChecksumCRC32})
	if _, err := c.CompleteMultipartUpload(ctx, in); err != nil {
		t.Fatal(err)
	}
	if got, _ := get(t, c, &s3.GetObjectInput{Key: aws.String("k"), PartNumber: aws.Int32(2)}); got != "345" {
		t.Errorf("%q", got)
	}
}

func TestListMultipartUploads(t *testing.T) {
	s := fakeawstest.Start(t)
	c := s3Client(s)
	for _, key := range []string{"b", "a/1", "a/2", "a/1"} {
		_, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: &key})
		want(t, "CreateMultipartUpload", err, "ok")
	}
	var got []string
	for p := s3.NewListMultipartUploadsPaginator(c, &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket), MaxUploads: aws.Int32(1)}); p.HasMorePages(); {
		out, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range out.Uploads {
			got = append(got, *u.Key)
		}
	}
	if strings.Join(got, " ") != "a/1 a/1 a/2 b" {
		t.Errorf("%q", got)
	}
}

func TestListParts(t *testing.T) {
	s := fakeawstest.Start(t, "write k x")
	c := s3Client(s)
	begun, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	in := &s3.ListPartsInput{Bucket: aws.String(bucket), Key: aws.String("k"), UploadId: begun.UploadId, MaxParts: aws.Int32(1)}
	for _, n := range []int32{7, 2, 3} {
		_, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, PartNumber: &n, Body: strings.NewReader(strings.Repeat("x", int(n)))})
		want(t, "UploadPart", err, "ok")
	}
	var got []string
	for p := s3.NewListPartsPaginator(c, in); p.HasMorePages(); {
		out, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range out.Parts {
			got = append(got, fmt.Sprint(*part.PartNumber, *part.Size, *part.ETag != ""))
		}
	}
	if strings.Join(got, ", ") != "2 2 true, 3 3 true, 7 7 true" {
		t.Errorf("%q", got)
	}
	in.UploadId = aws.String("none")
	_, err = c.ListParts(ctx, in)
	want(t, "of no upload", err, "404 NoSuchUpload")
}

// Every way to send a body that the SDK has, and each lie about it.
func TestChecksums(t *testing.T) {
	s := fakeawstest.Start(t)
	for _, alg := range types.ChecksumAlgorithm("").Values() {
		if !slices.Contains([]types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"}, alg) {
			continue
		}
		c := s3Client(s)
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("text"), ChecksumAlgorithm: alg})
		want(t, string(alg), err, "ok")
		if got, out := get(t, c, &s3.GetObjectInput{Key: aws.String("k"), ChecksumMode: "ENABLED"}); got != "text" || out.ChecksumType != "FULL_OBJECT" {
			t.Errorf("%s: %q, %s", alg, got, out.ChecksumType)
		}
	}
	for _, row := range []struct {
		name, want string
		change     func(*s3.PutObjectInput)
	}{
		{"crc32", "400 BadDigest", func(in *s3.PutObjectInput) { in.ChecksumCRC32 = aws.String("AAAAAA==") }},
		{"sha256", "400 BadDigest", func(in *s3.PutObjectInput) {
			in.ChecksumSHA256 = aws.String("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
		}},
		{"md5", "400 BadDigest", func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String("AAAAAAAAAAAAAAAAAAAAAA==") }},
		{"md5, right", "ok", func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String("HLJR7A1WjeapKbUgxK7Y0Q==") }},
		{"md5, none", "400 InvalidDigest", func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String("AAAA") }},
	} {
		in := &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("text")}
		row.change(in)
		_, err := s3Client(s).PutObject(ctx, in)
		want(t, row.name, err, row.want)
	}
}

func TestOwnerEncryptionRegion(t *testing.T) {
	s := fakeawstest.Start(t)
	s.Do("bucket locked versioned sse=aws:kms", "bucket elsewhere region=eu-west-1")
	c := s3Client(s)
	owner := func(id string) error {
		_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), ExpectedBucketOwner: &id})
		return err
	}
	want(t, "the right owner", owner(fakeaws.DefaultAccount), "ok")
	want(t, "the wrong owner", owner("999999999999"), "403 AccessDenied")
	encrypted := func(sse types.ServerSideEncryption) error {
		out, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("locked"), Key: aws.String("k"), Body: strings.NewReader("x"), ServerSideEncryption: sse})
		if err == nil && out.ServerSideEncryption != sse {
			return fmt.Errorf("it says %s", out.ServerSideEncryption)
		}
		return err
	}
	want(t, "with the header", encrypted("aws:kms"), "ok")
	want(t, "without", encrypted(""), "403 AccessDenied")
	want(t, "with another", encrypted("AES256"), "403 AccessDenied")
	_, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("elsewhere")})
	if outcome(err)[:3] != "400" {
		t.Errorf("another region: %v", err)
	}
	_, err = c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("nowhere")})
	want(t, "no bucket", err, "404 NoSuchBucket")
}

func TestBuckets(t *testing.T) {
	s := fakeawstest.Start(t)
	c := s3Client(s)
	b := aws.String("another")
	_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b})
	want(t, "create", err, "ok")
	_, err = c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b})
	want(t, "create again", err, "ok")
	state, err := c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: b})
	if err != nil || state.Status != "" {
		t.Errorf("versioning: %q, %v", state.Status, err)
	}
	list, err := c.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil || len(list.Buckets) != 2 || *list.Buckets[0].Name != "another" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestPresigned(t *testing.T) {
	s := fakeawstest.Start(t)
	s.Do("write 'a b' text")
	signed, err := s3.NewPresignClient(s3Client(s)).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("a b")})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		url    string
		status int
	}{{signed.URL, 200}, {signed.URL + "0", 403}, {strings.Replace(signed.URL, "a%20b", "c", 1), 403}, {s.URL() + "/" + bucket + "/a%20b", 403}} {
		response, err := http.Get(row.url)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != row.status || row.status == 200 && string(text) != "text" {
			t.Errorf("%s: %s %s", row.url, response.Status, text)
		}
	}
	s.Do("clock 1h")
	if response, err := http.Get(signed.URL); err != nil || response.StatusCode != 403 {
		t.Errorf("an hour later: %v, %v", response, err)
	} else {
		response.Body.Close()
	}
}

// What the headers say of a body must be so.
func TestBodies(t *testing.T) {
	s := fakeawstest.Start(t)
	const textSHA256, unsigned, trailer = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1", "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	chunked := http.Header{"X-Amz-Decoded-Content-Length": {"4"}, "X-Amz-Trailer": {"x-amz-checksum-crc32"}, "Content-Encoding": {"aws-chunked"}}
	for _, row := range []struct {
		name, hash, body string
		header           http.Header
		want             string
	}{
		{"hash", textSHA256, "text", nil, "200"},
		{"other hash", textSHA256, "test", nil, "400 XAmzContentSHA256Mismatch"},
		{"no hash", "", "text", nil, "400 InvalidRequest"},
		{"unsigned", unsigned, "text", nil, "200"},
		{"trailer", trailer, "4\r\ntext\r\n0\r\nx-amz-checksum-crc32:O4unxw==\r\n\r\n", chunked, "200"},
		{"two chunks", trailer, "1\r\nt\r\n3\r\next\r\n0\r\nx-amz-checksum-crc32:O4unxw==\r\n\r\n", chunked, "200"},
		{"wrong trailer", trailer, "4\r\ntext\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", chunked, "400 BadDigest"},
		{"missing trailer", trailer, "4\r\ntext\r\n0\r\n\r\n", chunked, "400 MalformedTrailerError"},
		{"longer than said", trailer, "5\r\ntexts\r\n0\r\nx-amz-checksum-crc32:O4unxw==\r\n\r\n", chunked, "400 IncompleteBody"},
		{"shorter than said", trailer, "3\r\ntex\r\n0\r\nx-amz-checksum-crc32:O4unxw==\r\n\r\n", chunked, "400 IncompleteBody"},
		{"not chunked", trailer, "text", chunked, "400 IncompleteBody"},
		{"trailer of no kind", trailer, "4\r\ntext\r\n0\r\nx-amz-checksum-crc32:O4unxw==\r\n\r\n",
			http.Header{"X-Amz-Decoded-Content-Length": {"4"}, "X-Amz-Trailer": {"x-other"}}, "400 InvalidRequest"},
		{"two checksums", unsigned, "text", http.Header{"X-Amz-Checksum-Crc32": {"O4unxw=="}, "X-Amz-Checksum-Sha1": {"x"}}, "400 InvalidRequest"},
		{"a signature without chunks", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "4;chunk-signature=00\r\ntext\r\n0;chunk-signature=00\r\n\r\n", chunked, "403 SignatureDoesNotMatch"},
	} {
		if got := raw(t, s, "PUT", "/"+bucket+"/k", row.hash, row.body, row.header); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
		wanted := ""
		if row.want == "200" {
			wanted = "text"
		}
		if wanted != "" && s.Do("cat k") != wanted {
			t.Errorf("%s: stored %q", row.name, s.Do("cat k"))
		}
	}
	if n := strings.Count(s.Do("versions k"), "\n"); n != 4 {
		t.Errorf("%d versions were stored", n)
	}
}

func TestRequestsRefused(t *testing.T) {
	s := fakeawstest.Start(t)
	const hash = emptyHash
	for _, row := range []struct{ method, path, want string }{
		{"GET", "/" + bucket + "/k?acl", "501 NotImplemented"},
		{"PUT", "/" + bucket + "/k?tagging", "501 NotImplemented"},
		{"PATCH", "/" + bucket + "/k", "501 NotImplemented"},
		{"GET", "/" + bucket + "/" + strings.Repeat("k", 1025), "400 KeyTooLongError"},
		{"GET", "/" + bucket + "/%ff", "400 InvalidURI"},
		{"GET", "/" + bucket + "?list-type=2&max-keys=x", "400 InvalidArgument"},
		{"GET", "/" + bucket + "?list-type=2&encoding-type=x", "400 InvalidArgument"},
		{"PUT", "/Not_A_Bucket", "400 InvalidBucketName"},
	} {
		if got := raw(t, s, row.method, row.path, hash, "", nil); got != row.want {
			t.Errorf("%s %.60s: %s, want %s", row.method, row.path, got, row.want)
		}
	}
}
