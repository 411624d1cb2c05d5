package fakeaws_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
)

// read gets k and reads it to the end.
func read(c *s3.Client, key string) (string, error) {
	out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: &key, ChecksumMode: "ENABLED"})
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	return string(data), err
}

func TestFaults(t *testing.T) {
	for _, row := range []struct {
		lines    string
		outcomes string // of GetObject, one after the other
	}{
		{"", "ok, ok, ok"},
		{"fault throttle GetObject times=2", "503 SlowDown, 503 SlowDown, ok"},
		{"fault throttle GetObject skip=1 times=1", "ok, 503 SlowDown, ok"},
		{"fault throttle GetObject key=other", "ok, ok, ok"},
		{"fault throttle GetObject key=k*", "503 SlowDown, 503 SlowDown, 503 SlowDown"},
		{"fault throttle GetObject by=dev", "503 SlowDown, 503 SlowDown, 503 SlowDown"},
		{"principal other\nfault throttle GetObject by=other", "ok, ok, ok"},
		{"fault throttle Head*,Put*", "ok, ok, ok"},
		{"fault throttle GetObject\nclear", "ok, ok, ok"},
		{"fault answer 418 Teapot GetObject times=1", "418 Teapot, ok, ok"},
		{"fault answer 500 InternalError GetObject times=1\nfault answer 502 BadGateway GetObject times=2", "500 InternalError, 502 BadGateway, ok"},
		{"fault drop GetObject times=1", "transport, ok, ok"},
		{"fault forget GetObject times=1", "transport, ok, ok"},
		{"fault delay 1ms GetObject", "ok, ok, ok"},
		{"fault pace 1 1ms GetObject", "ok, ok, ok"},
		{"fault pace 3 1ms GetObject", "ok, ok, ok"},
		{"fault cut 3 GetObject times=1", "transport, ok, ok"},
		{"fault cut 0 GetObject times=1", "transport, ok, ok"},
		{"fault cut 100 GetObject", "ok, ok, ok"},
		{"fault corrupt 3 GetObject times=1", "transport, ok, ok"},
		{"fault wrong-checksum GetObject times=1", "transport, ok, ok"},
		{"fault do 'write k other' GetObject times=1", "other, other, other"},
		{"fault do-after 'rm k' GetObject times=1", "ok, 404 NoSuchKey, 404 NoSuchKey"},
	} {
		s := fakeawstest.Start(t)
		put(t, s3Client(s), "k", "text")
		s.Do(strings.Split(row.lines, "\n")...)
		var outcomes []string
		for range 3 {
			text, err := read(s3Client(s), "k")
			switch {
			case err != nil:
				outcomes = append(outcomes, outcome(err))
			case text == "text":
				outcomes = append(outcomes, "ok")
			default:
				outcomes = append(outcomes, text)
			}
		}
		if got := strings.Join(outcomes, ", "); got != row.outcomes {
			t.Errorf("%s: %s, want %s", row.lines, got, row.outcomes)
		}
	}
}

func TestKMSFaults(t *testing.T) {
	s := fakeawstest.Start(t)
	c := kmsClient(s)
	s.Do("fault throttle GenerateDataKey times=1", "fault answer 500 KMSInternalException GenerateDataKey times=2", "fault throttle GenerateDataKey key=a/b")
	for _, wanted := range []string{"400 ThrottlingException", "500 KMSInternalException", "ok"} {
		_, err := c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String("alias/microsecrets-a"), KeySpec: "AES_256"})
		want(t, "GenerateDataKey", err, wanted)
	}
	_, err := c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String("alias/microsecrets-a"), KeySpec: "AES_256", EncryptionContext: map[string]string{"ms-name": "a/b"}})
	want(t, "by the context", err, "400 ThrottlingException")
}

func TestLostReply(t *testing.T) {
	s := fakeawstest.Start(t)
	s.Do("fault forget PutObject times=1", "fault forget DeleteObject times=1")
	c := s3Client(s)
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("x"), IfNoneMatch: aws.String("*")})
	want(t, "the first try", err, "transport")
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("x"), IfNoneMatch: aws.String("*")})
	want(t, "the second", err, "412 PreconditionFailed")
	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	want(t, "delete", err, "transport")
	if left := s.Do("ls"); left != "" {
		t.Errorf("left: %s", left)
	}
}

// What a client finds that comes again after a lost reply, another writer
// having been there in between.
func TestLostReplyAndAnotherWriter(t *testing.T) {
	s := fakeawstest.Start(t)
	s.Do("fault do-after 'write k other' PutObject times=1", "fault forget PutObject times=1")
	_, err := s3Client(s).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("ours")})
	want(t, "put", err, "transport")
	if lines := strings.Split(s.Do("versions k"), "\n"); len(lines) != 3 || !strings.HasSuffix(lines[0], " 5 latest") || !strings.HasSuffix(lines[1], " 4 old") {
		t.Errorf("%q", lines)
	}
}

// A range of another version, from a server that ignores the condition.
func TestReadConditionsIgnored(t *testing.T) {
	s := fakeawstest.Start(t)
	s.Do("write k x", "fault ignore-conditions GetObject")
	if got, _ := get(t, s3Client(s), &s3.GetObjectInput{Key: aws.String("k"), IfMatch: aws.String(etagOther)}); got != "x" {
		t.Errorf("%q", got)
	}
}

func TestStall(t *testing.T) {
	s := fakeawstest.Start(t)
	s.Do("write k text", "fault stall 3 GetObject")
	out, err := s3Client(s).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	var first [3]byte
	if _, err := io.ReadFull(out.Body, first[:]); err != nil || string(first[:]) != "tex" {
		t.Fatalf("%q, %v", first, err)
	}
	s.Do("await GetObject 1", "release")
	if rest, err := io.ReadAll(out.Body); err != nil || string(rest) != "t" {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestHold(t *testing.T) {
	for _, row := range []struct{ kind, during string }{{"hold", ""}, {"hold-reply", "k\n"}} {
		s := fakeawstest.Start(t)
		s.Do("fault " + row.kind + " PutObject")
		done := make(chan error)
		go func() {
			_, err := s3Client(s).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("x")})
			done <- err
		}()
		s.Do("await PutObject 1")
		if got := s.Do("ls"); got != row.during {
			t.Errorf("%s: while it is held there is %q", row.kind, got)
		}
		s.Do("release")
		want(t, row.kind, <-done, "ok")
		put(t, s3Client(s), "k", "not held")
	}
}

// Requests side by side meet; in a row they wait in vain.
// Trips are counted over connections that are opened at once, late, and again.
func TestTrips(t *testing.T) {
	for _, byTLS := range []bool{false, true} {
		s := fakeawstest.StartWith(t, fakeaws.Options{TLS: byTLS}, "write k x", "reset")
		opening := 1
		client := func() *http.Client {
			c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
			t.Cleanup(c.CloseIdleConnections)
			return c
		}
		if byTLS {
			opening++
		}
		one, other := client(), client()
		for i, c := range []struct {
			*http.Client
			trips int
		}{
			{one, opening + 1},
			{one, opening + 2},
			{other, opening + 2 + opening + 1}, // opened when the others had been answered
			{one, opening + 2 + opening + 2},
		} {
			resp, err := c.Get(s.URL() + "/" + fakeaws.DefaultBucket + "/k")
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if got := strings.TrimSpace(s.Do("trips")); got != strconv.Itoa(c.trips) {
				t.Errorf("TLS %v, request %d: %s trips, not %d", byTLS, i, got, c.trips)
			}
		}
		s.Do("await connections 2")
	}
}

func TestRendezvousAndDepth(t *testing.T) {
	s := fakeawstest.Start(t)
	s.Do("write k x", "fault rendezvous 10 GetObject times=10", "fault rendezvous 10 GenerateDataKey times=10", "reset")
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := read(s3Client(s), "k"); err != nil {
				t.Error(err)
			}
			_, err := kmsClient(s).GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String("alias/microsecrets-a"), KeySpec: "AES_256"})
			want(t, "GenerateDataKey", err, "ok")
		})
	}
	wg.Wait()
	s.Do("want 'GetObject 10' 'GenerateDataKey 10' 'depth 2' 'side 10'")
	if _, err := read(s3Client(s), "k"); err != nil {
		t.Fatal(err)
	}
	s.Do("want 'GetObject 11' 'GenerateDataKey 10' 'depth 3'")
	_, err := s.ControlLine("", "want 'GetObject 1' 'GenerateDataKey 10'")
	if err == nil || !strings.HasSuffix(err.Error(), "\n-GetObject 1\n+GetObject 11") {
		t.Errorf("%v", err)
	}
	if n := strings.TrimSpace(s.Do("count *Object")); n != "11" {
		t.Errorf("count: %s", n)
	}
	s.Do("reset", "want")
}

// A refusal reaches the client, whose body is on its way, whether it has asked
// to send it or not.
func TestRefusedBody(t *testing.T) {
	s := fakeawstest.Start(t)
	s.Do("write k x")
	data := strings.Repeat("x", 16<<20)
	for _, threshold := range []int64{-1, 1} {
		for _, row := range []struct{ line, want string }{{"clear", "412 PreconditionFailed"}, {"fault throttle PutObject", "503 SlowDown"}} {
			s.Do(row.line)
			_, err := s3Client(s).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader(data), IfNoneMatch: aws.String("*")},
				func(o *s3.Options) { o.ContinueHeaderThresholdBytes = threshold })
			want(t, fmt.Sprint(row.line, threshold), err, row.want)
		}
	}
}

// A server that closes lets nobody hang.
func TestCloseWhileHeld(t *testing.T) {
	s := fakeawstest.Start(t)
	s.Do("fault hold GetObject", "fault delay 1h HeadObject")
	done := make(chan error, 2)
	go func() { _, err := read(s3Client(s), "k"); done <- err }()
	go func() {
		_, err := s3Client(s).HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
		done <- err
	}()
	s.Do("await GetObject 1")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case err := <-done:
			want(t, "after Close", err, "transport")
		case <-time.After(10 * time.Second):
			t.Fatal("a request hangs")
		}
	}
}

func TestControlRefuses(t *testing.T) {
	s := fakeawstest.Start(t)
	for _, line := range []string{"nonsense", "fault", "fault nonsense GetObject", "fault throttle", "fault throttle GetObjet", "fault throttle GetObject x",
		"fault delay x GetObject", "fault answer 99 X GetObject", "fault cut x GetObject", "fault throttle GetObject times=x", "fault throttle GetObject by=nobody",
		"write k", "write", "write k a b", "cat nowhere", "cat s3://nowhere/k", "flip k 0", "rm k version=x", "put k /nowhere", "fill x y", "bucket UPPER", "bucket b x",
		"key create x", "key disable alias/none", "key nonsense alias/none", "auto perhaps", "deny", "deny s3:* by=nobody", "expire nobody", "clock x",
		"want 'GetObject 1'", "'", "write '' x"} {
		if out, err := s.ControlLine("", line); err == nil {
			t.Errorf("%s: %q", line, out)
		}
	}
}

func TestTamper(t *testing.T) {
	s := fakeawstest.Start(t)
	made := put(t, s3Client(s), "k", "text")
	s.Do("flip k 0", "flip k -1")
	if got := s.Do("cat k"); got != "\x8bex\x8b" {
		t.Errorf("%q", got)
	}
	s.Do("truncate k 2")
	got, out := get(t, s3Client(s), &s3.GetObjectInput{Key: aws.String("k")})
	if got != "\x8be" || *out.ETag != *made.ETag || *out.VersionId != *made.VersionId || *out.ContentLength != 2 {
		t.Errorf("%q, %v", got, out)
	}
}
