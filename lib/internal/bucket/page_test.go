package bucket

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"microsecrets/lib/internal/printable"
	"microsecrets/lib/internal/racetest"
)

const namespace = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`

const wholePage = namespace + `<Name>b</Name><Prefix/><StartAfter></StartAfter><KeyCount>3</KeyCount><MaxKeys>1000</MaxKeys>` +
	`<Delimiter>/</Delimiter><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>1&amp;2</NextContinuationToken>` +
	`<Contents><Key>a%2Bb+c</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;0f&#34;</ETag>` +
	`<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><Size>12</Size><Owner><ID>1</ID></Owner><StorageClass>STANDARD</StorageClass></Contents>` +
	"\n <Contents><Size>0</Size><Key>z</Key></Contents><CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></ListBucketResult>\n"

const wholeVersions = `<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a%2Fb</NextKeyMarker><NextVersionIdMarker>v1</NextVersionIdMarker>` +
	`<DeleteMarker><Key>a%2Fb</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest><LastModified>2026-01-02T03:04:05Z</LastModified></DeleteMarker>` +
	`<Version><Key>a%2Fb</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest><LastModified>2026-01-02T03:04:05Z</LastModified><ETag>"e"</ETag><Size>1</Size></Version>` +
	`<EncodingType>url</EncodingType></ListVersionsResult>`

func readPage(doc string) (p page, err error) {
	err = p.read(strings.NewReader(doc))
	return p, err
}

func TestPage(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name, doc string
		want      page
	}{
		{"objects", wholePage, page{more: true, next: position{token: "1&2"}, encoded: true, entries: []Entry{
			{Info: Info{Key: "a+b c", Size: 12, ETag: `"0f"`, Modified: at.Add(678 * time.Millisecond)}},
			{Info: Info{Key: "z"}},
			{Info: Info{Key: "b/"}, Common: true},
		}}},
		{"versions", wholeVersions, page{more: true, next: position{key: "a/b", version: "v1"}, encoded: true, entries: []Entry{
			{Info: Info{Key: "a/b", Version: "v2", Modified: at}, Latest: true, Deleted: true},
			{Info: Info{Key: "a/b", Version: "v1", Modified: at, ETag: `"e"`, Size: 1}},
		}}},
		{"nothing", "<ListBucketResult/>", page{}},
		{"keys as they are", "<ListBucketResult><Contents><Key>a%2Bb+c</Key></Contents></ListBucketResult>", page{entries: []Entry{{Info: Info{Key: "a%2Bb+c"}}}}},
		{"entities", "<ListBucketResult ><Contents><Key>&lt;&gt;&amp;&quot;&apos;&#10;&#x1F600;&amp;lt;</Key></Contents ></ListBucketResult>",
			page{entries: []Entry{{Info: Info{Key: "<>&\"'\n\U0001F600&lt;"}}}}},
		{"unknown elements", "<ListBucketResult><New><Key>k</Key></New><Contents><New/><Key>a</Key><Owner><Key>b</Key></Owner></Contents></ListBucketResult>",
			page{entries: []Entry{{Info: Info{Key: "a"}}}}},
	} {
		p, err := readPage(c.doc)
		if err != nil || !slices.Equal(p.entries, c.want.entries) || p.more != c.want.more || p.next != c.want.next {
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
	}
}

func TestPageRefuses(t *testing.T) {
	content := func(s string) string {
		return "<ListBucketResult><Contents>" + s + "</Contents></ListBucketResult>"
	}
	version := func(s string) string {
		return "<ListVersionsResult><Version>" + s + "</Version></ListVersionsResult>"
	}
	for name, doc := range map[string]string{
		"nothing":                  "",
		"text":                     "not found",
		"another root":             "<Error><Code>InternalError</Code></Error>",
		"HTML":                     "<!DOCTYPE html><html><body><p>Welcome</body></html>",
		"no end":                   strings.TrimSuffix(wholePage, "</ListBucketResult>\n"),
		"two roots":                "<ListBucketResult></ListBucketResult><ListBucketResult/>",
		"wrong end":                "<ListBucketResult><A></B></ListBucketResult>",
		"end first":                "</ListBucketResult>",
		"no declared end":          "<?xml ",
		"document type":            "<!DOCTYPE a [<!ENTITY b 'c'>]><ListBucketResult/>",
		"comment":                  "<ListBucketResult><!-- --></ListBucketResult>",
		"character data":           content("<Key><![CDATA[a]]></Key>"),
		"size":                     content("<Size>many</Size>"),
		"negative size":            content("<Size>-1</Size>"),
		"time":                     content("<LastModified>yesterday</LastModified>"),
		"escape":                   "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key></Contents></ListBucketResult>",
		"escape of a marker":       "<ListVersionsResult><EncodingType>url</EncodingType><NextKeyMarker>%</NextKeyMarker></ListVersionsResult>",
		"ETag with an escape":      content("<ETag>&#27;]0;title&#7;</ETag>"),
		"ETag with a newline":      content("<ETag>a&#10;b</ETag>"),
		"ETag with a space":        content("<ETag>a b</ETag>"),
		"ETag of other characters": version("<ETag>ä</ETag>"),
		"long ETag":                content("<ETag>" + strings.Repeat("e", 1025) + "</ETag>"),
		"version with an escape":   version("<VersionId>&#x9b;31m</VersionId>"),
		"version with a newline":   version("<VersionId>v1&#10;rotated</VersionId>"),
		"version with a space":     version("<VersionId>v1 latest</VersionId>"),
		"long version":             version("<VersionId>" + strings.Repeat("v", 1025) + "</VersionId>"),
		"deep":                     strings.Repeat("<ListBucketResult>", 9) + strings.Repeat("</ListBucketResult>", 9),
		"long text":                content("<Key>" + strings.Repeat("k", 17<<10) + "</Key>"),
		"long text in pieces":      content("<Key>" + strings.Repeat("k<!-- -->", 17<<10) + "</Key>"),
		"long tag":                 content("<Key " + strings.Repeat(" a='b'", 4<<10) + "/>"),
		"long comment":             "<!--" + strings.Repeat("c", 17<<10) + "--><ListBucketResult/>",
		"1,001 entries":            "<ListBucketResult>" + strings.Repeat("<Contents><Key>k</Key></Contents>", 1001) + "</ListBucketResult>",
	} {
		if p, err := readPage(doc); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
	longest := strings.Repeat("k", 1024)
	p, err := readPage(content("<ETag>" + longest + "</ETag>" + "<Key>" + strings.Repeat("%C3%A4", 512) + "</Key>"))
	if err != nil || p.entries[0].ETag != `"`+longest+`"` {
		t.Errorf("the longest ETag: %v", err)
	}
}

// TestEndless holds that an answer without an end is refused after a bounded
// number of bytes, with a bounded amount of memory.
func TestEndless(t *testing.T) {
	emulated(t)
	for i, c := range []struct{ start, repeated string }{
		{"<ListBucketResult><Name>", "AAAAAAAAAAAAAAAA"},
		{"<ListVersionsResult><Name>", "&amp;&amp;&amp;"},
		{"<ListBucketResult>", "<Name>x</Name>"},
		{"<ListBucketResult>", "               "},
		{"<ListBucketResult ", "a='b' "},
		{"<", "aaaaaaaaaaaaaaaa"},
		{"", "<ListBucketResult>"},
		{"", "<!-- comment -->"},
		{"<ListBucketResult/>", "<!-- comment -->"},
		{"<ListBucketResult>", "<CommonPrefixes><Prefix>a</Prefix></CommonPrefixes>"},
		{"<ListVersionsResult>", "<Version><Key>s/a</Key></Version>"},
		{"<ListVersionsResult><Version>", "<Key>s/a</Key>"},
	} {
		if racetest.Quick() && i%3 > 0 {
			continue
		}
		var sent atomic.Int64
		repeated := []byte(strings.Repeat(c.repeated, 1000))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := w.Write([]byte(c.start))
			for err == nil && sent.Add(int64(n)) < 100<<20 {
				n, err = w.Write(repeated)
			}
		}))
		t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
		b := opened(t)
		for name, list := range map[string]func() (Entry, error){
			"objects":  func() (Entry, error) { return first(b.List(context.Background(), "", false)) },
			"versions": func() (Entry, error) { return first(b.ListVersions(context.Background(), "")) },
		} {
			var before, after runtime.MemStats
			sent.Store(0)
			runtime.ReadMemStats(&before)
			e, err := list()
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), "the answer, of HTTP status 200, is not one of S3's") {
				t.Errorf("%s%s…: %s: %+v, %v", c.start, c.repeated, name, e, err)
			}
			if n := sent.Load(); n > 32<<20 {
				t.Errorf("%s%s…: %s: %d bytes were sent", c.start, c.repeated, name, n)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
				t.Errorf("%s%s…: %s: %d bytes were allocated", c.start, c.repeated, name, n)
			}
		}
		server.Close()
	}
}

func first(entries func(func(Entry, error) bool)) (e Entry, err error) {
	for e, err = range entries {
		break
	}
	return e, err
}

// FuzzPage holds that no answer does harm, and that what is read of it is within
// bounds.
func FuzzPage(f *testing.F) {
	f.Add(wholePage)
	f.Add(wholeVersions)
	f.Add(`<ListBucketResult/>`)
	f.Add(`<ListBucketResult a='1' b="2"><Contents><Key>&#x1F600;&lt;</Key></Contents><IsTruncated>false</IsTruncated></ListBucketResult >`)
	f.Add(`<ListBucketResult><Contents><Key>a<b/>c</Key><Key>d</Key></Contents></ListBucketResult>`)
	f.Add(`<ListBucketResult><CommonPrefixes><Prefix>b/</Prefix><Prefix>c/</Prefix></CommonPrefixes></ListBucketResult>`)
	f.Add(`<ListVersionsResult><EncodingType>url</EncodingType><Version><Key>%</Key></Version></ListVersionsResult>`)
	f.Add(`<ListVersionsResult><Version><Size>-1x</Size></Version></ListVersionsResult>`)
	f.Add(`<ListVersionsResult><Version><VersionId>&#x9b;31m</VersionId><ETag>a b</ETag></Version></ListVersionsResult>`)
	f.Add(`<`)
	f.Fuzz(func(t *testing.T, doc string) {
		p, err := readPage(doc)
		if err != nil {
			return
		}
		if len(p.entries) > pageEntries {
			t.Errorf("%d entries", len(p.entries))
		}
		for _, e := range p.entries {
			for _, text := range []string{e.ETag, e.Version} {
				if text != "" && !printable.Token(text) {
					t.Errorf("%q", text)
				}
			}
			if e.Size < 0 || len(e.Key) > textBytes || e.Common && e.Deleted {
				t.Errorf("%+v", e)
			}
		}
	})
}

// fullPage is a page as S3 writes it, of a thousand names.
func fullPage() []byte {
	var doc strings.Builder
	doc.WriteString(namespace + "<Name>example</Name><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>")
	for i := range 1000 {
		fmt.Fprintf(&doc, `<Contents><Key>myservice/name%06d</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>`+
			`<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>`+
			`<ChecksumType>FULL_OBJECT</ChecksumType><Size>612</Size><StorageClass>STANDARD</StorageClass></Contents>`, i)
	}
	return []byte(doc.String() + "</ListBucketResult>")
}

func BenchmarkPage(b *testing.B) {
	doc := fullPage()
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		var p page
		if err := p.read(bytes.NewReader(doc)); err != nil {
			b.Fatal(err)
		}
	}
}
