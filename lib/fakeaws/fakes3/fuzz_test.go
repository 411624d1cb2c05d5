package fakes3

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"microsecrets/lib/fakeaws/iam"
)

var reference = regexp.MustCompile(`&#x[0-9A-Fa-f]+;`)

// FuzzRequest sends any request, signed, after an object and the parts of another: the
// answer is S3's, and is well-formed.
func FuzzRequest(f *testing.F) {
	const at = "/" + DefaultBucket
	for _, seed := range [][4]string{
		{"GET", "/", "", ""},
		{"GET", at + "?list-type=2&prefix=a&max-keys=1&delimiter=/&encoding-type=url&start-after=%00", "", ""},
		{"GET", at + "?list-type=2&continuation-token=x", "", ""},
		{"GET", at + "?versions&key-marker=a&version-id-marker=b&max-keys=0", "", ""},
		{"GET", at + "?uploads&max-uploads=1", "", ""},
		{"GET", at + "/a", "Range: bytes=1-\nIf-Match: \"x\", *\n", ""},
		{"GET", at + "/a?partNumber=1", "Range: bytes=-1\n", ""},
		{"HEAD", at + "/a?versionId=null", "If-None-Match: *\n", ""},
		{"PUT", at + "/b", "If-None-Match: *\nX-Amz-Checksum-Crc32: AAAAAA==\nX-Amz-Meta-A: b\n", "text"},
		{"PUT", at + "/b", "X-Amz-Copy-Source: " + DefaultBucket + "/a\nX-Amz-Copy-Source-Range: bytes=0-1\n", ""},
		{"PUT", at + "/b", "Content-Encoding: aws-chunked\nX-Amz-Decoded-Content-Length: 1\nX-Amz-Trailer: x-amz-checksum-crc32\n", "1\r\nx\r\n0\r\nx-amz-checksum-crc32:x\r\n\r\n"},
		{"POST", at + "/c?uploads", "X-Amz-Checksum-Algorithm: CRC64NVME\n", ""},
		{"PUT", at + "/c?uploadId=1&partNumber=10001", "", "part"},
		{"POST", at + "/c?uploadId=1", "", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"},
		{"GET", at + "/c?uploadId=1&max-parts=1&part-number-marker=x", "", ""},
		{"DELETE", at + "/a?versionId=x", "If-Match: x\n", ""},
		{"POST", at + "?delete", "Content-Md5: x\n", "<Delete><Quiet>true</Quiet><Object><Key>a</Key><VersionId>null</VersionId></Object></Delete>"},
		{"PUT", at + "?versioning", "", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"},
		{"PUT", at + "?lifecycle", "", "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status></Rule></LifecycleConfiguration>"},
		{"PUT", at + "?lifecycle", "", "<a/>"},
		{"PUT", at + "?ownershipControls", "", "<OwnershipControls><Rule/></OwnershipControls>"},
		{"PUT", "/example-other", "X-Amz-Acl: private\n", "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	principals := iam.New()
	dev, _ := principals.Find(iam.DefaultPrincipal)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	signer := v4.NewSigner()
	signed := func(method, target, header, body string) (*http.Request, error) {
		r, err := http.NewRequest(method, "http://localhost"+target, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		if read, err := textproto.NewReader(bufio.NewReader(strings.NewReader(header + "\r\n\r\n"))).ReadMIMEHeader(); err == nil {
			r.Header = http.Header(read)
		}
		const payload = "UNSIGNED-PAYLOAD"
		r.Header.Set("X-Amz-Content-Sha256", payload)
		credentials := aws.Credentials{AccessKeyID: dev.AccessKey, SecretAccessKey: dev.SecretKey}
		return r, signer.SignHTTP(context.Background(), credentials, r, payload, "s3", "us-east-1", now, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	}
	f.Fuzz(func(t *testing.T, method, target, header, body string) {
		handler, err := New(Options{Principals: principals, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		defer handler.Close()
		for _, before := range [][4]string{{"PUT", at + "/a", "", "text"}, {method, target, header, body}, {"GET", at + "?versions", "", ""}} {
			r, err := signed(before[0], before[1], before[2], before[3])
			if err != nil {
				return
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			answer := w.Result()
			if answer.StatusCode >= 500 && answer.StatusCode != http.StatusNotImplemented {
				t.Errorf("%q: %d %s", before, answer.StatusCode, w.Body)
			}
			if !strings.HasSuffix(answer.Header.Get("Content-Type"), "xml") || w.Body.Len() == 0 {
				continue
			}
			// S3 writes characters that XML cannot hold as references, which are not well-formed.
			for d := xml.NewDecoder(bytes.NewReader(reference.ReplaceAll(w.Body.Bytes(), nil))); ; {
				if _, err := d.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("%q: %v", before, err)
				}
			}
		}
	})
}

// FuzzJournal opens a folder with any journal: it is refused, or what it holds can be
// listed and opened again.
func FuzzJournal(f *testing.F) {
	const b = `{"bucket":{"Name":"b","Account":"111122223333","Versioning":"Enabled"}}` + "\n"
	for _, journal := range []string{
		"", "\n", "{}\n", "null\n", b, b + b, "torn",
		b + `{"put":{"b":"b","k":"a","v":{"ID":"1","ETag":"x","Body":[{"File":"1","Size":3}]}}}` + "\n" + `{"drop":{"b":"b","k":"a","id":"1"}}` + "\n",
		b + `{"put":{"b":"b","k":"a","v":{"ID":"1"},"younger":7}}` + "\n",
		b + `{"put":{"b":"b","k":"a","v":{"ID":"1"},"younger":-1}}` + "\n",
		b + `{"replace":{"b":"b","k":"a","v":{"ID":"1"}}}` + "\n",
		b + `{"drop":{"b":"b","k":"a","id":"1"}}` + "\n",
		b + `{"put":{"b":"c","k":"a","v":{}}}` + "\n",
	} {
		f.Add([]byte(journal))
	}
	principals := iam.New()
	f.Fuzz(func(t *testing.T, journal []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "journal"), journal, 0o600); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		h, err := New(Options{Principals: principals, Dir: root})
		if err != nil {
			return
		}
		_, err = h.Control("", "ls")
		if err = errors.Join(err, h.Close()); err != nil {
			t.Fatal(err)
		}
		if h, err = New(Options{Principals: principals, Dir: root}); err != nil {
			t.Fatalf("opened once, not twice: %v", err)
		}
		h.Close()
	})
}
