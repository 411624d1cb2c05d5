package bucket

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/internal/awsclient"
)

// emulated returns a bucket of an emulated S3, and the emulator.
func emulated(t testing.TB) (*fakeaws.Server, *Bucket) {
	server, err := fakeaws.New(fakeaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	t.Setenv("AWS_MAX_ATTEMPTS", "2")
	for _, entry := range server.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		t.Setenv(name, value)
	}
	c, err := awsclient.Open(context.Background(), awsclient.Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return server, New(c.S3(), fakeaws.DefaultBucket, Options{})
}

func do(t testing.TB, server *fakeaws.Server, line string) string {
	t.Helper()
	out, err := server.DoLine("", line)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// shapes are how names may be spread.
var shapes = []struct {
	name  string
	fill  []string // verbs
	write func(i int) string
	n     int

	most int // requests; pages, probes, and what guesses waste
}{
	{name: "nothing", most: 1},
	{name: "one page", fill: []string{"fill 1000 a/"}, most: 1},
	{name: "a page and one", fill: []string{"fill 1001 a/"}, most: 3},
	{name: "flat", fill: []string{"fill 5000 a/"}, most: 5 + 10},
	{name: "flat at the top", fill: []string{"fill 5000 a"}, most: 5 + 10},
	{name: "services", fill: services(40, 100), most: 4 + 4},
	{name: "large services", fill: services(3, 2100), most: 6 + 8},
	{name: "one large, some small", fill: append(services(30, 40), "fill 3000 svc015/"), most: 4 + 16},
	{name: "deep", fill: deep(3, 10, 100), most: 3 + 8},
	{name: "random", n: 4000, write: func(int) string { return fmt.Sprintf("a/%016x", random.Uint64()) }, most: 4 + 8},
	{name: "numbers without zeros", n: 4000, write: func(i int) string { return fmt.Sprintf("a/job%d", i) }, most: 4 + 16},
	{name: "one letter in front", n: 3000, write: func(i int) string { return fmt.Sprintf("%c/%d", 'a'+rune(i%26), i) }, most: 3 + 8},
	{name: "every byte", n: 3000, write: func(i int) string { return fmt.Sprintf("ä%%/%c é+<&>\"'%d", 0x20+rune(i%900), i) }, most: 3 + 2900},
}

var random = rand.New(rand.NewPCG(1, 2))

func services(n, each int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("fill %d svc%03d/", each, i))
	}
	return lines
}

func deep(teams, services, each int) (lines []string) {
	for i := range teams {
		for j := range services {
			lines = append(lines, fmt.Sprintf("fill %d team%d/svc%d/", each, i, j))
		}
	}
	return lines
}

func TestList(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			server, b := emulated(t)
			for _, line := range shape.fill {
				do(t, server, line)
			}
			for i := range shape.n {
				if _, err := server.Do("", "write", shape.write(i), "x"); err != nil {
					t.Fatal(err)
				}
			}
			want := slices.Collect(serial(t, b, "", ""))
			do(t, server, "reset")
			got := list(t, b, "", false)
			compare(t, got, want)
			if n := requests(t, server); n > shape.most {
				t.Errorf("%d requests for %d keys, more than %d", n, len(want), shape.most)
			}
			inside := slices.DeleteFunc(want, func(e Entry) bool { return !strings.HasPrefix(e.Key, "svc01") })
			compare(t, list(t, b, "svc01", false), inside)
			compare(t, list(t, b, "", true), slices.Collect(serial(t, b, "", "/")))
		})
	}
}

func list(t testing.TB, b *Bucket, prefix string, oneLevel bool) []Entry {
	t.Helper()
	var all []Entry
	for e, err := range b.List(context.Background(), prefix, oneLevel) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func requests(t testing.TB, server *fakeaws.Server) (n int) {
	t.Helper()
	fmt.Sscan(do(t, server, "count ListObjectsV2"), &n)
	return n
}

func compare(t *testing.T, got, want []Entry) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if !got[i].Modified.Equal(want[i].Modified) {
			t.Fatalf("entry %d: %v, not %v", i, got[i], want[i])
		}
		got[i].Modified = want[i].Modified
		if got[i] != want[i] {
			t.Fatalf("entry %d: %v, not %v", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d entries, not %d", len(got), len(want))
	}
}

// TestListDepth counts round trips where each takes so long that requests side
// by side are together.
func TestListDepth(t *testing.T) {
	for _, c := range []struct {
		name  string
		fill  []string
		depth int
	}{
		{"services", services(50, 200), 4},
		{"flat", []string{"fill 20000 a/"}, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, b := emulated(t)
			for _, line := range c.fill {
				do(t, server, line)
			}
			do(t, server, "fault delay 200ms ListObjectsV2")
			list(t, b, "", false)
			var depth, side int
			fmt.Sscan(do(t, server, "depth"), &depth)
			fmt.Sscan(do(t, server, "side"), &side)
			if depth > c.depth || side > listAhead {
				t.Errorf("%d requests: %d round trips, more than %d; %d at once", requests(t, server), depth, c.depth, side)
			}
		})
	}
}

// TestListWhileOthersWrite holds that keys which are there all the while are
// listed once, in order, and no key twice.
func TestListWhileOthersWrite(t *testing.T) {
	server, b := emulated(t)
	for _, line := range append(services(20, 100), "fill 2000 svc007/flat") {
		do(t, server, line)
	}
	stays := slices.Collect(serial(t, b, "", ""))
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 0))
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("svc%03d/more%x", r.IntN(25), r.IntN(64))
				server.Do("", []string{"write", "rm"}[n%2], key, "x")
			}
		})
	}
	for range 3 {
		last, left := "", stays
		for e, err := range b.List(context.Background(), "", false) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Key <= last {
				t.Fatalf("%q after %q", e.Key, last)
			}
			last = e.Key
			if len(left) > 0 && left[0].Key == e.Key {
				left = left[1:]
			}
		}
		if len(left) > 0 {
			t.Fatalf("%d keys from %q on are missing", len(left), left[0].Key)
		}
	}
	close(stop)
	writers.Wait()
}

// TestListFails holds that what was listed before a failure is handed out, and
// nothing behind it.
func TestListFails(t *testing.T) {
	for _, c := range []struct {
		name, fault string
		kind        error
		keys        int
	}{
		{"first page", "fault answer 403 AccessDenied ListObjectsV2", awsclient.ErrDenied, 0},
		{"later page", "fault answer 403 AccessDenied ListObjectsV2 skip=2", awsclient.ErrDenied, 1000},
		{"probe only", "fault answer 403 AccessDenied ListObjectsV2 skip=1 times=1", nil, 3000},
		{"cut once", "fault cut 5000 ListObjectsV2 times=1", nil, 3000},
		{"always cut", "fault cut 5000 ListObjectsV2 skip=2", awsclient.ErrUnreachable, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, b := emulated(t)
			do(t, server, "fill 3000 a/")
			do(t, server, c.fault)
			n, failure := 0, error(nil)
			for _, err := range b.List(context.Background(), "", false) {
				if err != nil {
					failure = err
					break
				}
				n++
			}
			if n != c.keys || !errors.Is(failure, c.kind) {
				t.Errorf("%d keys, then %v; not %d, then %v", n, failure, c.keys, c.kind)
			}
		})
	}
}

// sparse is a server that puts as few of its keys on a page as it likes.
type sparse struct {
	keys    []string
	entries func(nth int) int // on the nth page that is asked for
	asked   atomic.Int64
}

func (s *sparse) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var answer struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string
		Contents              []struct{ Key string }
		CommonPrefixes        []struct{ Prefix string }
	}
	q := r.URL.Query()
	nth := int(s.asked.Add(1))
	marker, _, token := strings.Cut(q.Get("continuation-token"), "|")
	if !token {
		marker = q.Get("start-after")
	}
	dir, grouped := q.Get("prefix"), q.Get("delimiter") != ""
	left, last := s.entries(nth), marker
	for _, key := range s.keys {
		if !strings.HasPrefix(key, dir) || key <= last || grouped && groupOf(dir, key) == last {
			continue
		}
		if answer.IsTruncated = left == 0; answer.IsTruncated {
			break
		}
		left--
		if last = key; grouped {
			last = groupOf(dir, key)
		}
		if strings.HasSuffix(last, "/") {
			answer.CommonPrefixes = append(answer.CommonPrefixes, struct{ Prefix string }{last})
		} else {
			answer.Contents = append(answer.Contents, struct{ Key string }{last})
		}
	}
	answer.NextContinuationToken = fmt.Sprintf("%s|%d", last, nth)
	xml.NewEncoder(w).Encode(answer)
}

// TestListSparse holds that pages with little or nothing on them, which are not
// the last, leave nothing out and end.
func TestListSparse(t *testing.T) {
	emulated(t)
	var keys []string
	for i := range 300 {
		keys = append(keys, fmt.Sprintf("a/%03d", i), fmt.Sprintf("b/%02d/%03d", i%7, i), fmt.Sprintf("c%03d", i))
	}
	slices.Sort(keys)
	for _, c := range []struct {
		name    string
		entries func(nth int) int
	}{
		{"short", func(int) int { return 7 }},
		{"empty first", func(nth int) int { return min(nth-1, 1) * 1000 }},
		{"empty three times", func(nth int) int { return max(0, nth-3) * 20 }},
		{"every other empty", func(nth int) int { return nth % 2 * 20 }},
		{"any", func(nth int) int { return max(0, nth*nth%13-5) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(&sparse{keys: keys, entries: c.entries})
			defer server.Close()
			t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
			client, err := awsclient.Open(context.Background(), awsclient.Options{})
			if err != nil {
				t.Fatal(err)
			}
			b := New(client.S3(), fakeaws.DefaultBucket, Options{})
			for _, prefix := range []string{"", "a", "a/", "b/0", "b/03/", "c01", "d"} {
				want := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !strings.HasPrefix(key, prefix) })
				for _, oneLevel := range []bool{false, true} {
					if oneLevel {
						for i, key := range want {
							want[i] = groupOf(prefix, key)
						}
						want = slices.Compact(want)
					}
					var got []string
					for _, e := range list(t, b, prefix, oneLevel) {
						got = append(got, e.Key)
					}
					if !slices.Equal(got, want) {
						t.Fatalf("%q, one level %v: %d keys, not %d", prefix, oneLevel, len(got), len(want))
					}
				}
			}
		})
	}
}

// TestListForEver holds that the context ends a listing whose pages do not.
func TestListForEver(t *testing.T) {
	emulated(t)
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewServer(&sparse{keys: []string{"a/0"}, entries: func(nth int) int {
		if nth == 50 {
			cancel()
		}
		return 0
	}})
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
	c, err := awsclient.Open(ctx, awsclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range New(c.S3(), fakeaws.DefaultBucket, Options{}).List(ctx, "a/", false) {
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("%v, %v", e, err)
		}
	}
}

// TestListStops holds that a consumer may stop, and that an end of its context
// is told.
func TestListStops(t *testing.T) {
	server, b := emulated(t)
	do(t, server, "fill 5000 a/")
	ctx, cancel := context.WithCancel(context.Background())
	for _, err := range b.List(ctx, "", false) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	cancel()
	for _, err := range b.List(ctx, "", false) {
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("%v", err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	for _, c := range []struct {
		name string
		fill []string
	}{
		{"20000in100", services(100, 200)},
		{"100000flat", []string{"fill 100000 a/"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			server, bucket := emulated(b)
			for _, line := range c.fill {
				do(b, server, line)
			}
			do(b, server, "fault delay 20ms ListObjectsV2")
			var serially time.Duration
			n := 0
			for b.Loop() {
				b.StopTimer()
				start := time.Now()
				for range serial(b, bucket, "", "") {
				}
				serially += time.Since(start)
				do(b, server, "reset")
				b.StartTimer()
				for _, err := range bucket.List(context.Background(), "", false) {
					if err != nil {
						b.Fatal(err)
					}
				}
				n = requests(b, server)
			}
			b.ReportMetric(float64(serially)/float64(b.Elapsed()), "x-faster")
			b.ReportMetric(float64(n), "requests/op")
		})
	}
}

// TestByDistance holds that a guess stays bounded however long a directory is.
func TestByDistance(t *testing.T) {
	seen := &page{entries: []Entry{{Info: Info{Key: "a/000000000"}}, {Info: Info{Key: "a/000000999"}}}}
	q := &part{after: "a/000000999", dir: "a/", run: 1}
	for i := range 200 {
		parts := q.byDistance(seen, 0)
		if want := min(1<<min(i, 10), flatParts); len(parts) != want {
			t.Fatalf("after %d pages: %d parts, not %d", i+1, len(parts), want)
		}
		q = parts[len(parts)-1]
		q.after = "a/000000999"
	}
}

// FuzzAhead guesses behind a page of whatever keys a server may answer with,
// which are in order.
func FuzzAhead(f *testing.F) {
	f.Add("a/1\na/2\na/30", 2, "", 10)
	f.Add("a/000000000\na/000000999", 2, "a/000005000", 16)
	f.Add("a/0\x00b\na/\U0001F600\na/\U0001F601", 2, "b", 3)
	f.Add("\xff\n\xff\xff", 0, "", 3)
	f.Fuzz(func(t *testing.T, lines string, dir int, end string, n int) {
		keys := strings.Split(lines, "\n")
		slices.Sort(keys)
		last := keys[len(keys)-1]
		if dir < 0 || dir > len(last) || end != "" && end <= last || n > 1000 {
			return
		}
		var seen page
		for _, key := range slices.Compact(keys) {
			seen.entries = append(seen.entries, Entry{Info: Info{Key: key}})
		}
		above := last
		guesses := ahead(&seen, last[:dir], end, n)
		for _, key := range guesses {
			if key <= above || end != "" && key >= end || len(key) > keyMax || !utf8.ValidString(key) {
				t.Errorf("%q after %q, up to %q", key, above, end)
			}
			above = key
		}
		if len(guesses) > max(0, n) {
			t.Errorf("%d keys, more than %d", len(guesses), n)
		}
	})
}

// TestLearn holds that a flat directory is cut into as many parts as the longer
// of the two before had, whatever more was asked for there.
func TestLearn(t *testing.T) {
	var l listing
	page := func(keys ...string) (p page) {
		for _, key := range keys {
			p.entries = append(p.entries, Entry{Info: Info{Key: key}})
		}
		return p
	}
	seen := page("d/000000000", "d/000000999")
	cut := func(want int) {
		t.Helper()
		q := &part{after: "d/000000999", end: "e/", dir: "d/", run: 1}
		if parts := l.cut(q, &seen); len(parts) != want || parts[want-1].nth != want {
			t.Errorf("%d parts, not %d; the last is number %d", len(parts), want, parts[len(parts)-1].nth)
		}
	}
	cut(1)
	l.learn(&part{dir: "a/", nth: 3, end: "a/5", page: page("a/4")})
	l.learn(&part{dir: "a/", nth: 4, end: "a/7", page: page("b/0")})
	l.learn(&part{dir: "a/", nth: 5, end: "a/9"})
	cut(3)
	l.learn(&part{dir: "b/", nth: 1, page: page("b/4")})
	cut(3)
	l.learn(&part{dir: "b/", nth: 2, page: page("b/5")})
	l.learn(&part{dir: "a/", nth: 4, page: page("a/6")}) // arrives late
	cut(4)
	l.learn(&part{dir: "c/", nth: 1, page: page("c/4")})
	cut(2)
	l.learn(&part{dir: "c/", nth: 100, page: page("c/9")})
	cut(flatParts)
}
