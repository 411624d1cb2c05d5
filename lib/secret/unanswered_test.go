package secret_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/secret"
)

// arena is a store at an emulator of its own, in which app/env is a secret, or is
// not, and other holds what another writer stores by the line "copy other app/env".
type arena struct {
	t       *testing.T
	fake    *fakeawstest.Server
	config  aws.Config
	options secret.Options
	store   *secret.Store
}

// arenaOf returns an arena of a bucket that is versioned, unversioned or suspended.
// The server has been probed for what PutObject, and DeleteObject, need.
func arenaOf(t *testing.T, bucket string, o secret.Options) *arena {
	t.Helper()
	a := &arena{t: t, fake: fakeawstest.Start(t, "bucket example-microsecrets "+bucket), options: o}
	a.config = a.fake.Config()
	a.config.RetryMaxAttempts = 3
	a.options.Unsigned = true // signing takes most of the time
	a.options.Key = "alias/microsecrets-app"
	a.store = a.open(a.options)
	// Made under another name, it would not be authentic.
	etag := a.put("app/env", others).ETag
	a.fake.Do("copy app/env other")
	if err := a.remove(&secret.RemoveOptions{If: etag}); err != nil {
		t.Fatal(err)
	}
	if err := a.write("", &secret.PutOptions{Create: true}); err != nil {
		t.Fatal(err)
	}
	if err := a.remove(&secret.RemoveOptions{Purge: true}); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *arena) open(o secret.Options) *secret.Store {
	a.t.Helper()
	store, err := secret.New(a.config, "s3://example-microsecrets", &o)
	if err != nil {
		a.t.Fatal(err)
	}
	return store
}

func (a *arena) put(name, text string) *secret.Receipt {
	a.t.Helper()
	return put(a.t, a.store, name, text)
}

// stored counts the versions of app/env that are not deletions.
func (a *arena) stored() int {
	return strings.Count(a.fake.Do("versions app/env"), "\n") - strings.Count(a.fake.Do("versions app/env"), "deleted")
}

// value is what app/env holds, "" if there is none.
func (a *arena) value() string {
	a.t.Helper()
	text, err := a.store.Get(context.Background(), "app/env", nil)
	if errors.Is(err, secret.ErrNotFound) {
		return ""
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return string(text)
}

// A change is one of those that are made under every fault below.
type change struct {
	name   string
	op     string // the request that makes it
	exists bool   // app/env is there before
	want   string // what it holds after
	do     func(*arena, string) error
}

const (
	old    = `{"OLD":"1"}`
	others = `{"OTHER":"1"}`
)

var changes = []change{
	{"put", "PutObject", true, "new", func(a *arena, _ string) error { return a.write("new", nil) }},
	{"put what is absent", "PutObject", false, "new", func(a *arena, _ string) error { return a.write("new", nil) }},
	{"put in parts", "CompleteMultipartUpload", true, string(big), func(a *arena, _ string) error { return a.write(string(big), nil) }},
	{"create", "PutObject", false, "new", func(a *arena, _ string) error {
		return a.write("new", &secret.PutOptions{Create: true})
	}},
	{"create in parts", "CompleteMultipartUpload", false, string(big), func(a *arena, _ string) error {
		return a.write(string(big), &secret.PutOptions{Create: true})
	}},
	{"if", "PutObject", true, "new", func(a *arena, etag string) error {
		return a.write("new", &secret.PutOptions{If: etag})
	}},
	{"if in parts", "CompleteMultipartUpload", true, string(big), func(a *arena, etag string) error {
		return a.write(string(big), &secret.PutOptions{If: etag})
	}},
	{"merge", "PutObject", true, `{"NEW":"1","OLD":"1"}`, func(a *arena, _ string) error { return a.merge(nil) }},
	{"merge what is absent", "PutObject", false, `{"NEW":"1"}`, func(a *arena, _ string) error { return a.merge(nil) }},
	{"merge if", "PutObject", true, `{"NEW":"1","OLD":"1"}`, func(a *arena, etag string) error {
		return a.merge(&secret.PutOptions{If: etag})
	}},
	{"rotate", "PutObject", true, old, func(a *arena, _ string) error {
		o := a.options
		o.Key = "alias/microsecrets-next"
		_, err := a.open(o).NewRotator(&secret.RotateOptions{From: a.options.Key}).Rotate(context.Background(), "app/env")
		o.Key += "," + a.options.Key
		a.store = a.open(o)
		return err
	}},
}

func (a *arena) write(text string, o *secret.PutOptions) error {
	_, err := a.store.Put(context.Background(), "app/env", strings.NewReader(text), o)
	return err
}

func (a *arena) merge(o *secret.PutOptions) error {
	_, err := a.store.Merge(context.Background(), "app/env", set("NEW", "1"), o)
	return err
}

func (a *arena) remove(o *secret.RemoveOptions) error {
	return a.store.Remove(context.Background(), "app/env", o)
}

// prepare stores what is there before a change, and returns its ETag.
func (a *arena) prepare(c change) (etag string) {
	a.t.Helper()
	if c.exists {
		etag = a.put("app/env", old).ETag
		a.fake.Do("clock 10s") // what was there before is older than any write
	}
	return etag
}

// isUncertain reports whether an error says that the change may have been made,
// and nothing else.
func isUncertain(err error) bool {
	var e *secret.Error
	return errors.As(err, &e) && e.MaybeApplied && errors.Is(err, secret.ErrUnreachable) &&
		!errors.Is(err, secret.ErrChanged) && !errors.Is(err, secret.ErrExists) && !errors.Is(err, secret.ErrNotFound)
}

// each runs a test for each change in each kind of bucket.
func each(t *testing.T, test func(*testing.T, *arena, change, string)) {
	for _, bucket := range []string{"versioned", "unversioned", "suspended"} {
		for _, c := range changes {
			if testing.Short() && (bucket == "suspended" || c.op != "PutObject" && bucket != "versioned") {
				continue
			}
			t.Run(bucket+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				a := arenaOf(t, bucket, secret.Options{})
				test(t, a, c, bucket)
			})
		}
	}
}

// A first attempt that is still at work makes the second one a conflict. The same
// message is sent again until its fate is known: it is stored once, and no other
// one is.
func TestConflictWithOneself(t *testing.T) {
	each(t, func(t *testing.T, a *arena, c change, bucket string) {
		etag := a.prepare(c)
		before := a.stored()
		a.fake.Do("reset",
			"fault detach "+c.op+" key=app/env times=1",
			"fault hold "+c.op+" key=app/env times=1",
			"fault answer 409 ConditionalRequestConflict "+c.op+" key=app/env skip=1 times=2",
			"fault do release "+c.op+" key=app/env skip=3 times=1")
		if err := c.do(a, etag); err != nil {
			t.Fatal(err)
		}
		a.fake.Do("idle")
		sealed := "1\n"
		if c.name == "rotate" { // it asks for today's keys by another one
			sealed = "2\n"
		}
		if n := a.fake.Do("count GenerateDataKey"); n != sealed {
			t.Errorf("%s messages were made", strings.TrimSpace(n))
		}
		if n := a.stored(); bucket == "versioned" && n != before+1 {
			t.Errorf("%d versions more", n-before)
		}
		if got := a.value(); got != c.want {
			t.Errorf("%.40q is stored", got)
		}
	})
}

// What failed after it had been done is done, and is not done again.
func TestFailedAfterActing(t *testing.T) {
	for _, fault := range []string{"answer-after 500 InternalError", "forget", "detach"} {
		t.Run(fault, func(t *testing.T) {
			each(t, func(t *testing.T, a *arena, c change, bucket string) {
				etag := a.prepare(c)
				before := a.stored()
				a.fake.Do("fault " + fault + " " + c.op + " key=app/env times=1")
				if err := c.do(a, etag); err != nil {
					t.Fatal(err)
				}
				a.fake.Do("idle")
				if n := a.stored(); bucket == "versioned" && n != before+1 {
					t.Errorf("%d versions more", n-before)
				}
				if got := a.value(); got != c.want {
					t.Errorf("%.40q is stored", got)
				}
			})
		})
	}
}

// A success that is not one of S3's is a failure, after which nothing is repeated,
// and the change may have been made.
func TestAnswerOfAnother(t *testing.T) {
	each(t, func(t *testing.T, a *arena, c change, bucket string) {
		etag := a.prepare(c)
		before := a.stored()
		a.fake.Do("fault replace header=ETag text='<html></html>' " + c.op + " key=app/env")
		err := c.do(a, etag)
		var e *secret.Error
		if !errors.As(err, &e) || !e.MaybeApplied || errors.Is(err, secret.ErrUnreachable) || !strings.Contains(err.Error(), "HTTP status 200") {
			t.Error(err)
		}
		if n := a.stored(); bucket == "versioned" && n != before+1 {
			t.Errorf("%d versions more", n-before)
		}
	})
}

// What another has put on top of a write, whose answer is lost, stays: where the
// history tells, the write has succeeded, and elsewhere nobody knows.
func TestOvertaken(t *testing.T) {
	each(t, func(t *testing.T, a *arena, c change, bucket string) {
		etag := a.prepare(c)
		before := a.stored()
		a.fake.Do("fault do-after 'copy other app/env' "+c.op+" key=app/env times=1", "fault forget "+c.op+" key=app/env times=1")
		err := c.do(a, etag)
		switch {
		case bucket != "versioned":
			if !isUncertain(err) {
				t.Error(err)
			}
		case c.name == "put in parts":
			if !errors.Is(err, secret.ErrChanged) || !strings.Contains(err.Error(), "stored, but not as the latest version") {
				t.Error(err)
			}
		case err != nil:
			t.Error(err)
		}
		if n := a.stored(); bucket == "versioned" && n != before+2 {
			t.Errorf("%d versions more", n-before)
		}
		if got := a.value(); got != others {
			t.Errorf("%.40q is stored", got)
		}
	})
}

// A write that was never acted on is repeated on condition that all is as it was
// seen, and what another has written meanwhile is not lost: a merge keeps it, and
// what was to be done only before is a conflict.
func TestLostAndOvertaken(t *testing.T) {
	each(t, func(t *testing.T, a *arena, c change, bucket string) {
		etag := a.prepare(c)
		a.fake.Do("fault do 'copy other app/env' "+c.op+" key=app/env times=1", "fault drop "+c.op+" key=app/env times=1")
		err := c.do(a, etag)
		got := a.value()
		switch {
		case bucket != "versioned": // it may have been written before the other
			if !isUncertain(err) || got != others {
				t.Errorf("%v, and %.40q is stored", err, got)
			}
		case c.name == "put" || c.name == "put what is absent":
			if err != nil || got != "new" || a.stored() < 2 {
				t.Errorf("%v, and %.40q is stored", err, got)
			}
		case strings.HasPrefix(c.name, "merge") && c.name != "merge if":
			if err != nil || got != `{"NEW":"1","OTHER":"1"}` {
				t.Errorf("%v, and %.40q is stored", err, got)
			}
		case c.name == "rotate":
			if err != nil || got != others {
				t.Errorf("%v, and %.40q is stored", err, got)
			}
		case strings.HasPrefix(c.name, "create"):
			if !errors.Is(err, secret.ErrExists) || got != others {
				t.Errorf("%v, and %.40q is stored", err, got)
			}
		default:
			if !errors.Is(err, secret.ErrChanged) || got != others {
				t.Errorf("%v, and %.40q is stored", err, got)
			}
		}
	})
}

// What ends, by its context, while a change is on its way, may have been made.
func TestEndedOnTheWay(t *testing.T) {
	for _, reason := range []error{context.Canceled, context.DeadlineExceeded} {
		for _, fault := range []string{"hold", "hold-reply"} {
			t.Run(fmt.Sprint(fault, reason), func(t *testing.T) {
				t.Parallel()
				a := arenaOf(t, "versioned", secret.Options{})
				etag := a.put("app/env", old).ETag
				a.fake.Do("fault " + fault + " PutObject,DeleteObject key=app/env")
				for name, do := range map[string]func(context.Context) error{
					"put": func(ctx context.Context) error {
						_, err := a.store.Put(ctx, "app/env", strings.NewReader("new"), nil)
						return err
					},
					"if": func(ctx context.Context) error {
						_, err := a.store.Put(ctx, "app/env", strings.NewReader("new"), &secret.PutOptions{If: etag})
						return err
					},
					"remove": func(ctx context.Context) error {
						return a.store.Remove(ctx, "app/env", nil)
					},
				} {
					ctx, cancel := context.WithCancelCause(context.Background())
					op := "PutObject"
					if name == "remove" {
						op = "DeleteObject"
					}
					failed := make(chan error)
					go func() { failed <- do(ctx) }()
					a.fake.Do("await " + op + " 1")
					cancel(reason)
					err := <-failed
					if !isUncertain(err) || !errors.Is(err, reason) {
						t.Errorf("%s: %v", name, err)
					}
					a.fake.Do("release", "idle", "rm app/env", "copy other app/env", "fault "+fault+" PutObject,DeleteObject key=app/env")
					etag = strings.Trim(stat(a).ETag, `"`)
				}
			})
		}
	}
}

func stat(a *arena) *secret.Info {
	a.t.Helper()
	info, err := a.store.Stat(context.Background(), "app/env", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	return info
}
