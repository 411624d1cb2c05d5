package fakeaws

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// A write's conditions are checked again when its body is there; what has
// changed meanwhile is a conflict.
func TestWriteCheck(t *testing.T) {
	old, other, gone := &version{ETag: "old"}, &version{ETag: "new"}, &version{Deleted: true}
	for _, row := range []struct {
		name           string
		header         string
		before, latest *version
		status         int
	}{
		{"unchanged", "If-Match", old, old, 0},
		{"changed", "If-Match", old, other, 409},
		{"deleted", "If-Match", old, gone, 404},
		{"removed", "If-Match", old, nil, 404},
		{"still absent", "If-None-Match", nil, nil, 0},
		{"still deleted", "If-None-Match", gone, gone, 0},
		{"created", "If-None-Match", nil, other, 409},
		{"created and deleted", "If-None-Match", nil, gone, 0},
	} {
		c := call{r: &http.Request{Header: http.Header{row.header: {"old"}}}}
		err := c.writeCheck(row.before)(row.latest)
		apiErr, _ := errors.AsType[*apiError](err)
		if status := 0; apiErr != nil && apiErr.status != row.status || apiErr == nil && row.status != status {
			t.Errorf("%s: %v, want %d", row.name, err, row.status)
		}
	}
}

func TestIndex(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var x index
	model := map[string]bool{}
	for i := range 30_000 {
		key := fmt.Sprintf("%04x", random.IntN(6000))
		if i%3 == 2 && i > 15_000 || i > 25_000 {
			x.remove(key)
			delete(model, key)
		} else {
			x.getOrInsert(key)
			model[key] = true
		}
	}
	want := slices.Sorted(maps.Keys(model))
	var got []string
	for cur := x.seek(""); cur.peek() != nil; {
		got = append(got, cur.next().key)
	}
	if !slices.Equal(got, want) || x.n != len(want) {
		t.Fatalf("%d keys in order, %d said, want %d", len(got), x.n, len(want))
	}
	for range 1000 {
		key := fmt.Sprintf("%04x", random.IntN(6000))
		i, found := slices.BinarySearch(want, key)
		cur := x.seek(key)
		if o := cur.peek(); (o == nil) != (i == len(want)) || o != nil && o.key != want[i] || (x.get(key) != nil) != found {
			t.Fatalf("seek(%q) goes astray", key)
		}
	}
}

// A page costs about a page, wherever it is and however many keys its common
// prefixes hide.
func TestListingSteps(t *testing.T) {
	b := &bucket{}
	v := &version{ID: nullVersion}
	for i := range 200_000 {
		b.insert(fmt.Sprintf("svc%03d/%06d", i/1000, i), v)
	}
	for _, row := range []struct {
		name   string
		l      listing
		marker string
		steps  int64
	}{
		{"first page", listing{max: 1000}, "", 1001},
		{"a page in the middle", listing{max: 1000}, "svc100/100500", 1001},
		{"with a prefix", listing{max: 1000, prefix: "svc150/"}, "", 1001},
		{"of one key", listing{max: 1, prefix: "svc150/150999"}, "", 2},
		{"common prefixes", listing{max: 1000, delimiter: "/"}, "", 200},
		{"common prefixes after one", listing{max: 10, delimiter: "/"}, "svc100/", 11},
	} {
		b.objects.steps.Store(0)
		row.l.list(&b.objects, row.marker)
		if n := b.objects.steps.Load(); n != row.steps {
			t.Errorf("%s: %d keys looked at, want %d", row.name, n, row.steps)
		}
		b.objects.steps.Store(0)
		row.l.listVersions(&b.objects, row.marker, "")
		if n := b.objects.steps.Load(); n != row.steps {
			t.Errorf("versions, %s: %d keys looked at, want %d", row.name, n, row.steps)
		}
	}
}

func TestParseRange(t *testing.T) {
	for _, row := range []struct {
		header string
		size   int64
		off, n int64
		ok     bool
	}{
		{"bytes=0-0", 10, 0, 1, true},
		{"bytes=2-5", 10, 2, 4, true},
		{"bytes=2-", 10, 2, 8, true},
		{"bytes=-3", 10, 7, 3, true},
		{"bytes=-30", 10, 0, 10, true},
		{"bytes=5-50", 10, 5, 5, true},
		{"bytes=10-", 10, 10, 0, true},
		{"bytes=0-", 0, 0, 0, true},
		{"bytes=-0", 10, 10, 0, true},
		{"bytes=5-2", 10, 0, 0, false},
		{"bytes=0-1,3-4", 10, 0, 0, false},
		{"bytes=a-b", 10, 0, 0, false},
		{"lines=0-1", 10, 0, 0, false},
	} {
		off, n, ok := parseRange(row.header, row.size)
		if ok != row.ok || ok && (n != row.n || n > 0 && off != row.off) {
			t.Errorf("%s of %d: %d bytes at %d, %v", row.header, row.size, n, off, ok)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, row := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "a/b", true}, {"a*", "ab", true}, {"a*c", "abbc", true},
		{"a*c", "abb", false}, {"*b*", "abc", true}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"a*b*b", "ab", false}, {"*.key", "x/y.key", true},
		{"a*?", "a", false}, {"a*?", "ab", true},
	} {
		if glob(row.pattern, row.s) != row.want {
			t.Errorf("glob(%q, %q) is not %v", row.pattern, row.s, row.want)
		}
	}
}

func TestSplitWords(t *testing.T) {
	for _, row := range []struct {
		line string
		want []string
	}{
		{"", nil}, {"  # nothing", nil}, {"a  b\tc\n", []string{"a", "b", "c"}}, {"a'b c'd", []string{"ab cd"}}, {`"a \" b" '\'`, []string{`a " b`, `\`}},
		{`a\ b`, []string{"a b"}}, {"'' x", []string{"", "x"}}, {"a#b", []string{"a#b"}},
	} {
		if got, err := splitWords(row.line); err != nil || !slices.Equal(got, row.want) {
			t.Errorf("%q: %q, %v", row.line, got, err)
		}
	}
	for _, line := range []string{"'a", `"a`, `a\`} {
		if words, err := splitWords(line); err == nil {
			t.Errorf("%q: %q", line, words)
		}
	}
}

// The example of chunks and their signatures in the documentation of Signature
// Version 4.
func exampleSignature() *signature {
	key := []byte("AWS4" + defaultSecretKey)
	for _, part := range []string{"20130524", "us-east-1", "s3", "aws4_request"} {
		key = hmacSHA256(key, part)
	}
	return &signature{key: key, time: "20130524T000000Z", scope: "20130524/us-east-1/s3/aws4_request",
		value: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"}
}

const exampleChunks = "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n%s\r\n" +
	"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n%s\r\n" +
	"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"

func TestChunkSignatures(t *testing.T) {
	stream := fmt.Sprintf(exampleChunks, strings.Repeat("a", 65536), strings.Repeat("a", 1024))
	data, err := io.ReadAll(newChunkedReader(strings.NewReader(stream), exampleSignature(), true, false))
	if err != nil || string(data) != strings.Repeat("a", 66560) {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	for _, old := range []string{"ad80", "0055", "b6c6", "aaaa\r\n"} {
		altered := strings.Replace(stream, old, "0000"+old[4:], 1)
		if _, err := io.ReadAll(newChunkedReader(strings.NewReader(altered), exampleSignature(), true, false)); !errors.Is(err, errChunkSignature) {
			t.Errorf("without %q: %v", old, err)
		}
	}
}

// The documentation's example with a trailer, which has a signature of its own.
func TestTrailerSignature(t *testing.T) {
	const chunks = "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n%s\r\n" +
		"400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n%s\r\n" +
		"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n" +
		"x-amz-checksum-crc32c:sOO8/Q==\r\n" +
		"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
	sig := exampleSignature()
	sig.value = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
	stream := fmt.Sprintf(chunks, strings.Repeat("a", 65536), strings.Repeat("a", 1024))
	c := newChunkedReader(strings.NewReader(stream), sig, true, true)
	if data, err := io.ReadAll(c); err != nil || len(data) != 66560 || c.trailer.Get("x-amz-checksum-crc32c") != "sOO8/Q==" {
		t.Errorf("%d bytes, %v, %v", len(data), c.trailer, err)
	}
	for _, old := range []string{"sOO8", "d81f"} {
		altered := strings.Replace(stream, old, "0000", 1)
		if _, err := io.ReadAll(newChunkedReader(strings.NewReader(altered), sig, true, true)); !errors.Is(err, errChunkSignature) {
			t.Errorf("without %q: %v", old, err)
		}
	}
}

func TestChunked(t *testing.T) {
	for _, row := range []struct{ name, stream, data, trailer, code string }{
		{"empty", "0\r\n\r\n", "", "", ""},
		{"two chunks", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde", "", ""},
		{"a trailer", "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n", "abc", "AAAA", ""},
		{"no last line", "1\r\na\r\n0\r\n", "a", "", ""},
		{"no end", "1\r\na\r\n", "", "", "IncompleteBody"},
		{"cut chunk", "5\r\nab", "", "", "IncompleteBody"},
		{"long chunk", "1\r\nab\r\n0\r\n\r\n", "", "", "IncompleteBody"},
		{"no size", "x\r\na\r\n0\r\n\r\n", "", "", "IncompleteBody"},
		{"negative size", "-1\r\na\r\n0\r\n\r\n", "", "", "IncompleteBody"},
		{"huge size", "ffffffffffffffffffff\r\na\r\n0\r\n\r\n", "", "", "IncompleteBody"},
		{"more after the end", "0\r\n\r\nmore", "", "", "IncompleteBody"},
		{"a trailer that is none", "0\r\nnonsense\r\n\r\n", "", "", "MalformedTrailerError"},
		{"an endless line", strings.Repeat("0", 1<<20), "", "", "IncompleteBody"},
		{"endless trailers", "0\r\n" + strings.Repeat("a:b\r\n", 100), "", "", "MalformedTrailerError"},
	} {
		c := newChunkedReader(strings.NewReader(row.stream), nil, false, true)
		data, err := io.ReadAll(c)
		apiErr, _ := errors.AsType[*apiError](err)
		switch {
		case row.code != "" && (apiErr == nil || apiErr.code != row.code):
			t.Errorf("%s: %v, want %s", row.name, err, row.code)
		case row.code == "" && (err != nil || string(data) != row.data || c.trailer.Get("x-amz-checksum-crc32") != row.trailer):
			t.Errorf("%s: %q, %v, %v", row.name, data, c.trailer, err)
		}
	}
}

func FuzzChunked(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"), false)
	f.Add([]byte("3;chunk-signature=00\r\nabc\r\n0;chunk-signature=00\r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, stream []byte, signed bool) {
		c := newChunkedReader(strings.NewReader(string(stream)), exampleSignature(), signed, true)
		data, err := io.ReadAll(c)
		if len(data) > len(stream) {
			t.Error("more bytes came out than went in")
		}
		if _, ok := errors.AsType[*apiError](err); err != nil && !ok {
			t.Errorf("an error that no client is told: %v", err)
		}
	})
}

func FuzzBlob(f *testing.F) {
	key := &kmsKey{ID: newKeyID(true), Material: make([]byte, 32)}
	blob, err := key.seal([]byte("data key"), map[string]string{"a": "b"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob)
	f.Fuzz(func(t *testing.T, blob []byte) {
		if id, ok := blobKeyID(blob); ok && len(id) > blobIDSize {
			t.Error("an id that is too long")
		}
		if _, err := key.open(blob, nil); err == nil {
			t.Error("opened without its context")
		}
	})
}

func FuzzControl(f *testing.F) {
	f.Add("fault answer 409 X PutObject key=a times=1")
	f.Add(`write 'a b' "c"`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitWords(line)
		if err == nil && len(words) > len(line) {
			t.Errorf("%d words", len(words))
		}
	})
}

func FuzzSignature(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=A/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;range, Signature=00", "20130524T000000Z")
	f.Fuzz(func(t *testing.T, auth, date string) {
		r := &http.Request{Method: "GET", Host: "h", URL: &url.URL{Path: "/a b", RawQuery: "x=y"}, Header: http.Header{"Authorization": {auth}, "X-Amz-Date": {date}}}
		s, err := parseSignature(r, r.URL.Query())
		if err == nil && s != nil && s.verify(r, r.URL.Query(), "secret") {
			t.Error("a signature came out right by chance")
		}
		if err == nil && s != nil {
			s.checkTime(time.Time{})
		}
	})
}
