package bucket_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
)

// start returns a server that the test's end closes, and its bucket.
func start(t *testing.T, o bucket.Options, env ...string) (*fakeawstest.Server, *bucket.Bucket) {
	t.Helper()
	s := fakeawstest.Start(t)
	s.Setenv()
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	cfg, err := awsclient.Load(context.Background(), awsclient.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := awsclient.New(cfg, awsclient.Options{})
	return s, bucket.New(c.S3(), fakeaws.DefaultBucket, o)
}

func put(b *bucket.Bucket, key, text string, c bucket.Condition) (bucket.Written, error) {
	u := b.Upload(context.Background(), key, c)
	_, err := io.WriteString(u, text)
	if err != nil {
		u.Abort()
		return bucket.Written{}, err
	}
	w, err := u.Close()
	if err != nil {
		u.Abort()
	}
	return w, err
}

// big is more than goes in one PutObject.
var big = strings.Repeat("0123456789abcdef", 9<<16)

func TestConditions(t *testing.T) {
	trusting := bucket.Options{Trusted: true}
	absent, other := bucket.Condition{IfAbsent: true}, bucket.Condition{IfMatch: `"00112233445566778899aabbccddeeff"`}
	for _, size := range []struct{ name, text string }{{"PutObject", "new"}, {"CompleteMultipartUpload", big}} {
		tests := []struct {
			name      string
			lines     []string
			condition bucket.Condition
			status    int // of the refusal, 0 for none
		}{
			{"absent", nil, absent, 0},
			{"exists", []string{"write k old"}, absent, 412},
			{"deleted", []string{"write k old", "rm k"}, absent, 0},
			{"another", []string{"write k old"}, other, 412},
			{"none to match", nil, other, 404},
			{"deleted one to match", []string{"write k old", "rm k"}, other, 404},
			{"at the same time", []string{"write k old", "fault answer 409 ConditionalRequestConflict " + size.name}, absent, 409},
		}
		for _, test := range tests {
			t.Run(size.name+"/"+test.name, func(t *testing.T) {
				s, b := start(t, trusting)
				s.Do(test.lines...)
				before := s.Do("versions")
				_, err := put(b, "k", size.text, test.condition)
				var e *awsclient.Error
				switch {
				case test.status == 0:
					if err != nil {
						t.Fatal(err)
					}
					if got := s.Do("cat k"); got != size.text {
						t.Fatalf("stored %d bytes", len(got))
					}
				case !errors.As(err, &e) || !errors.Is(err, awsclient.ErrConflict) || e.Status != test.status || e.MaybeApplied:
					t.Fatalf("%v, not a conflict of status %d", err, test.status)
				case s.Do("versions") != before:
					t.Fatal("refused, and changed")
				}
				if left := s.Do("uploads"); left != "" {
					t.Fatalf("parts are left: %s", left)
				}
			})
		}
	}
}

// What met another request is closed once more.
func TestCloseAgain(t *testing.T) {
	for _, test := range []struct{ operation, text string }{{"PutObject", "new"}, {"CompleteMultipartUpload", big}} {
		s, b := start(t, bucket.Options{Trusted: true})
		s.Do("fault answer 409 ConditionalRequestConflict times=1 " + test.operation)
		u := b.Upload(context.Background(), "k", bucket.Condition{IfAbsent: true})
		if _, err := io.WriteString(u, test.text); err != nil {
			t.Fatal(err)
		}
		if _, err := u.Close(); !errors.Is(err, awsclient.ErrConflict) {
			t.Fatalf("%s: %v", test.operation, err)
		}
		if _, err := u.Close(); err != nil {
			t.Fatalf("%s: the second time: %v", test.operation, err)
		}
		if got := s.Do("cat k"); got != test.text {
			t.Errorf("%s: stored %d bytes", test.operation, len(got))
		}
	}
}

func TestMatch(t *testing.T) {
	_, b := start(t, bucket.Options{Trusted: true})
	first, err := put(b, "k", "1", bucket.Condition{IfAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	second, err := put(b, "k", big, bucket.Condition{IfMatch: first.ETag})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(context.Background(), "k", "", bucket.Condition{IfMatch: first.ETag}); !errors.Is(err, awsclient.ErrConflict) {
		t.Fatalf("deleted by an ETag that is no longer there: %v", err)
	}
	if err := b.Delete(context.Background(), "k", "", bucket.Condition{IfMatch: second.ETag}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Head(context.Background(), "k", ""); !errors.Is(err, awsclient.ErrNotFound) {
		t.Fatalf("after the deletion: %v", err)
	}
}

// A change that was not answered may have been made, and is not repeated; one that
// was refused, throttled or never sent has not been made.
func TestMaybeApplied(t *testing.T) {
	for _, test := range []struct {
		fault    string
		attempts string
		kind     error
		doubt    bool
	}{
		{"forget PutObject times=1", "2", awsclient.ErrUnreachable, true}, // not repeated

		{"forget PutObject", "1", awsclient.ErrUnreachable, true},
		{"answer 500 InternalError PutObject", "1", awsclient.ErrUnreachable, true},
		{"throttle PutObject", "1", awsclient.ErrUnreachable, false},
		{"answer 403 AccessDenied PutObject", "1", awsclient.ErrDenied, false},
	} {
		t.Run(test.fault, func(t *testing.T) {
			s, b := start(t, bucket.Options{Trusted: true}, "AWS_MAX_ATTEMPTS="+test.attempts)
			s.Do("fault " + test.fault)
			_, err := put(b, "k", "1", bucket.Condition{IfAbsent: true})
			var e *awsclient.Error
			if !errors.As(err, &e) || e.Kind != test.kind || e.MaybeApplied != test.doubt {
				t.Fatalf("%v (doubt: %v)", err, e != nil && e.MaybeApplied)
			}
		})
	}
	// Nobody listens on port 9, discard.
	_, b := start(t, bucket.Options{Trusted: true}, "AWS_MAX_ATTEMPTS=1", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:9")
	_, err := put(b, "k", "1", bucket.Condition{IfAbsent: true})
	var e *awsclient.Error
	if !errors.As(err, &e) || e.Kind != awsclient.ErrUnreachable || e.MaybeApplied {
		t.Fatalf("never sent: %v", err)
	}
}

func TestServerThatIgnoresConditions(t *testing.T) {
	for _, test := range []struct {
		operation string
		do        func(*bucket.Bucket) error
		ignored   bool
		counts    []string
	}{
		{"PutObject", func(b *bucket.Bucket) error {
			_, err := put(b, "a/k", "1", bucket.Condition{IfMatch: `"0"`})
			return err
		}, true, []string{"'PutObject 1'", "'DeleteObject 1'"}},
		{"CompleteMultipartUpload", func(b *bucket.Bucket) error {
			_, err := put(b, "a/k", big, bucket.Condition{IfAbsent: true})
			return err
		}, true, []string{"'CreateMultipartUpload 1'", "'UploadPart 1'", "'CompleteMultipartUpload 1'", "'DeleteObject 1'"}},
		{"DeleteObject", func(b *bucket.Bucket) error {
			return b.Delete(context.Background(), "a/k", "", bucket.Condition{IfMatch: `"0"`})
		}, true, []string{"'DeleteObject 2'"}},
	} {
		t.Run(test.operation, func(t *testing.T) {
			s, b := start(t, bucket.Options{})
			s.Do("fault ignore-conditions " + test.operation)
			for range 2 {
				if err := test.do(b); !errors.Is(err, bucket.ErrConditionsIgnored) {
					t.Fatalf("not found out: %v", err)
				}
			}
			if left := s.Do("ls") + s.Do("versions") + s.Do("uploads"); left != "" {
				t.Errorf("left behind: %s", left)
			}
			s.Do("want " + strings.Join(test.counts, " "))
		})
		t.Run(test.operation+" trusted", func(t *testing.T) {
			s, b := start(t, bucket.Options{Trusted: true})
			s.Do("write a/k old", "fault ignore-conditions "+test.operation)
			if err := test.do(b); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestServerThatIgnoresIfNoneMatch(t *testing.T) {
	s, b := start(t, bucket.Options{})
	s.Do("fault ignore-conditions PutObject skip=1")
	if _, err := put(b, "k", "1", bucket.Condition{IfAbsent: true}); !errors.Is(err, bucket.ErrConditionsIgnored) {
		t.Fatalf("not found out: %v", err)
	}
}

// What a server that honours conditions is asked is asked once.
func TestServerThatHonoursConditions(t *testing.T) {
	s, b := start(t, bucket.Options{})
	for _, key := range []string{"a/1", "a/2", "b"} {
		if _, err := put(b, key, "1", bucket.Condition{IfAbsent: true}); err != nil {
			t.Fatal(err)
		}
		if err := b.Delete(context.Background(), key, "", bucket.Condition{IfMatch: `"c4ca4238a0b923820dcc509a6f75849b"`}); err != nil {
			t.Fatal(err)
		}
	}
	s.Do("want 'PutObject 5' 'DeleteObject 4'")
	if _, err := put(b, "a/1", big, bucket.Condition{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	s.Do("want 'PutObject 5' 'DeleteObject 4' 'CreateMultipartUpload 2' 'UploadPart 3' 'CompleteMultipartUpload 2' 'AbortMultipartUpload 1'")
}

func TestVersions(t *testing.T) {
	s, b := start(t, bucket.Options{})
	s.Do("write k 1", "rm k", "write k 2", "write k 3", "rm k", "write 'k and%' x")
	list := func(prefix string) (all []bucket.Entry) {
		for v, err := range b.ListVersions(context.Background(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, v)
		}
		return all
	}
	got := list("k")
	want := []struct {
		key, text       string
		latest, deleted bool
	}{
		{"k", "", true, true}, {"k", "3", false, false}, {"k", "2", false, false}, {"k", "", false, true}, {"k", "1", false, false},
		{"k and%", "x", true, false},
	}
	if len(got) != len(want) {
		t.Fatalf("%d versions: %+v", len(got), got)
	}
	for i, w := range want {
		v := got[i]
		if v.Key != w.key || v.Latest != w.latest || v.Deleted != w.deleted || v.Modified.IsZero() {
			t.Errorf("%d: %+v, not %+v", i, v, w)
		}
		head, info, err := b.Peek(context.Background(), v.Key, v.Version, 10)
		switch {
		case w.deleted && !errors.Is(err, awsclient.ErrNotFound):
			t.Errorf("%d: a deletion was read: %v", i, err)
		case !w.deleted && (err != nil || string(head) != w.text || info.ETag != v.ETag || info.Size != v.Size):
			t.Errorf("%d: %q, %+v, %v", i, head, info, err)
		}
	}
	for _, version := range []string{"none", strings.Repeat("0", 32)} {
		if _, err := b.Get(context.Background(), "k", version); !errors.Is(err, awsclient.ErrNotFound) {
			t.Errorf("version %s: %v", version, err)
		}
	}
	if _, err := b.Head(context.Background(), "k", strings.Repeat("0", 32)); !errors.Is(err, awsclient.ErrNotFound) {
		t.Errorf("head of a version that is none: %v", err)
	}
	s.Do("fault answer 400 ExpiredToken GetObject times=1")
	if _, err := b.Get(context.Background(), "k", got[1].Version); !errors.Is(err, awsclient.ErrDenied) {
		t.Errorf("expired credentials: %v", err)
	}

	s.Do("fill 1100 f/ size=1")
	for range 2 {
		s.Do("rm f/0000000000", "write f/0000000000 1")
	}
	if n := len(list("f/")); n != 1104 {
		t.Errorf("%d versions over two pages", n)
	}
}
