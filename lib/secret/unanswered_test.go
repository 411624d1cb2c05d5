package secret_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/racetest"
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
	a.config.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Millisecond, nil })
		})
	}
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

func (c change) inParts() bool { return c.op == "CompleteMultipartUpload" }

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
			if racetest.Quick() && (bucket == "suspended" || c.inParts() && (bucket != "versioned" || c.name != "if in parts")) {
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
		// The first attempt of a put has no condition, and may come after the last.
		unconditional := c.name == "put" || c.name == "put what is absent"
		if n := a.stored(); bucket == "versioned" && n != before+1 && !unconditional {
			t.Errorf("%d versions more", n-before)
		}
		if got := a.value(); got != c.want {
			t.Errorf("%.40q is stored", got)
		}
	})
}

// What failed after it had been done is done, and is not done again.
func TestFailedAfterActing(t *testing.T) {
	faults := []string{"forget", "answer-after 500 InternalError", "detach"}
	if racetest.Quick() {
		faults = faults[:1]
	}
	for _, fault := range faults {
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

// What another has put on top of a write, whose answer is lost, stays: with a
// history the write is known to have succeeded, without one the outcome is unknown.
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

// What became of a removal without an answer is found out from the store. What
// another has written since is not removed.
func TestRemovalUnanswered(t *testing.T) {
	plain, ifSeen := false, true
	for _, test := range []struct {
		name      string
		faults    []string // on the removal of app/env
		versioned [2]string
		other     [2]string // where no versions are kept
		stays     string
	}{
		{"done", []string{"forget"}, [2]string{"", ""}, [2]string{"", ""}, ""},
		{"done, and failed", []string{"answer-after 500 InternalError"}, [2]string{"", ""}, [2]string{"", ""}, ""},
		{"never done", []string{"drop"}, [2]string{"", ""}, [2]string{"", ""}, ""},
		{"done when the client is gone", []string{"detach"}, [2]string{"", ""}, [2]string{"", ""}, ""},
		{"done, then made again", []string{"do-after 'copy other app/env'", "forget"},
			[2]string{"", ""}, [2]string{"uncertain", "uncertain"}, others},
		{"never done, and replaced", []string{"do 'copy other app/env'", "drop"},
			[2]string{"uncertain", "changed"}, [2]string{"uncertain", "uncertain"}, others},
		{"never done, and replaced, then removed", []string{"do 'copy other app/env'", "do 'rm app/env'", "drop"},
			[2]string{"", "changed"}, [2]string{"", ""}, ""},
		// What is stored twice has two versions of one ETag.
		{"done, then stored again", []string{"do-after 'copy same app/env'", "forget"},
			[2]string{"", ""}, [2]string{"", ""}, "again"},
	} {
		for _, bucket := range []string{"versioned", "unversioned", "suspended"} {
			if racetest.Quick() && bucket == "suspended" {
				continue
			}
			for _, conditional := range []bool{plain, ifSeen} {
				t.Run(fmt.Sprintf("%s/%s/if=%v", test.name, bucket, conditional), func(t *testing.T) {
					t.Parallel()
					a := arenaOf(t, bucket, secret.Options{})
					etag := a.put("app/env", old).ETag
					a.fake.Do("copy app/env same", "clock 10s")
					for _, fault := range test.faults {
						a.fake.Do("fault " + fault + " DeleteObject key=app/env times=1")
					}
					var o *secret.RemoveOptions
					want, i := test.other, 0
					if bucket == "versioned" {
						want = test.versioned
					}
					if conditional {
						o, i = &secret.RemoveOptions{If: etag}, 1
					}
					err := a.remove(o)
					a.fake.Do("idle")
					switch want[i] {
					case "":
						if err != nil {
							t.Error(err)
						}
					case "uncertain":
						if !isUncertain(err) || !strings.Contains(err.Error(), "outcome unknown, may have been removed") {
							t.Error(err)
						}
					case "changed":
						if !errors.Is(err, secret.ErrChanged) {
							t.Error(err)
						}
					}
					stays := test.stays
					if stays == "again" { // seen as what was to be removed, but where the history tells
						stays = ""
						if bucket == "versioned" {
							stays = old
						}
					}
					if got := a.value(); got != stays {
						t.Errorf("%q is there", got)
					}
				})
			}
		}
	}
}

// A removal that meets another one, which is its own, is repeated until its fate is
// known.
func TestRemovalInConflictWithItself(t *testing.T) {
	for _, bucket := range []string{"versioned", "unversioned"} {
		t.Run(bucket, func(t *testing.T) {
			t.Parallel()
			a := arenaOf(t, bucket, secret.Options{})
			etag := a.put("app/env", old).ETag
			a.fake.Do("fault detach DeleteObject key=app/env times=1",
				"fault hold DeleteObject key=app/env times=1",
				"fault answer 409 ConditionalRequestConflict DeleteObject key=app/env skip=1 times=2",
				"fault do release DeleteObject key=app/env skip=3 times=1")
			if err := a.remove(&secret.RemoveOptions{If: etag}); err != nil {
				t.Error(err)
			}
			a.fake.Do("idle")
			if got := a.value(); got != "" {
				t.Errorf("%q is there", got)
			}
			if n := strings.Count(a.fake.Do("versions app/env"), "deleted"); bucket == "versioned" && n != 1 {
				t.Errorf("%d deletions", n)
			}
		})
	}
}

// Where the store cannot be asked, nobody knows, and it is said so.
func TestNobodyKnows(t *testing.T) {
	for _, bucket := range []string{"versioned", "unversioned"} {
		for name, do := range map[string]func(*arena, string) error{
			"put":       func(a *arena, _ string) error { return a.write("new", nil) },
			"if":        func(a *arena, etag string) error { return a.write("new", &secret.PutOptions{If: etag}) },
			"merge":     func(a *arena, _ string) error { return a.merge(nil) },
			"remove":    func(a *arena, _ string) error { return a.remove(nil) },
			"remove if": func(a *arena, etag string) error { return a.remove(&secret.RemoveOptions{If: etag}) },
		} {
			t.Run(bucket+"/"+name, func(t *testing.T) {
				t.Parallel()
				a := arenaOf(t, bucket, secret.Options{})
				etag := a.put("app/env", old).ETag
				a.fake.Do("fault do-after 'fault drop GetObject,HeadObject,ListObjectVersions' PutObject,DeleteObject key=app/env",
					"fault forget PutObject,DeleteObject key=app/env")
				if err := do(a, etag); !isUncertain(err) {
					t.Error(err)
				}
			})
		}
	}
}

// A merge that waited in vain for an answer reads again if somebody else has
// written meanwhile, however long it waited.
func TestMergeAfterStall(t *testing.T) {
	a := arenaOf(t, "versioned", secret.Options{Timeout: time.Second})
	a.put("app/env", old)
	a.fake.Do("fault do 'copy other app/env' PutObject key=app/env times=1", "fault hold PutObject key=app/env times=1")
	if err := a.merge(nil); err != nil {
		t.Fatal(err)
	}
	if got := a.value(); got != `{"NEW":"1","OTHER":"1"}` {
		t.Errorf("%s is stored", got)
	}
}

// An upload in parts that another one, begun later, has overtaken is stored, and is
// not the latest version: that is not a success, whether it is answered or not.
func TestOvertakenByLaterUpload(t *testing.T) {
	for _, fault := range []string{"", "forget", "detach"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			a := arenaOf(t, "versioned", secret.Options{})
			a.put("app/env", old)
			a.fake.Do("fault hold CompleteMultipartUpload key=app/env times=1")
			if fault != "" {
				a.fake.Do("fault " + fault + " CompleteMultipartUpload key=app/env times=1")
			}
			failed := make(chan error)
			go func() { failed <- a.write(string(big), nil) }()
			a.fake.Do("await CompleteMultipartUpload 1")
			later := string(big[1:])
			if err := a.write(later, nil); err != nil {
				t.Error(err)
			}
			a.fake.Do("release")
			err := <-failed
			if !errors.Is(err, secret.ErrChanged) || !strings.HasPrefix(err.Error(), "app/env: stored, but not as the latest version: ") {
				t.Error(err)
			}
			if got := a.value(); got != later {
				t.Error("another value is the latest")
			}
			if n := a.stored(); n != 3 {
				t.Errorf("%d versions", n)
			}
		})
	}
}

// Where it cannot be found out whether an upload in parts is the latest version, it is
// no success, unless the caller may not look.
func TestUploadNotLookedFor(t *testing.T) {
	a := arenaOf(t, "versioned", secret.Options{})
	a.fake.Do("fault drop HeadObject key=app/env")
	if err := a.write(string(big), nil); !isUncertain(err) {
		t.Error(err)
	}
	a.fake.Do("clear", "deny s3:GetObject app/env")
	if err := a.write(string(big), nil); err != nil {
		t.Error(err)
	}
}

// An upload in parts to what was removed after it had begun is not there, and that is
// no success.
func TestCreatedBelowRemoval(t *testing.T) {
	a := arenaOf(t, "versioned", secret.Options{})
	for _, o := range []*secret.PutOptions{nil, {Create: true}} {
		a.fake.Do("fault do 'copy other app/env' CompleteMultipartUpload key=app/env times=1",
			"fault do 'rm app/env' CompleteMultipartUpload key=app/env times=1")
		if err := a.write(string(big), o); !errors.Is(err, secret.ErrChanged) {
			t.Error(err)
		}
		if got := a.value(); got != "" {
			t.Errorf("%.40q is there", got)
		}
	}
}

// What a probe has repeated, where another had removed the first, is removed again;
// what others have written on top of the repetition stays.
func TestProbeRemovesItsRepetition(t *testing.T) {
	for _, bucket := range []string{"versioned", "unversioned", "suspended"} {
		for name, do := range map[string]func(*arena) error{
			"create": func(a *arena) error { return a.write("new", &secret.PutOptions{Create: true}) },
			"merge":  func(a *arena) error { return a.merge(nil) },
		} {
			if racetest.Quick() && bucket == "suspended" {
				continue
			}
			for i, removal := range []string{"", "", "answer 409 ConditionalRequestConflict", "forget", "drop"} {
				meanwhile := ""
				if i == 1 {
					meanwhile = others
				}
				t.Run(bucket+"/"+name+"/"+meanwhile+removal, func(t *testing.T) {
					t.Parallel()
					a := arenaOf(t, bucket, secret.Options{})
					a.store = a.open(a.options) // which has not probed the server
					if removal != "" {
						a.fake.Do("fault " + removal + " DeleteObject key=app/env times=1")
					}
					a.fake.Do("fault do 'rm app/env' PutObject key=app/env skip=1 times=1")
					if meanwhile != "" {
						a.fake.Do("fault do-after 'copy other app/env' PutObject key=app/env skip=1 times=1")
					}
					if err := do(a); err != nil {
						t.Error(err)
					}
					if got := a.value(); got != meanwhile {
						t.Errorf("%q is there", got)
					}
				})
			}
		}
	}
}

// What is replaced while it is read, before anything of it was released, is read
// again from its beginning.
func TestReplacedWhileRead(t *testing.T) {
	for name, do := range map[string]func(*arena) error{
		"get": func(a *arena) error {
			if got := a.value(); got != others {
				return fmt.Errorf("got %q", got)
			}
			return nil
		},
		"put changed": func(a *arena) error {
			r, err := a.store.Put(context.Background(), "app/env", strings.NewReader(others), &secret.PutOptions{Changed: true})
			if err == nil && r.Outcome == secret.Written {
				return errors.New("was not compared")
			}
			return err
		},
		"merge":  func(a *arena) error { return a.merge(nil) },
		"rotate": changes[len(changes)-1].asNew,
	} {
		for _, at := range []string{"10", "400", "-1"} {
			t.Run(name+"/"+at, func(t *testing.T) {
				t.Parallel()
				a := arenaOf(t, "versioned", secret.Options{})
				a.put("app/env", old)
				size := stat(a).Size
				if at == "-1" {
					at = fmt.Sprint(size - 1)
				}
				a.fake.Do("fault cut "+at+" GetObject key=app/env times=1",
					"fault do 'copy other app/env' GetObject key=app/env skip=1 times=1")
				if err := do(a); err != nil {
					t.Fatal(err)
				}
				want := others
				if name == "merge" {
					want = `{"NEW":"1","OTHER":"1"}`
				}
				if got := a.value(); got != want {
					t.Errorf("%q is stored", got)
				}
			})
		}
	}
}

func (c change) asNew(a *arena) error { return c.do(a, "") }

// Under LastWriterWins no change has a condition, answered or not.
func TestLastWriterWinsSendsNoCondition(t *testing.T) {
	removals := []change{
		{"remove", "DeleteObject", true, "", func(a *arena, _ string) error { return a.remove(nil) }},
		{"remove if", "DeleteObject", true, "", func(a *arena, etag string) error { return a.remove(&secret.RemoveOptions{If: etag}) }},
	}
	for _, fault := range []string{"", "forget", "drop"} {
		for _, c := range append(removals, changes...) {
			if racetest.Quick() && c.inParts() && fault != "" {
				continue
			}
			t.Run(fault+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				a := arenaOf(t, "unversioned", secret.Options{LastWriterWins: true})
				client := &recorder{HTTPClient: awshttp.NewBuildableClient()}
				a.config.HTTPClient = client
				a.store = a.open(a.options)
				etag := a.prepare(c)
				if fault != "" {
					a.fake.Do("fault " + fault + " " + c.op + " key=app/env times=1")
				}
				if err := c.do(a, etag); err != nil {
					t.Error(err)
				}
				if got := a.value(); got != c.want {
					t.Errorf("%.40q is stored", got)
				}
				if client.changes == 0 || len(client.conditional) > 0 {
					t.Errorf("%d changes, with a condition: %q", client.changes, client.conditional)
				}
			})
		}
	}
}

// recorder notes the changes that have a condition.
type recorder struct {
	aws.HTTPClient
	mu          sync.Mutex
	changes     int
	conditional []string
}

func (r *recorder) Do(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		r.mu.Lock()
		r.changes++
		for _, name := range []string{"If-Match", "If-None-Match", "If-Unmodified-Since"} {
			if request.Header.Get(name) != "" {
				r.conditional = append(r.conditional, request.Method+" "+request.URL.Path+" "+name)
			}
		}
		r.mu.Unlock()
	}
	return r.HTTPClient.Do(request)
}

// Where version ids have the form of an ETag, both are compared.
func TestIfVersionThatLooksLikeETag(t *testing.T) {
	const version = "0123456789abcdef0123456789abcdef"
	for name, do := range map[string]func(*arena, string) error{
		"put":    func(a *arena, v string) error { return a.write("new", &secret.PutOptions{If: v}) },
		"merge":  func(a *arena, v string) error { return a.merge(&secret.PutOptions{If: v}) },
		"remove": func(a *arena, v string) error { return a.remove(&secret.RemoveOptions{If: v}) },
		"put in parts": func(a *arena, v string) error {
			return a.write(string(big), &secret.PutOptions{If: v})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := arenaOf(t, "versioned", secret.Options{})
			etag := a.put("app/env", old).ETag
			a.fake.Do("fault replace header='X-Amz-Version-Id: " + version + "' GetObject,HeadObject,PutObject key=app/env")
			if err := do(a, "fedcba9876543210fedcba9876543210"); !errors.Is(err, secret.ErrChanged) {
				t.Error(err)
			}
			if got := a.value(); got != old {
				t.Errorf("%.40q is stored", got)
			}
			if err := do(a, version); err != nil {
				t.Error(err)
			}
			if err := do(a, etag); !errors.Is(err, secret.ErrChanged) {
				t.Errorf("the ETag of what was replaced: %v", err)
			}
		})
	}
}

// Without an ETag there is no condition, and no change that was to have one.
func TestNoETag(t *testing.T) {
	for name, do := range map[string]func(*arena, string) error{
		"if version":        func(a *arena, v string) error { return a.write("new", &secret.PutOptions{If: v}) },
		"merge":             func(a *arena, _ string) error { return a.merge(nil) },
		"merge if":          func(a *arena, v string) error { return a.merge(&secret.PutOptions{If: v}) },
		"remove if version": func(a *arena, v string) error { return a.remove(&secret.RemoveOptions{If: v}) },
		"rotate":            func(a *arena, _ string) error { return changes[len(changes)-1].do(a, "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := arenaOf(t, "versioned", secret.Options{})
			version := a.put("app/env", old).Version
			before := a.fake.Do("versions")
			a.fake.Do("fault replace header=ETag *")
			err := do(a, version)
			if err == nil || errors.Is(err, secret.ErrChanged) || errors.Is(err, secret.ErrUnreachable) || errors.Is(err, secret.ErrNotFound) {
				t.Error(err)
			}
			a.fake.Do("clear")
			if after := a.fake.Do("versions"); after != before {
				t.Errorf("changed: %s", after)
			}
		})
	}
}

// What is written while a bucket keeps no versions has one id: a removal of that
// which is not answered does not remove what another has made since.
func TestPurgeUnanswered(t *testing.T) {
	for _, o := range []*secret.RemoveOptions{{Purge: true}, {Version: secret.NullVersion}} {
		a := arenaOf(t, "unversioned", secret.Options{})
		a.put("app/env", old)
		a.fake.Do("fault do-after 'copy other app/env' DeleteObject key=app/env times=1", "fault forget DeleteObject key=app/env times=1")
		if err := a.remove(o); !isUncertain(err) {
			t.Error(err)
		}
		if got := a.value(); got != others {
			t.Errorf("%q is there", got)
		}
	}
}

// Of versions that were stored before a write began, one at most is looked into for
// it, however many of its size there are.
func TestOldVersionsAreNotLookedInto(t *testing.T) {
	a := arenaOf(t, "versioned", secret.Options{})
	for range 20 {
		a.put("app/env", old)
	}
	a.fake.Do("clock 10s", "reset", "fault drop PutObject key=app/env times=1")
	a.put("app/env", old)
	a.fake.Do("want 'GenerateDataKey 1' 'PutObject 2' 'GetObject 2' 'ListObjectVersions 1'")
}

// What another does between the look and the repetition stays, too: the repetition
// depends on what was seen.
func TestOvertakenAfterTheLook(t *testing.T) {
	for _, bucket := range []string{"versioned", "unversioned"} {
		t.Run(bucket, func(t *testing.T) {
			t.Parallel()
			a := arenaOf(t, bucket, secret.Options{})
			a.put("app/env", old)
			a.fake.Do("clock 10s", "reset",
				"fault drop PutObject,DeleteObject key=app/env times=1",
				"fault do 'copy other app/env' PutObject,DeleteObject key=app/env skip=1 times=1")
			if err := a.remove(nil); !isUncertain(err) {
				t.Error(err)
			}
			if got := a.value(); got != others {
				t.Errorf("%q is there", got)
			}
			a.fake.Do("clear")
			a.put("app/env", old)
			a.fake.Do("clock 20s", "reset", "fault drop PutObject key=app/env times=1", "fault do 'copy other app/env' PutObject key=app/env skip=1 times=1")
			err := a.write("new", nil)
			if bucket == "unversioned" { // what was overwritten may have been new
				if got := a.value(); !isUncertain(err) || got != others {
					t.Errorf("%v, and %q is there", err, got)
				}
				return
			}
			if got := a.value(); err != nil || got != "new" {
				t.Errorf("%v, and %q is there", err, got)
			}
			a.fake.Do("want 'GenerateDataKey 1' 'PutObject 3' 'GetObject 3' 'Decrypt 1' 'ListObjectVersions 2'")
		})
	}
}

// Whoever gives up in doubt says so.
func TestGivenUpInDoubt(t *testing.T) {
	for name, do := range map[string]func(*arena, string) error{
		"if":        func(a *arena, etag string) error { return a.write("new", &secret.PutOptions{If: etag}) },
		"merge":     func(a *arena, _ string) error { return a.merge(nil) },
		"remove if": func(a *arena, etag string) error { return a.remove(&secret.RemoveOptions{If: etag}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := arenaOf(t, "versioned", secret.Options{Timeout: time.Second})
			etag := a.put("app/env", old).ETag
			a.fake.Do("fault drop PutObject,DeleteObject key=app/env times=1",
				"fault answer 409 ConditionalRequestConflict PutObject,DeleteObject key=app/env")
			if err := do(a, etag); !isUncertain(err) {
				t.Error(err)
			}
		})
	}
}
