package fakeaws_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/fakeaws/fakeawstest"
)

// response reads all that the server sends to an anonymous GET of k, up to a
// million bytes.
func response(t *testing.T, s *fakeawstest.Server) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET /"+bucket+"/k HTTP/1.1\r\nHost: "+strings.TrimPrefix(s.URL(), "http://")+"\r\n\r\n")
	data, err := io.ReadAll(io.LimitReader(conn, 1_000_000))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestRespond(t *testing.T) {
	for _, row := range []struct{ fault, head, body string }{
		{"", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n", ""},
		{"status=404 text=<html>", "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 6\r\n", "<html>"},
		{`status=404 reason='\x1b[31mred'`, "HTTP/1.1 404 \x1b[31mred\r\n", ""},
		{"header='ETag: \"x\"' header='etag: \\u009b' text=a", "HTTP/1.1 200 OK\r\nETag: \"x\"\r\netag: \u009b\r\n", "a"},
		{"chunked text=abc", "HTTP/1.1 200 OK\r\nConnection: close\r\n", "3\r\nabc\r\n0\r\n\r\n"},
		{"text=a tail=bc size=4", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n", "abcbc"},
		{"raw text=nonsense", "", "nonsense"},
		{"raw text=nonsense GetObject\nfault cut 3", "", "non"},
		{"raw text=nonsense GetObject\nfault pace 1 1ns", "", "nonsense"},
		{"raw text=nonsense GetObject\nfault corrupt 0", "", "\x91onsense"},
	} {
		s := fakeawstest.Start(t, strings.Split("fault respond "+row.fault+" GetObject", "\n")...)
		got := response(t, s)
		_, body, _ := strings.Cut(got, "\r\n\r\n")
		if row.head == "" {
			body = got
		}
		if !strings.HasPrefix(got, row.head) || body != row.body {
			t.Errorf("%s: %q", row.fault, got)
		}
	}
	s := fakeawstest.Start(t, "fault respond status=403 text=<Error> tail=A GetObject")
	if got := response(t, s); len(got) != 1_000_000 || !strings.HasSuffix(got, "AAAA") {
		t.Errorf("a response without end has %d bytes", len(got))
	}
}

func TestReplace(t *testing.T) {
	const etag = `"1cb251ec0d568de6a929b520c4aed8d1"`
	for _, row := range []struct{ fault, outcome, body, etag string }{
		{"", "ok", "text", etag},
		{"header=ETag", "ok", "text", ""},
		{"header='ETag: W/{}'", "ok", "text", "W/" + etag},
		{"chunked", "ok", "text", etag},
		{"text=other", "ok", "other", etag},
		{"text=t tail=ex size=3", "ok", "texe", etag},
		{"length=-1", "ok", "tex", etag},
		{"length=1", "ok", "t", etag},
		{"text=a tail=bc size=4 gzip", "ok", "abcbc", etag},
		{"gzip", "ok", "text", etag},
		{"length=+1", "transport", "", ""},
		{"status=500 text=<html>", "500", "", ""},
	} {
		s := fakeawstest.Start(t, "write k text", "fault replace "+row.fault+" GetObject")
		out, err := s3Client(s).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
		var body []byte
		if err == nil {
			body, err = io.ReadAll(out.Body)
			out.Body.Close()
		}
		if strings.HasSuffix(row.fault, "gzip") {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			body, _ = io.ReadAll(z)
		}
		want(t, row.fault, err, row.outcome)
		if err == nil && (string(body) != row.body || aws.ToString(out.ETag) != row.etag) {
			t.Errorf("%s: %q, ETag %s", row.fault, body, aws.ToString(out.ETag))
		}
	}
}

func TestReplaceKMS(t *testing.T) {
	s := fakeawstest.Start(t, "fault replace length=-1 GenerateDataKey times=1")
	_, err := kmsClient(s).GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String("alias/microsecrets-a"), KeySpec: "AES_256"})
	want(t, "cut JSON", err, "200")
}

func TestAnswerAfter(t *testing.T) {
	s := fakeawstest.Start(t, "fault answer-after 500 InternalError PutObject", "fault answer-after 500 InternalError GetObject")
	_, err := s3Client(s).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("x")})
	want(t, "PutObject", err, "500 InternalError")
	if got := s.Do("ls"); got != "k\n" {
		t.Errorf("stored: %q", got)
	}
	_, err = read(s3Client(s), "k")
	want(t, "GetObject", err, "500 InternalError")
	_, err = read(s3Client(s), "absent")
	want(t, "what fails by itself", err, "404 NoSuchKey")
}

func TestDetach(t *testing.T) {
	s := fakeawstest.Start(t, "fault detach PutObject times=1", "fault hold PutObject times=1")
	put := func(text string) error {
		_, err := s3Client(s).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader(text)})
		return err
	}
	want(t, "the first", put("first"), "transport")
	s.Do("await PutObject 1")
	want(t, "the second", put("second"), "ok")
	s.Do("release", "idle")
	if got := s.Do("cat k"); got != "first" {
		t.Errorf("stored last: %q", got)
	}
}
