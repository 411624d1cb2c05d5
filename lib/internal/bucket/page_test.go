package bucket

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const namespace = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`

const wholePage = namespace + `<Name>b</Name><Prefix/><StartAfter></StartAfter><KeyCount>3</KeyCount><MaxKeys>1000</MaxKeys>` +
	`<Delimiter>/</Delimiter><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>1&amp;2</NextContinuationToken>` +
	`<Contents><Key>a%2Bb+c</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;0f&#34;</ETag>` +
	`<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><Size>12</Size><Owner><ID>1</ID></Owner><StorageClass>STANDARD</StorageClass></Contents>` +
	"\n <Contents><Size>0</Size><Key>z</Key></Contents><CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></ListBucketResult>\n"

func TestScanPage(t *testing.T) {
	p, err := scanPage(strings.NewReader(wholePage), "")
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{Info: Info{Key: "a+b c", Size: 12, ETag: `"0f"`, Modified: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)}},
		{Info: Info{Key: "b/"}, Common: true},
		{Info: Info{Key: "z"}},
	}
	if !slices.Equal(p.entries, want) || p.next != "1&2" {
		t.Errorf("%+v", p)
	}
}

func TestScanPageRefuses(t *testing.T) {
	content := func(s string) string {
		return "<ListBucketResult><Contents>" + s + "</Contents></ListBucketResult>"
	}
	for name, doc := range map[string]string{
		"nothing":          "",
		"text":             "not found",
		"another root":     "<Error><Code>InternalError</Code></Error>",
		"no end":           strings.TrimSuffix(wholePage, "</ListBucketResult>\n"),
		"more than one":    "<ListBucketResult></ListBucketResult><ListBucketResult/>",
		"wrong end":        "<ListBucketResult><A></B></ListBucketResult>",
		"end first":        "</ListBucketResult>",
		"no declared end":  "<?xml ",
		"document type":    "<!DOCTYPE a [<!ENTITY b 'c'>]><ListBucketResult/>",
		"comment":          "<ListBucketResult><!-- --></ListBucketResult>",
		"character data":   content("<Key><![CDATA[a]]></Key>"),
		"unknown entity":   content("<Key>&b;</Key>"),
		"entity's end":     content("<Key>&amp</Key>"),
		"surrogate":        content("<Key>&#xd800;</Key>"),
		"NUL":              content("<Key>&#0;</Key>"),
		"size":             content("<Size>many</Size>"),
		"negative size":    content("<Size>-1</Size>"),
		"time":             content("<LastModified>yesterday</LastModified>"),
		"escape":           "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key></Contents></ListBucketResult>",
		"no token":         "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
		"text and tags":    content("<Key>a<b/></Key>"),
		"tags and text":    content("<Key><b/>a</Key>"),
		"deep":             strings.Repeat("<ListBucketResult>", 9) + strings.Repeat("</ListBucketResult>", 9),
		"tag in a tag":     "<ListBucketResult <a>></ListBucketResult>",
		"quoted end":       `<ListBucketResult a=">"/>`,
		"long text":        content("<Key>" + strings.Repeat("k", 40<<10) + "</Key>"),
		"open quote":       `<ListBucketResult a="></ListBucketResult>`,
		"an end that is 2": "<ListBucketResult></ListBucketResult/>",
	} {
		if p, err := scanPage(strings.NewReader(doc), ""); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// FuzzScanPage holds that no document does harm, and that whatever both take
// means the same to encoding/xml.
// TestScanPageEnd holds that nothing behind the first key above the end is looked
// at, whatever it is.
func TestScanPageEnd(t *testing.T) {
	const head = `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>`
	contents := func(keys ...string) (doc string) {
		for _, key := range keys {
			doc += "<Contents><Key>" + key + "</Key></Contents>"
		}
		return doc
	}
	for _, c := range []struct {
		doc, end string
		keys     int
		next     string
	}{
		{contents("a", "b", "c", "d") + `</ListBucketResult>`, "", 4, "t"},
		{contents("a", "b", "c", "d") + `</ListBucketResult>`, "d", 4, "t"},
		{`<EncodingType>url</EncodingType>` + contents("a", "b", "c", "d") + `</ListBucketResult>`, "d", 4, "t"},
		{`<EncodingType>url</EncodingType>` + contents("a", "b", "c", "d") + `</ListBucketResult>`, "b", 3, ""},
		{`<EncodingType>url</EncodingType>` + contents("a", "b", "%C3%A4") + "<no XML", "z", 3, ""},
		{contents("a", "b", "c", "d") + `<EncodingType>url</EncodingType></ListBucketResult>`, "b", 4, "t"},
	} {
		p, err := scanPage(strings.NewReader(head+c.doc), c.end)
		if err != nil || len(p.entries) != c.keys || p.next != c.next {
			t.Errorf("%s up to %q: %d keys, %q, %v", c.doc, c.end, len(p.entries), p.next, err)
		}
	}
}

func FuzzScanPage(f *testing.F) {
	f.Add(wholePage)
	f.Add(`<ListBucketResult/>`)
	f.Add(`<ListBucketResult a='1' b="2"><Contents><Key>&#x1F600;&lt;</Key></Contents><IsTruncated>false</IsTruncated></ListBucketResult >`)
	f.Add(`<ListBucketResult><Contents><Key>a<b/>c</Key><Key>d</Key></Contents></ListBucketResult>`)
	f.Add(`<ListBucketResult><CommonPrefixes><Prefix>b/</Prefix><Prefix>c/</Prefix></CommonPrefixes></ListBucketResult>`)
	f.Fuzz(func(t *testing.T, doc string) {
		p, err := scanPage(strings.NewReader(doc), "")
		if err != nil {
			return
		}
		var other struct {
			XMLName  xml.Name `xml:"ListBucketResult"`
			Contents []struct {
				Key  []string
				ETag []string
			}
			CommonPrefixes []struct{ Prefix []string }
			EncodingType   []string
		}
		if xml.Unmarshal([]byte(doc), &other) != nil || slices.Contains(other.EncodingType, "url") || strings.Contains(doc, "\r") || strings.Contains(doc, ":") {
			return
		}
		var want, got []string
		for _, c := range other.Contents {
			want = append(want, fmt.Sprintf("%q %q", last(c.Key), last(c.ETag)))
		}
		for _, c := range other.CommonPrefixes {
			want = append(want, fmt.Sprintf("%q common", last(c.Prefix)))
		}
		for _, e := range p.entries {
			if e.Common {
				got = append(got, fmt.Sprintf("%q common", strings.TrimSpace(e.Key)))
			} else {
				got = append(got, fmt.Sprintf("%q %q", strings.TrimSpace(e.Key), strings.TrimSpace(e.ETag)))
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q, not %q", got, want)
		}
	})
}

func last(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return strings.TrimSpace(s[len(s)-1])
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

func BenchmarkScanPage(b *testing.B) {
	doc := fullPage()
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, err := scanPage(bytes.NewReader(doc), ""); err != nil {
			b.Fatal(err)
		}
	}
}
