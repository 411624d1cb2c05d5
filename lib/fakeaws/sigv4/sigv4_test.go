package sigv4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The example of chunks and their signatures in the documentation of Signature
// Version 4.
func exampleSignature(payload string) *Signature {
	key := []byte("AWS4" + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
	for _, part := range []string{"20130524", "us-east-1", "s3", "aws4_request"} {
		key = hmacSHA256(key, part)
	}
	return &Signature{Payload: payload, key: key, Time: "20130524T000000Z", scope: "20130524/us-east-1/s3/aws4_request",
		value: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"}
}

const exampleChunks = "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n%s\r\n" +
	"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n%s\r\n" +
	"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"

func TestChunkSignatures(t *testing.T) {
	stream := fmt.Sprintf(exampleChunks, strings.Repeat("a", 65536), strings.Repeat("a", 1024))
	data, err := io.ReadAll(exampleSignature(StreamingSigned).Chunked(strings.NewReader(stream)))
	if err != nil || string(data) != strings.Repeat("a", 66560) {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	for _, old := range []string{"ad80", "0055", "b6c6", "aaaa\r\n"} {
		altered := strings.Replace(stream, old, "0000"+old[4:], 1)
		if _, err := io.ReadAll(exampleSignature(StreamingSigned).Chunked(strings.NewReader(altered))); !errors.Is(err, ErrMismatch) {
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
	sig := exampleSignature(StreamingSignedTrailer)
	sig.value = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
	stream := fmt.Sprintf(chunks, strings.Repeat("a", 65536), strings.Repeat("a", 1024))
	c := sig.Chunked(strings.NewReader(stream))
	if data, err := io.ReadAll(c); err != nil || len(data) != 66560 || c.Trailer.Get("x-amz-checksum-crc32c") != "sOO8/Q==" {
		t.Errorf("%d bytes, %v, %v", len(data), c.Trailer, err)
	}
	for _, old := range []string{"sOO8", "d81f"} {
		altered := strings.Replace(stream, old, "0000", 1)
		if _, err := io.ReadAll(sig.Chunked(strings.NewReader(altered))); !errors.Is(err, ErrMismatch) {
			t.Errorf("without %q: %v", old, err)
		}
	}
}

func TestChunked(t *testing.T) {
	for _, row := range []struct {
		name, stream, data, trailer string
		err                         error
	}{
		{"empty", "0\r\n\r\n", "", "", nil},
		{"two chunks", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde", "", nil},
		{"a trailer", "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n", "abc", "AAAA", nil},
		{"no last line", "1\r\na\r\n0\r\n", "a", "", nil},
		{"no end", "1\r\na\r\n", "", "", ErrChunks},
		{"cut chunk", "5\r\nab", "", "", ErrChunks},
		{"long chunk", "1\r\nab\r\n0\r\n\r\n", "", "", ErrChunks},
		{"no size", "x\r\na\r\n0\r\n\r\n", "", "", ErrChunks},
		{"negative size", "-1\r\na\r\n0\r\n\r\n", "", "", ErrChunks},
		{"huge size", "ffffffffffffffffffff\r\na\r\n0\r\n\r\n", "", "", ErrChunks},
		{"more after the end", "0\r\n\r\nmore", "", "", ErrChunks},
		{"a trailer that is none", "0\r\nnonsense\r\n\r\n", "", "", ErrTrailer},
		{"an endless line", strings.Repeat("0", 1<<20), "", "", ErrChunks},
		{"endless trailers", "0\r\n" + strings.Repeat("a:b\r\n", 100), "", "", ErrTrailer},
	} {
		c := (&Signature{Payload: StreamingUnsignedTrailer}).Chunked(strings.NewReader(row.stream))
		data, err := io.ReadAll(c)
		switch {
		case !errors.Is(err, row.err):
			t.Errorf("%s: %v, want %v", row.name, err, row.err)
		case row.err == nil && (err != nil || string(data) != row.data || c.Trailer.Get("x-amz-checksum-crc32") != row.trailer):
			t.Errorf("%s: %q, %v, %v", row.name, data, c.Trailer, err)
		}
	}
}

func FuzzChunked(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"), false)
	f.Add([]byte("3;chunk-signature=00\r\nabc\r\n0;chunk-signature=00\r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, stream []byte, signed bool) {
		payload := StreamingUnsignedTrailer
		if signed {
			payload = StreamingSignedTrailer
		}
		data, err := io.ReadAll(exampleSignature(payload).Chunked(bytes.NewReader(stream)))
		if len(data) > len(stream) {
			t.Error("more bytes came out than went in")
		}
		if err != nil && !errors.Is(err, ErrChunks) && !errors.Is(err, ErrTrailer) && !errors.Is(err, ErrMismatch) {
			t.Errorf("an error that no client is told: %v", err)
		}
	})
}

func FuzzSignature(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=A/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;range, Signature=00", "20130524T000000Z")
	f.Fuzz(func(t *testing.T, auth, date string) {
		r := &http.Request{Method: "GET", Host: "h", URL: &url.URL{Path: "/a b", RawQuery: "x=y"}, Header: http.Header{"Authorization": {auth}, "X-Amz-Date": {date}}}
		s, err := Parse(r)
		if err == nil && s.Verify(r, "secret") == nil {
			t.Error("a signature came out right by chance")
		}
		if err == nil {
			s.CheckTime(time.Time{})
		}
	})
}
