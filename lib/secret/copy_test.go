package secret_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"microsecrets/lib/secret"
)

// A copy is bound to its new name, says who made it and from where, and takes no
// request more than reading and writing do.
func TestCopy(t *testing.T) {
	ctx := context.Background()
	s := start(t)
	ada, bob := "ada", "bob"
	s.Do("bucket other-bucket versioned")
	from := s.open(t, secret.Options{By: &ada})
	to := s.openAt(t, "other-bucket/prod", secret.Options{By: &bob, Key: "alias/other"})
	s.Do("key create alias/other")
	original := put(t, from, "svc/a b?c", "1")
	probe(t, to, nil)
	s.Do("reset")
	r, err := to.Copy(ctx, "svc/new", from, "svc/a b?c", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Do("want 'GetObject 1' 'Decrypt 1' 'GenerateDataKey 1' 'PutObject 1'")
	if r.Outcome != secret.Created || r.Name != "svc/new" || r.Size != 1 || r.Version == "" {
		t.Errorf("%+v", r)
	}
	info, h, err := to.Inspect(ctx, "svc/new", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := h.Context["ms-copied-from"], "s3://example-microsecrets/svc/a%20b%3Fc?versionId="+original.Version; got != want {
		t.Errorf("copied from %q, not %q", got, want)
	}
	if h.Context["ms-by"] != "bob" || h.Context["ms-at"] == "" || info.Version != r.Version {
		t.Errorf("%v, %+v", h.Context, info)
	}

	// The same again: nothing is written.
	s.Do("reset")
	again, err := to.Copy(ctx, "svc/new", from, "svc/a b?c", nil)
	if err != nil || again.Outcome != secret.Unchanged || again.SHA256 != r.SHA256 || again.Version != r.Version || again.Size != 1 || again.Key != r.Key {
		t.Errorf("%+v, %v", again, err)
	}
	s.Do("want 'GetObject 2' 'Decrypt 2' 'GenerateDataKey 1' 'PutObject 1'")

	// A rotation, which keeps where it is from; a copy of it, which does not.
	s.Do("key create alias/next")
	next := s.openAt(t, "other-bucket/prod", secret.Options{Key: "alias/next"})
	if _, err := next.NewRotator(&secret.RotateOptions{From: "alias/other"}).Rotate(ctx, "svc/new"); err != nil {
		t.Fatal(err)
	}
	if _, err := next.Copy(ctx, "svc/third", next, "svc/new", nil); err != nil {
		t.Fatal(err)
	}
	_, rotated, _ := next.Inspect(ctx, "svc/new", nil)
	_, third, _ := next.Inspect(ctx, "svc/third", nil)
	if rotated.Context["ms-copied-from"] != h.Context["ms-copied-from"] || !strings.HasPrefix(third.Context["ms-copied-from"], "s3://other-bucket/prod/svc/new?versionId=") || third.Context["ms-rotated-at"] != "" {
		t.Errorf("%v\n%v", rotated.Context, third.Context)
	}
}

// What is there is compared, and replaced only if that was asked for, and on
// condition that it is still what was compared.
func TestCopyOver(t *testing.T) {
	for size, text := range map[string]string{"small": "new", "large": string(big)} {
		t.Run(size, func(t *testing.T) {
			ctx := context.Background()
			s := start(t)
			store := s.open(t, secret.Options{})
			put(t, store, "a", text)
			s.Do("write b whatever")
			copied := func(o *secret.CopyOptions) string {
				t.Helper()
				r, err := store.Copy(ctx, "b", store, "a", o)
				switch {
				case errors.Is(err, secret.ErrExists):
					return "exists"
				case errors.Is(err, secret.ErrChanged):
					return "changed"
				case errors.Is(err, secret.ErrNotAuthentic):
					return "not authentic"
				case err != nil:
					t.Fatal(err)
				}
				return string(r.Outcome)
			}
			state := func() string { return s.Do("uploads") + s.Do("versions") }
			is := func(want string) {
				t.Helper()
				got, err := store.Get(ctx, "b", nil)
				if err != nil || string(got) != want {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			}

			// What is there is no message.
			before := state()
			for _, o := range []*secret.CopyOptions{nil, {Create: true}, {Plan: true}} {
				want := "not authentic"
				if o != nil && o.Create {
					want = "exists"
				}
				if got := copied(o); got != want || state() != before {
					t.Errorf("%+v: %s", o, got)
				}
			}
			if got := copied(&secret.CopyOptions{Replace: true}); got != "updated" {
				t.Error(got)
			}
			is(text)

			// The same.
			before = state()
			for _, o := range []*secret.CopyOptions{nil, {Create: true}, {Replace: true}, {Plan: true}, {If: strings.Repeat("0", 32)}} {
				want := "unchanged"
				switch {
				case o == nil:
				case o.Create:
					want = "exists"
				case o.If != "":
					want = "changed"
				}
				if got := copied(o); got != want || state() != before {
					t.Errorf("the same, %+v: %s", o, got)
				}
			}

			// Another.
			put(t, store, "b", "other")
			before = state()
			info, err := store.Stat(ctx, "b", nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range []*secret.CopyOptions{nil, {Create: true}, {Plan: true}} {
				if got := copied(o); got != "exists" || state() != before {
					t.Errorf("another, %+v: %s", o, got)
				}
			}
			if got := copied(&secret.CopyOptions{If: info.Version, Plan: true}); got != "updated" || state() != before {
				t.Errorf("planned: %s", got)
			}
			if got := copied(&secret.CopyOptions{If: info.Version}); got != "updated" {
				t.Errorf("the latest version: %s", got)
			}
			is(text)

			// Another writer in between: with Replace what it wrote is looked at as well.
			put(t, store, "b", "other")
			s.Do("fault do 'write b between' PutObject,CompleteMultipartUpload key=b times=1")
			if got := copied(&secret.CopyOptions{Replace: true}); got != "updated" {
				t.Error(got)
			}
			is(text)
			put(t, store, "b", "other")
			if info, err = store.Stat(ctx, "b", nil); err != nil {
				t.Fatal(err)
			}
			s.Do("clear", "fault do 'write b between' PutObject,CompleteMultipartUpload key=b times=1")
			if got := copied(&secret.CopyOptions{If: info.ETag}); got != "changed" || s.Do("cat b") != "between" {
				t.Error(got)
			}
			s.Do("clear", "rm b", "fault do 'write b between' PutObject,CompleteMultipartUpload key=b times=1")
			if got := copied(&secret.CopyOptions{Create: true}); got != "exists" || s.Do("cat b") != "between" {
				t.Error(got)
			}
			s.Do("clear", "rm b", "fault do 'write b between' PutObject,CompleteMultipartUpload key=b times=1")
			if got := copied(nil); got != "not authentic" || s.Do("cat b") != "between" {
				t.Error(got)
			}
			if got := s.Do("uploads"); got != "" {
				t.Errorf("left: %s", got)
			}
		})
	}
}

// Nothing appears unless all of the original was authentic, and what was asked for.
func TestCopyOfWhatIsNotAuthentic(t *testing.T) {
	ctx := context.Background()
	s := start(t)
	store := s.open(t, secret.Options{})
	s.Do("write no-message whatever")
	for _, text := range []string{"small", string(big)} {
		for _, alter := range []string{"flip a -1", "flip a 300", "truncate a " + map[bool]string{true: "400", false: "8400000"}[text == "small"], ""} {
			put(t, store, "a", text)
			var o *secret.CopyOptions
			if alter == "" {
				o = &secret.CopyOptions{Checksum: slices.Repeat([]byte{1}, 32)}
			} else {
				s.Do(alter)
			}
			before := s.Do("versions")
			_, err := store.Copy(ctx, "b", store, "a", o)
			var e *secret.Error
			if !errors.Is(err, secret.ErrNotAuthentic) || !errors.As(err, &e) || e.Name != "a" {
				t.Errorf("%d bytes, %q: %v", len(text), alter, err)
			}
			// What is there cannot be compared, and the original is verified all the same.
			plan := secret.CopyOptions{Plan: true, Replace: true}
			if o != nil {
				plan.Checksum = o.Checksum
			}
			if _, err := store.Copy(ctx, "no-message", store, "a", &plan); !errors.Is(err, secret.ErrNotAuthentic) || !errors.As(err, &e) || e.Name != "a" {
				t.Errorf("%d bytes, %q, planned: %v", len(text), alter, err)
			}
			if got := s.Do("uploads") + s.Do("versions"); got != before {
				t.Errorf("%d bytes, %q: changed: %s", len(text), alter, got)
			}
		}
	}
}

// A server that does not say how long the original is.
func TestCopyOfUnknownLength(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := start(t)
	store := s.open(t, secret.Options{})
	put(t, store, "a", "text")
	put(t, store, "b", string(big[:2<<20]))
	s.Do("fault replace status=200 header=Content-Range chunked GetObject key=a")
	r, err := store.Copy(ctx, "b", store, "a", &secret.CopyOptions{Replace: true})
	if err != nil || r.Outcome != secret.Updated || r.Size != 4 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A large secret that changes while it is copied is copied as it is then.
func TestCopyOfWhatChanges(t *testing.T) {
	ctx := context.Background()
	s := start(t)
	store := s.open(t, secret.Options{})
	put(t, store, "a", string(big))
	s.Do("fault do 'rm a' GetObject key=a skip=1 times=1")
	if _, err := store.Copy(ctx, "b", store, "a", nil); !errors.Is(err, secret.ErrNotFound) {
		t.Error(err)
	}
	s.Do("clear")
	put(t, store, "a", string(big))
	put(t, store, "other", "other")
	for _, o := range []*secret.CopyOptions{{Create: true}, {Replace: true}} {
		s.Do("fault do 'write a another' GetObject key=a skip=1 times=1")
		_, err := store.Copy(ctx, "b", store, "a", o)
		var e *secret.Error
		if !errors.Is(err, secret.ErrNotAuthentic) || !errors.As(err, &e) || e.Name != "a" {
			t.Errorf("%+v: %v", o, err)
		}
		s.Do("clear")
		put(t, store, "a", string(big))
	}
	info, err := store.Stat(ctx, "other", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Do("fault do 'write a another' GetObject key=a skip=3 times=1")
	if _, err := store.Copy(ctx, "other", store, "a", &secret.CopyOptions{If: info.ETag}); !errors.Is(err, secret.ErrNotAuthentic) {
		t.Error(err)
	}
	s.Do("clear")
	if got := s.Do("uploads"); got != "" {
		t.Errorf("left: %s", got)
	}
	if _, err := store.Get(ctx, "b", nil); !errors.Is(err, secret.ErrNotFound) {
		t.Error(err)
	}
}

// A reply that is lost makes no double, and is no conflict.
func TestCopyUnanswered(t *testing.T) {
	ctx := context.Background()
	s := start(t)
	store := s.probed(t, secret.Options{})
	for _, text := range [][]byte{[]byte("small"), big} {
		put(t, store, "a", string(text))
		s.Do("fault forget PutObject,CompleteMultipartUpload key=b times=1")
		r, err := store.Copy(ctx, "b", store, "a", nil)
		if err != nil || r.Outcome != secret.Created {
			t.Fatal(r, err)
		}
		if got := s.Do("versions b"); strings.Count(got, "\n") != 1 {
			t.Errorf("a double: %s", got)
		}
		got, err := store.Get(ctx, "b", nil)
		if err != nil || !bytes.Equal(got, text) {
			t.Error(err)
		}
		s.Do("clear")
		if err := store.Remove(ctx, "b", &secret.RemoveOptions{Purge: true}); err != nil {
			t.Fatal(err)
		}
	}
}
