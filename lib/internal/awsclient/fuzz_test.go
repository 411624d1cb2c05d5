package awsclient

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/printable"
)

// answering answers every request alike.
type answering struct {
	status int
	header http.Header
	body   []byte
}

func (a answering) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
	}
	return &http.Response{
		StatusCode:    a.status,
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        a.header.Clone(),
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
		Request:       r,
	}, nil
}

// asked are the requests whose answers the SDK reads for this project. Each returns
// what of the answer others compare, print and send on.
var asked = []func(context.Context, *Client) (tokens []*string, err error){
	func(ctx context.Context, c *Client) ([]*string, error) {
		out, err := c.S3().GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")})
		if err != nil {
			return nil, err
		}
		defer out.Body.Close()
		_, err = io.Copy(io.Discard, out.Body)
		return []*string{out.ETag, out.VersionId}, err
	},
	func(ctx context.Context, c *Client) ([]*string, error) {
		out, err := c.S3().HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")})
		if err != nil {
			return nil, err
		}
		return []*string{out.ETag, out.VersionId}, nil
	},
	func(ctx context.Context, c *Client) ([]*string, error) {
		out, err := c.S3().PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key"), Body: strings.NewReader("x")})
		if err != nil {
			return nil, err
		}
		return []*string{out.ETag, out.VersionId}, nil
	},
	func(ctx context.Context, c *Client) ([]*string, error) {
		out, err := c.S3().DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")})
		if err != nil {
			return nil, err
		}
		return []*string{out.VersionId}, nil
	},
	func(ctx context.Context, c *Client) ([]*string, error) {
		out, err := c.S3().CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("bucket"), Key: aws.String("key")})
		if err != nil {
			return nil, err
		}
		return []*string{out.UploadId}, nil
	},
	func(ctx context.Context, c *Client) ([]*string, error) {
		out, err := c.S3().CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: aws.String("bucket"), Key: aws.String("key"), UploadId: aws.String("id"),
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: aws.String("x"), PartNumber: aws.Int32(1)}}},
		})
		if err != nil {
			return nil, err
		}
		return []*string{out.ETag, out.VersionId}, nil
	},
	func(ctx context.Context, c *Client) ([]*string, error) {
		_, err := c.KMS("").Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: []byte("x"), KeyId: aws.String("alias/x")})
		return nil, err
	},
	func(ctx context.Context, c *Client) ([]*string, error) {
		_, err := c.KMS("").GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String("alias/x"), NumberOfBytes: aws.Int32(32)})
		return nil, err
	},
	func(ctx context.Context, c *Client) ([]*string, error) {
		_, err := c.KMS("").Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String("alias/x"), Plaintext: []byte("x")})
		return nil, err
	},
}

// FuzzAnswer has S3 and KMS answer anything: an error is short and can be printed,
// and what a success hands on is made of single words.
func FuzzAnswer(f *testing.F) {
	const id = "X-Amz-Request-Id: 4442587FB7D0A2F9\n"
	f.Add(byte(0), uint16(404), id, []byte(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>`))
	f.Add(byte(0), uint16(206), id+"ETag: \"d41d\"\nContent-Range: bytes 0-0/1\nX-Amz-Version-Id: v\n", []byte("x"))
	f.Add(byte(0), uint16(200), "ETag: \"a\x1b[31m b\"\n", []byte("x"))
	f.Add(byte(0), uint16(301), "Location: http://elsewhere.example/\nX-Amz-Bucket-Region: eu-west-1\n", []byte("<Error><Code>PermanentRedirect</Code></Error>"))
	f.Add(byte(1), uint16(403), id, []byte(""))
	f.Add(byte(1), uint16(200), id+"ETag: W/\"x\"\nLast-Modified: Fri, 02 Jan 2026 03:04:05 GMT\nContent-Length: 5\n", []byte(""))
	f.Add(byte(2), uint16(200), "", []byte("<html>log in</html>"))
	f.Add(byte(2), uint16(412), id, []byte("<Error><Code>PreconditionFailed</Code><Condition>If-Match</Condition></Error>"))
	f.Add(byte(2), uint16(400), id, []byte("<Error><Code>\x00</Code><Message>http://a.example\u202e</Message>"))
	f.Add(byte(3), uint16(204), id+"X-Amz-Delete-Marker: true\nX-Amz-Version-Id: v\n", []byte(""))
	f.Add(byte(4), uint16(200), id, []byte("<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"))
	f.Add(byte(5), uint16(200), id, []byte("   <CompleteMultipartUploadResult><ETag>&quot;x-1&quot;</ETag></CompleteMultipartUploadResult>"))
	f.Add(byte(5), uint16(200), id, []byte(" <Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"))
	f.Add(byte(6), uint16(200), "X-Amzn-Requestid: a-b\n", []byte(`{"KeyId":"arn:aws:kms:us-east-1:111122223333:key/a","Plaintext":"AAAA","EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`))
	f.Add(byte(6), uint16(400), "X-Amzn-Requestid: a-b\nX-Amzn-Errortype: x#y:http://z\n", []byte(`{"__type":"InvalidCiphertextException"}`))
	f.Add(byte(7), uint16(400), "", []byte(`{"__type":"com.amazonaws#NotFoundException","message":"Alias \u001b[31m is not found."}`))
	f.Add(byte(8), uint16(200), "", []byte(`{"CiphertextBlob":1}`))
	f.Add(byte(8), uint16(500), "", []byte(`[[[[`))
	f.Fuzz(func(t *testing.T, which byte, status uint16, header string, body []byte) {
		a := answering{status: 100 + int(status)%500, body: body, header: http.Header{}}
		if read, err := textproto.NewReader(bufio.NewReader(strings.NewReader(header + "\r\n\r\n"))).ReadMIMEHeader(); err == nil {
			a.header = http.Header(read)
		}
		c := New(aws.Config{
			Region:           "us-east-1",
			BaseEndpoint:     aws.String("http://127.0.0.1:1"),
			HTTPClient:       a,
			RetryMaxAttempts: 1,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
			}),
		}, Options{})
		ctx := context.Background()
		tokens, err := asked[int(which)%len(asked)](ctx, c)
		if err != nil {
			err = Classify(ctx, "Operation", err, Facts{Precondition: Precondition(status % 4), Owner: status%2 == 0, Key: "alias/x"})
			text := err.Error()
			if len(text) > 1000 || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q", text)
			}
			if strings.Contains(hint.Of(err), "\x1b") {
				t.Errorf("hint %q", hint.Of(err))
			}
			return
		}
		for _, token := range tokens {
			if token != nil && *token != "" && !printable.Token(*token) {
				t.Errorf("%q", *token)
			}
		}
	})
}
