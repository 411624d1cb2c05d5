package secret_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"microsecrets/lib/environ"
	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/racetest"
	"microsecrets/lib/secret"
)

// server is an emulated S3 and KMS that the test's end closes.
type server struct{ *fakeawstest.Server }

func start(t testing.TB) server {
	t.Helper()
	s := fakeawstest.Start(t)
	s.Setenv()
	return server{s}
}

// open returns a store at the server.
func (s server) open(t testing.TB, o secret.Options) *secret.Store {
	t.Helper()
	return s.openAt(t, fakeaws.DefaultBucket, o)
}

func (s server) openAt(t testing.TB, location string, o secret.Options) *secret.Store {
	t.Helper()
	store, err := secret.Open(context.Background(), location, &o)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// probed returns a store that knows that its server honours the conditions of
// PutObject.
func (s server) probed(t testing.TB, o secret.Options) *secret.Store {
	t.Helper()
	store := s.open(t, o)
	probe(t, store, nil)
	return store
}

// probe makes a first conditional write: a big text probes uploads in parts, any
// other PutObject.
func probe(t testing.TB, store *secret.Store, text []byte) {
	t.Helper()
	if _, err := store.Put(context.Background(), "probe", bytes.NewReader(text), &secret.PutOptions{Create: true}); err != nil {
		t.Fatal(err)
	}
	if err := store.Remove(context.Background(), "probe", &secret.RemoveOptions{Purge: true}); err != nil {
		t.Fatal(err)
	}
}

// set is a change that sets one variable.
func set(name, value string) func([]byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		env := environ.Env{}
		if old != nil {
			var err error
			if env, err = environ.Parse(old, environ.Auto); err != nil {
				return nil, err
			}
		}
		env[name] = value
		return env.Marshal()
	}
}

func variables(t testing.TB, store *secret.Store, name string) []string {
	t.Helper()
	text, err := store.Get(context.Background(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	env, err := environ.Parse(text, environ.Auto)
	if err != nil {
		t.Fatal(err)
	}
	return env.Names()
}

// Writers side by side lose nothing, also where the secret is absent or deleted
// at first, and where nothing moves but by others within the timeout.
func TestMerges(t *testing.T) {
	mergers := 100
	if racetest.Detector {
		mergers = 30
	}
	for first, writers := range map[string]int{"absent": mergers, "deleted": 20} {
		t.Run(first, func(t *testing.T) {
			if testing.Short() && writers > 20 {
				t.Skip("they wait for each other")
			}
			s := start(t)
			if first == "deleted" {
				s.Do("write app/env old", "rm app/env")
			}
			store := s.open(t, secret.Options{Timeout: 20 * time.Second})
			outcomes := mergeAtOnce(t, store, writers)
			var want []string
			for i := range writers {
				want = append(want, variable(i))
			}
			if got := variables(t, store, "app/env"); !slices.Equal(got, want) {
				t.Errorf("%d variables are there", len(got))
			}
			if n := strings.Count(fmt.Sprint(outcomes), "created"); n != 1 {
				t.Errorf("%d writers created it", n)
			}
			t.Logf("%d merges at once:\n%s", writers, s.Do("counts"))
		})
	}
}

func variable(i int) string { return fmt.Sprintf("VAR_%02d", i) }

// mergeAtOnce has each of so many writers set a variable of app/env.
func mergeAtOnce(t testing.TB, store *secret.Store, writers int) []secret.Outcome {
	var group errgroup.Group
	outcomes := make([]secret.Outcome, writers)
	for i := range writers {
		group.Go(func() error {
			r, err := store.Merge(context.Background(), "app/env", set(variable(i), "value"), nil)
			if err == nil {
				outcomes[i] = r.Outcome
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// BenchmarkMerges counts the requests that a hundred merges of one environment
// take, all of them begun at once and 20 ms from the store.
func BenchmarkMerges(b *testing.B) {
	const writers = 100
	s := start(b)
	store := s.probed(b, secret.Options{})
	put(b, store, "app/env", "{}")
	s.Do("fault delay 20ms *", "reset")
	for b.Loop() {
		mergeAtOnce(b, store, writers)
	}
	b.StopTimer()
	if n := len(variables(b, store, "app/env")); n != writers {
		b.Fatalf("%d variables are there", n)
	}
	requests := 0
	for line := range strings.Lines(s.Do("counts")) {
		var operation string
		var n int
		fmt.Sscan(line, &operation, &n)
		requests += n
	}
	b.ReportMetric(float64(requests)/float64(b.N), "requests/op")
	b.ReportMetric(float64(requests)/float64(b.N)/writers, "requests/merge")
}

// What stands in the way of a merge makes it begin again.
func TestMergeAgain(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines []string
		want  []string
	}{
		{"412", []string{"fault do 'copy other app/env' PutObject times=1"}, []string{"NEW", "OTHER"}},
		{"409", []string{"fault answer 409 ConditionalRequestConflict PutObject times=3"}, []string{"NEW", "OLD"}},
		{"404 to an If-Match", []string{"fault do 'rm app/env' PutObject times=1"}, []string{"NEW"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t)
			store := s.probed(t, secret.Options{})
			put(t, store, "app/env", "OLD=1")
			// What another writer of app/env stores in between.
			other := s.open(t, secret.Options{})
			put(t, other, "app/env", `{"OTHER":"1"}`)
			s.Do("copy app/env other")
			put(t, store, "app/env", "OLD=1")
			s.Do(test.lines...)
			if _, err := store.Merge(context.Background(), "app/env", set("NEW", "1"), nil); err != nil {
				t.Fatal(err)
			}
			if got := variables(t, store, "app/env"); !slices.Equal(got, test.want) {
				t.Errorf("%v, not %v", got, test.want)
			}
		})
	}
}

// A secret that nobody changes, and that cannot be written, is given up.
func TestMergeWithoutProgress(t *testing.T) {
	s := start(t)
	store := s.open(t, secret.Options{Timeout: time.Second})
	s.Do("fault answer 409 ConditionalRequestConflict PutObject key=app/env")
	_, err := store.Merge(context.Background(), "app/env", set("A", "1"), nil)
	if !errors.Is(err, secret.ErrUnreachable) || !strings.HasPrefix(err.Error(), "app/env: not reachable: no progress for 1s: ") {
		t.Fatal(err)
	}
	_, err = store.Put(context.Background(), "app/env", strings.NewReader("x"), &secret.PutOptions{Create: true})
	if !errors.Is(err, secret.ErrUnreachable) {
		t.Fatal(err)
	}
}

func put(t testing.TB, store *secret.Store, name, text string) *secret.Receipt {
	t.Helper()
	r, err := store.Put(context.Background(), name, strings.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// big is more than goes in one PutObject.
var big = bytes.Repeat([]byte("0123456789abcdef"), 8<<16+4<<10)

// A lost answer is not a conflict: the message's id shows what became of the write.
func TestLostAnswers(t *testing.T) {
	ctx := context.Background()
	create := &secret.PutOptions{Create: true}
	changes := []struct {
		name   string
		op     string
		exists bool // there is a secret before
		do     func(*secret.Store) (*secret.Receipt, error)
	}{
		{"create", "PutObject", false, func(s *secret.Store) (*secret.Receipt, error) {
			return s.Put(ctx, "app/env", strings.NewReader(`{"NEW":"1"}`), create)
		}},
		{"create in parts", "CompleteMultipartUpload", false, func(s *secret.Store) (*secret.Receipt, error) {
			return s.Put(ctx, "app/env", bytes.NewReader(big), create)
		}},
		{"put in parts", "CompleteMultipartUpload", true, func(s *secret.Store) (*secret.Receipt, error) {
			return s.Put(ctx, "app/env", bytes.NewReader(big), nil)
		}},
		{"merge", "PutObject", true, func(s *secret.Store) (*secret.Receipt, error) {
			return s.Merge(ctx, "app/env", set("NEW", "1"), nil)
		}},
		{"merge into nothing", "PutObject", false, func(s *secret.Store) (*secret.Receipt, error) {
			return s.Merge(ctx, "app/env", set("NEW", "1"), nil)
		}},
		{"if", "PutObject", true, func(s *secret.Store) (*secret.Receipt, error) {
			for e, err := range s.Versions(ctx, "app/env") {
				if err != nil {
					return nil, err
				}
				return s.Put(ctx, "app/env", strings.NewReader("new"), &secret.PutOptions{If: e.ETag})
			}
			return nil, errors.New("nothing there")
		}},
	}
	s := start(t)
	var cases sync.WaitGroup
	for i, change := range changes {
		for j, test := range []struct {
			name      string
			history   bool
			meanwhile string // what another writer does before the second attempt
			attempts  string
			uncertain bool
		}{
			{"alone", true, "", "2", false},
			{"alone, without history", false, "", "2", false},
			{"alone, and no second attempt", true, "", "1", false},
			{"overwritten", true, "copy s3://BUCKET/other s3://BUCKET/app/env", "2", false},
			{"overwritten, and no second attempt", true, "copy s3://BUCKET/other s3://BUCKET/app/env", "1", false},
			{"overwritten, without history", false, "copy s3://BUCKET/other s3://BUCKET/app/env", "2", true},
			{"deleted", true, "rm s3://BUCKET/app/env", "2", false},
		} {
			inParts := change.op != "PutObject"
			if !change.exists && test.name == "deleted" {
				continue // then the second attempt succeeds: there is nothing again
			}
			if racetest.Quick() && inParts && (test.name != "alone" || change.exists) && (test.name != "overwritten" || !change.exists) {
				continue
			}
			t.Setenv("AWS_MAX_ATTEMPTS", test.attempts)
			bucket := fmt.Sprintf("example-%d-%d", i, j)
			s.Do("bucket " + bucket + " versioned")
			store := s.openAt(t, bucket, secret.Options{Unsigned: true})
			probe(t, store, nil)
			if inParts {
				probe(t, store, big)
			}
			run := func(t *testing.T) {
				put(t, store, "other", "FOREIGN=1")
				if !test.history {
					s.Do("bucket " + bucket + " unversioned")
				}
				if change.exists {
					put(t, store, "app/env", `{"OLD":"1"}`)
				}
				concerns := change.op + " times=1 key=s3://" + bucket + "/*"
				if test.meanwhile != "" {
					s.Do("fault do-after '" + strings.ReplaceAll(test.meanwhile, "BUCKET", bucket) + "' " + concerns)
				}
				s.Do("fault forget " + concerns)
				r, err := change.do(store)
				if test.uncertain {
					var e *secret.Error
					if !errors.As(err, &e) || !e.MaybeApplied || !errors.Is(err, secret.ErrUnreachable) || errors.Is(err, secret.ErrChanged) || errors.Is(err, secret.ErrExists) {
						t.Fatalf("%+v, %v", r, err)
					}
					return
				}
				if change.name == "put in parts" && test.meanwhile != "" {
					if !errors.Is(err, secret.ErrChanged) { // nobody can tell whether it was ever the latest
						t.Fatal(err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if test.history {
					raw, err := store.NewRawReader(ctx, "app/env", &secret.GetOptions{Version: r.Version, Checksum: r.SHA256[:]})
					if err != nil {
						t.Fatal(err)
					}
					defer raw.Close()
					if raw.Info().ETag != r.ETag {
						t.Error("the receipt is of another version")
					}
				}
			}
			// Most of the time is the SDK's pause before it repeats a request.
			cases.Go(func() { t.Run(change.name+"/"+test.name, run) })
		}
	}
	cases.Wait()
}

// A write that was refused, and had not been made before, is a conflict, though
// an attempt was not answered.
func TestLostRequests(t *testing.T) {
	t.Setenv("AWS_MAX_ATTEMPTS", "2")
	s := start(t)
	store := s.probed(t, secret.Options{})
	put(t, store, "other", "FOREIGN=1")
	s.Do("fault do 'copy other app/env' PutObject times=1", "fault drop PutObject times=1")
	_, err := store.Put(context.Background(), "app/env", strings.NewReader("x"), &secret.PutOptions{Create: true})
	if !errors.Is(err, secret.ErrExists) || err.Error() != "app/env: exists already in s3://example-microsecrets" {
		t.Fatal(err)
	}
	s.Do("clear", "fault do 'copy other app/env' PutObject times=1", "fault drop PutObject times=1")
	first := put(t, store, "app/etag", "x")
	s.Do("copy other app/env", "fault do 'copy other app/etag' PutObject times=1", "fault drop PutObject times=1")
	_, err = store.Put(context.Background(), "app/etag", strings.NewReader("x"), &secret.PutOptions{If: first.ETag})
	if !errors.Is(err, secret.ErrChanged) || err.Error() != "app/etag: has changed in s3://example-microsecrets" {
		t.Fatal(err)
	}
}

// What a put replaces is given to whoever asks for it, once it is replaced.
func TestPutReplaced(t *testing.T) {
	ctx := context.Background()
	store := start(t).open(t, secret.Options{})
	var replaced []string
	write := func(name, text string, o secret.PutOptions) {
		t.Helper()
		o.Replaced = func(old []byte) { replaced = append(replaced, string(old)) }
		if _, err := store.Put(ctx, name, strings.NewReader(text), &o); err != nil {
			t.Fatal(err)
		}
	}
	write("a", "1", secret.PutOptions{})
	write("a", "", secret.PutOptions{})
	write("a", "3", secret.PutOptions{Changed: true})
	write("a", "3", secret.PutOptions{Changed: true})
	write("a", string(big), secret.PutOptions{})
	write("a", "5", secret.PutOptions{})
	write("b", "1", secret.PutOptions{Create: true})
	if want := []string{"1", "", "3", string(big)}; !slices.Equal(replaced, want) {
		t.Errorf("%d replaced, not those %d", len(replaced), len(want))
	}
}

func TestPutIf(t *testing.T) {
	ctx := context.Background()
	s := start(t)
	store := s.probed(t, secret.Options{})
	probe(t, store, big)
	first := put(t, store, "a", "1")
	put(t, store, "b", "1")
	write := func(o secret.PutOptions) (*secret.Receipt, error) {
		return store.Put(ctx, "a", strings.NewReader("2"), &o)
	}
	for _, refused := range []struct {
		o   secret.PutOptions
		err error
	}{
		{secret.PutOptions{Create: true}, secret.ErrExists},
		{secret.PutOptions{If: "0123456789abcdef0123456789abcdef"}, secret.ErrChanged},
		{secret.PutOptions{If: "0123456789abcdef0123456789abcdef-2"}, secret.ErrChanged},
		{secret.PutOptions{If: "none"}, secret.ErrChanged},
		{secret.PutOptions{If: "null"}, secret.ErrInvalid},
		{secret.PutOptions{If: first.ETag, Create: true}, secret.ErrInvalid},
	} {
		if _, err := write(refused.o); !errors.Is(err, refused.err) {
			t.Errorf("%+v: %v", refused.o, err)
		}
	}
	second, err := write(secret.PutOptions{If: first.Version})
	if err != nil || second.Outcome != secret.Updated {
		t.Fatalf("%+v, %v", second, err)
	}
	if _, err := write(secret.PutOptions{If: first.Version}); !errors.Is(err, secret.ErrChanged) {
		t.Fatalf("a version that is no longer the latest: %v", err)
	}
	s.Do("reset", "auto on")
	if _, err = write(secret.PutOptions{If: `"` + second.ETag + `"`}); err != nil {
		t.Fatal(err)
	}
	s.Do("want 'GenerateDataKey 1' 'PutObject 1'")
	s.Do("rm a")
	for _, version := range []string{second.Version, second.ETag} {
		if _, err := write(secret.PutOptions{If: version}); !errors.Is(err, secret.ErrChanged) {
			t.Errorf("a version of what is deleted: %v", err)
		}
	}
	if r, err := write(secret.PutOptions{Create: true}); err != nil || r.Outcome != secret.Created {
		t.Fatalf("%+v, %v", r, err)
	}
	if r, err := store.Merge(ctx, "a", set("A", "1"), &secret.PutOptions{If: first.Version}); !errors.Is(err, secret.ErrChanged) {
		t.Fatalf("%+v, %v", r, err)
	}
	// S3 may forget an upload that met another request: it stays a conflict.
	s.Do("fault answer 409 ConditionalRequestConflict CompleteMultipartUpload times=1",
		"fault answer 404 NoSuchUpload CompleteMultipartUpload skip=1 times=1")
	if _, err := store.Put(ctx, "c", bytes.NewReader(big), &secret.PutOptions{Create: true}); !errors.Is(err, secret.ErrExists) {
		t.Fatal(err)
	}
	if left := s.Do("uploads"); left != "" {
		t.Errorf("parts are left: %s", left)
	}
	// Denied is not absent.
	s.Do("deny s3:GetObject a")
	for _, o := range []secret.PutOptions{{If: first.Version}, {Changed: true}} {
		if _, err := write(o); !errors.Is(err, secret.ErrDenied) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := store.Merge(ctx, "a", set("A", "1"), nil); !errors.Is(err, secret.ErrDenied) {
		t.Error(err)
	}
}

func TestChanged(t *testing.T) {
	ctx := context.Background()
	s := start(t)
	store := s.open(t, secret.Options{Unsigned: true})
	changed := &secret.PutOptions{Changed: true}
	write := func(b []byte) *secret.Receipt {
		t.Helper()
		// A reader that gives little at a time, and its end apart.
		r, err := store.Put(ctx, "a", io.MultiReader(bytes.NewReader(b[:len(b)/3]), bytes.NewReader(b[len(b)/3:])), changed)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	sizes := []int{0, 1, 65536, len(big), 8 << 20}
	if racetest.Quick() {
		sizes = sizes[:4]
	}
	for _, n := range sizes {
		s.Do("rm a")
		text := bytes.Clone(big[:n])
		first := write(text)
		if first.Outcome != secret.Created {
			t.Errorf("%d bytes: %s", n, first.Outcome)
		}
		before := s.Do("versions")
		same := write(text)
		if s.Do("versions") != before || s.Do("uploads") != "" || same.Outcome != secret.Unchanged {
			t.Errorf("%d bytes: stored again: %s", n, same.Outcome)
		}
		if same.Outcome = first.Outcome; *same != *first {
			t.Errorf("%d bytes: %+v, not %+v", n, same, first)
		}
		for _, other := range [][]byte{append(text, 'x'), text[:max(0, n-1)], append(bytes.Clone(text[:max(0, n-1)]), 'x')} {
			if bytes.Equal(other, text) {
				continue
			}
			if r := write(other); r.Outcome != secret.Updated {
				t.Errorf("%d bytes after %d: %s", len(other), n, r.Outcome)
			}
			if got, err := store.Get(ctx, "a", nil); err != nil || !bytes.Equal(got, other) {
				t.Errorf("%d bytes after %d: %d are there: %v", len(other), n, len(got), err)
			}
			write(text)
		}
	}
}

// Nothing to do asks nothing of the key but to decrypt, and what is stored and cannot
// be read is not the same, and not to be replaced. The server is its own: what a reader
// of a large secret had begun to prefetch when it stopped may still reach the server.
func TestUnchanged(t *testing.T) {
	s := start(t)
	store := s.open(t, secret.Options{Unsigned: true})
	write := func() error {
		_, err := store.Put(context.Background(), "a", bytes.NewReader(big[:1000]), &secret.PutOptions{Changed: true})
		return err
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	s.Do("reset")
	if err := write(); err != nil {
		t.Fatal(err)
	}
	s.Do("want 'GetObject 1' 'Decrypt 1'")
	s.Do("flip a -200")
	if err := write(); !errors.Is(err, secret.ErrNotAuthentic) {
		t.Errorf("altered: %v", err)
	}
}

// A rotation leaves the claims of who wrote a secret, and when, as they are.
func TestClaims(t *testing.T) {
	ctx := context.Background()
	s := start(t)
	by := func(name string) *string { return &name }
	old := s.open(t, secret.Options{By: by("ada@example.com"), Key: "alias/microsecrets-old"})
	put(t, old, "a", "1")
	_, before, err := old.Inspect(ctx, "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	now := s.open(t, secret.Options{By: by("bob"), Key: "alias/microsecrets-new"})
	if _, err := now.NewRotator(&secret.RotateOptions{From: "alias/microsecrets-old"}).Rotate(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	_, after, err := now.Inspect(ctx, "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(before.Context)
	want["ms-rotated-by"], want["ms-rotated-at"] = "bob", after.Context["ms-rotated-at"]
	want["aws-crypto-public-key"] = after.Context["aws-crypto-public-key"]
	if !maps.Equal(after.Context, want) || want["ms-rotated-at"] == "" || want["ms-by"] != "ada@example.com" {
		t.Errorf("%v, not %v", after.Context, want)
	}
	anonymous := s.open(t, secret.Options{By: by("")})
	put(t, anonymous, "b", "1")
	_, h, err := anonymous.Inspect(ctx, "b", nil)
	if _, claimed := h.Context["ms-by"]; err != nil || claimed {
		t.Errorf("%v, %v", h.Context, err)
	}
}

// A server that ignores conditions is found out before anything is changed.
func TestServerThatIgnoresConditions(t *testing.T) {
	s := start(t)
	store := s.open(t, secret.Options{})
	put(t, store, "app/env", "OLD=1")
	before := s.Do("versions")
	s.Do("fault ignore-conditions PutObject,CompleteMultipartUpload")
	for name, write := range map[string]func() (*secret.Receipt, error){
		"merge": func() (*secret.Receipt, error) {
			return store.Merge(context.Background(), "app/env", set("A", "1"), nil)
		},
		"create": func() (*secret.Receipt, error) {
			return store.Put(context.Background(), "app/new", strings.NewReader("1"), &secret.PutOptions{Create: true})
		},
		"create in parts": func() (*secret.Receipt, error) {
			return store.Put(context.Background(), "app/new", bytes.NewReader(big), &secret.PutOptions{Create: true})
		},
	} {
		if _, err := write(); !errors.Is(err, secret.ErrConditionsIgnored) {
			t.Errorf("%s: %v", name, err)
		}
		if after := s.Do("uploads") + s.Do("versions"); after != before {
			t.Errorf("%s: changed: %s", name, after)
		}
	}
}

// A probe that fails leaves no doubt of the write, which was not begun.
func TestProbeFails(t *testing.T) {
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	s := start(t)
	store := s.open(t, secret.Options{})
	s.Do("fault drop PutObject key=app/ms-probe-*")
	_, err := store.Put(context.Background(), "app/new", strings.NewReader("1"), &secret.PutOptions{Create: true})
	var e *secret.Error
	if !errors.As(err, &e) || !errors.Is(err, secret.ErrUnreachable) || e.MaybeApplied {
		t.Fatal(err)
	}
	s.Do("clear")
	if _, err := store.Put(context.Background(), "app/new", strings.NewReader("1"), &secret.PutOptions{Create: true}); err != nil {
		t.Fatalf("the probe is not made again: %v", err)
	}
}

// A request that met another one says nothing of its condition: the server is tried
// again.
func TestProbeMeetsAnother(t *testing.T) {
	const busy = " 409 ConditionalRequestConflict PutObject "
	s := start(t)
	s.Do("write app/env A=1", "fault answer"+busy+"key=app/ms-probe-* times=1", "fault ignore-conditions PutObject")
	before := s.Do("versions app/env")
	_, err := s.open(t, secret.Options{}).Put(context.Background(), "app/env", strings.NewReader("B=2"), &secret.PutOptions{If: strings.Repeat("0", 32)})
	if !errors.Is(err, secret.ErrConditionsIgnored) || s.Do("versions app/env") != before {
		t.Errorf("If-Match: %v, %s", err, s.Do("versions app/env"))
	}

	s.Do("clear", "fault answer"+busy+"key=app/new skip=1 times=1", "fault ignore-conditions PutObject key=app/new*")
	store := s.open(t, secret.Options{})
	create := func(name string) error {
		_, err := store.Put(context.Background(), name, strings.NewReader("1"), &secret.PutOptions{Create: true})
		return err
	}
	if err := create("app/new"); err != nil {
		t.Errorf("If-None-Match: %v", err)
	}
	if err := create("app/new2"); !errors.Is(err, secret.ErrConditionsIgnored) {
		t.Errorf("If-None-Match, the next write: %v", err)
	}
}
