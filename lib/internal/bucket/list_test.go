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

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/racetest"
)

// emulated returns a bucket of an emulated S3, and the emulator.
func emulated(t testing.TB) (*fakeawstest.Server, *Bucket) {
	server := fakeawstest.Start(t)
	server.Setenv()
	t.Setenv("AWS_MAX_ATTEMPTS", "2")
	return server, opened(t)
}

// opened returns the bucket of the S3 that the environment names.
func opened(t testing.TB) *Bucket {
	t.Helper()
	cfg, err := awsclient.Load(context.Background(), awsclient.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := awsclient.New(cfg, awsclient.Options{Timeout: time.Minute})
	return New(c.S3(), fakeaws.DefaultBucket, Options{})
}

// shapes are how names may be spread.
var shapes = []struct {
	name  string
	fill  []string // verbs
	write func(i int) string
	n     int

	more bool // left out by racetest.Quick
	most int  // requests: pages, those that list groups, and a page that is not full for each range
}{
	{name: "nothing", most: 1},
	{name: "one page", fill: []string{"fill 1000 a/"}, most: 1},
	{name: "a page and one", fill: []string{"fill 1001 a/"}, most: 2 + 1},
	{name: "one service", fill: []string{"fill 5000 a/"}, most: 5 + 1},
	{name: "no service", fill: []string{"fill 5000 a"}, more: true, most: 5},
	{name: "services", fill: services(40, 100), most: 4 + 1 + 1},
	{name: "small services", fill: services(2000, 3), more: true, most: 6},
	{name: "services, over a page of them", fill: services(1200, 5), most: 6 + 2 + 2},
	{name: "large services", fill: services(3, 2100), more: true, most: 7 + 1 + 3},
	{name: "one large, some small", fill: append(services(30, 40), "fill 3000 svc015/"), more: true, most: 5 + 1 + 2},
	{name: "one large before small ones", fill: append(services(500, 2), "fill 2000 a/"), more: true, most: 3 + 1 + 32},
	{name: "names without a service among services", fill: append(services(40, 50), "fill 1500 svc020-"), most: 4 + 2 + 2},
	{name: "deep", fill: deep(3, 10, 100), most: 3 + 1 + 2},
	{name: "one letter first", n: 3000, write: func(i int) string { return fmt.Sprintf("%c/%d", 'a'+rune(i%26), i) }, most: 3 + 1 + 2},
	{name: "every byte", n: 3000, write: func(i int) string { return fmt.Sprintf("ä%%/%c é+<&>\"'%d", 0x20+rune(i%900), i) }, most: 3 + 1},
	{name: "slashes", n: 1500, write: func(i int) string {
		return strings.Repeat("/", i%4) + fmt.Sprintf("a%d/", i%9) + fmt.Sprint("/b"[i%2:], i)
	}, most: 2 + 1 + 4},
}

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
		if shape.more && racetest.Quick() {
			continue
		}
		t.Run(shape.name, func(t *testing.T) {
			server, b := emulated(t)
			server.Do(shape.fill...)
			for i := range shape.n {
				if _, err := server.Control("", "write", shape.write(i), "x"); err != nil {
					t.Fatal(err)
				}
			}
			want := slices.Collect(serial(t, b, "", ""))
			server.Do("reset")
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

func requests(t testing.TB, server *fakeawstest.Server) (n int) {
	t.Helper()
	fmt.Sscan(server.Do("count ListObjectsV2"), &n)
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
// by side are together: a page, the groups, and the pages of the ranges.
func TestListDepth(t *testing.T) {
	server, b := emulated(t)
	server.Do(services(50, 200)...)
	server.Do("fault delay 200ms ListObjectsV2")
	list(t, b, "", false)
	var depth, side int
	fmt.Sscan(server.Do("depth"), &depth)
	fmt.Sscan(server.Do("side"), &side)
	if depth > 3 || side > rangesPrefetched+2 {
		t.Errorf("%d requests: %d round trips, more than 3; %d at once", requests(t, server), depth, side)
	}
}

// TestRanges holds that the keys of all ranges are the keys of the listing,
// wherever it is split.
func TestRanges(t *testing.T) {
	server, b := emulated(t)
	server.Do(append(services(8, 40), "fill 1200 svc003/", "write svc 1", "write svc003/ 1", "write svc004 1")...)
	l := listing{b, "svc"}
	var keys []string
	for e := range serial(t, b, l.prefix, "") {
		keys = append(keys, e.Key)
	}
	r := rand.New(rand.NewPCG(1, 2))
	step := 3
	if racetest.Quick() {
		step = 13
	}
	for n := 0; n < 40; n += step {
		var ends []string
		for range n {
			key := keys[r.IntN(len(keys))]
			switch r.IntN(4) {
			case 0:
				key = key[:len(key)-r.IntN(len(key)-3)]
			case 1:
				key += "0"
			}
			ends = append(ends, key)
		}
		slices.Sort(ends)
		var ranges []keyRange
		after := ""
		for _, end := range slices.Compact(ends) {
			ranges = append(ranges, keyRange{after, end})
			after = end
		}
		ranges = append(ranges, keyRange{after: after})
		var got []string
		for e, err := range entries(l.concurrently(context.Background(), slices.Values(ranges))) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Key)
		}
		if !slices.Equal(got, keys) {
			t.Fatalf("%d keys, not %d, of ranges %v", len(got), len(keys), ranges)
		}
	}
}

// TestListWhileOthersWrite holds that keys which are there all the while are
// listed once, in order, and no key twice.
func TestListWhileOthersWrite(t *testing.T) {
	server, b := emulated(t)
	server.Do(append(services(20, 100), "fill 2000 svc007/flat")...)
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
				server.Control("", []string{"write", "rm"}[n%2], key, "x")
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
// nothing after it.
func TestListFails(t *testing.T) {
	for _, c := range []struct {
		name, fault string
		kind        error
		keys        int
	}{
		{"first page", "fault answer 403 AccessDenied ListObjectsV2", awsclient.ErrDenied, 0},
		{"later page", "fault answer 403 AccessDenied ListObjectsV2 skip=2", awsclient.ErrDenied, 1000},
		{"groups only", "fault answer 403 AccessDenied ListObjectsV2 skip=1 times=1", nil, 3000},
		{"cut once", "fault cut 5000 ListObjectsV2 times=1", nil, 3000},
		{"always cut", "fault cut 5000 ListObjectsV2 skip=2", awsclient.ErrUnreachable, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, b := emulated(t)
			server.Do("fill 3000 a/")
			server.Do(c.fault)
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

// groupOf is what a key is listed as where a listing has one level only.
func groupOf(prefix, key string) string {
	if i := strings.IndexByte(key[len(prefix):], '/'); i >= 0 {
		return key[:len(prefix)+i+1]
	}
	return key
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
			b := opened(t)
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
	for e, err := range opened(t).List(ctx, "a/", false) {
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("%v, %v", e, err)
		}
	}
}

// TestListStops holds that a consumer may stop, and that a listing whose context
// ends does not look like a complete one.
func TestListStops(t *testing.T) {
	server, b := emulated(t)
	server.Do("fill 5000 a/")
	var failure error
	for _, failure = range b.List(context.Background(), "", false) {
		if failure != nil {
			t.Fatal(failure)
		}
		break
	}
	server.Do(services(30, 200)...)
	for _, keys := range []int{0, 1000, 1001, 3000, 7000} {
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		if keys == 0 {
			cancel()
		}
		for _, failure = range b.List(ctx, "", false) {
			if n++; n == keys {
				cancel()
			}
		}
		if !errors.Is(failure, context.Canceled) {
			t.Errorf("canceled at %d keys: %d keys, then %v", keys, n, failure)
		}
		cancel()
	}
}

// BenchmarkList lists 20,000 names in 100 services where a request takes 20 ms,
// and compares that with listing them page after page.
func BenchmarkList(b *testing.B) {
	server, bucket := emulated(b)
	server.Do(services(100, 200)...)
	server.Do("fault delay 20ms ListObjectsV2")
	var serially time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		start := time.Now()
		for range serial(b, bucket, "", "") {
		}
		serially += time.Since(start)
		server.Do("reset")
		b.StartTimer()
		list(b, bucket, "", false)
		n = requests(b, server)
	}
	b.ReportMetric(float64(serially)/float64(b.Elapsed()), "x-faster")
	b.ReportMetric(float64(n), "requests/op")
}
