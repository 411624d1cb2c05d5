package message

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
)

// The golden messages, some of them by the official SDKs for Go and JavaScript, are of this plaintext, in frames of 16
// bytes. Signatures are made of fresh random numbers, so only the unsigned message can be made again.
const goldenPlain = "the quick brown fox jumps over the lazy dog"

func goldenOptions(suite Suite) WriterOptions {
	return WriterOptions{
		Suite:       suite,
		FrameLength: 16,
		Context:     map[string]string{"ms-store": "s3://example", "ms-name": "service/ä", "empty": ""},
		Rand:        strings.NewReader("0123456789abcdef0123456789ABCDEF"),
	}
}

func TestGoldenWrite(t *testing.T) {
	want, err := os.ReadFile("testdata/unsigned.msg")
	if err != nil {
		t.Fatal(err)
	}
	if got := seal(t, goldenOptions(Unsigned), []byte(goldenPlain)); !bytes.Equal(got, want) {
		t.Errorf("wrote\n%q\nwant\n%q", got, want)
	}
}

// Of the messages of the official SDKs these are the data keys.
func TestGoldenRead(t *testing.T) {
	own := hex.EncodeToString(testKey())
	for _, tt := range []struct{ name, dataKey string }{
		{"signed", own},
		{"unsigned", own},
		{"go-high-s", "e5ec61ee1092cd9c3177551cd625962660012754aeb2ad3688c2ca2c600b16f4"},
		{"go-low-s", "57c720b34de214b236f3a350e008a3a3a850b955145a954b247b6cec564d5d92"},
		{"go-unsigned", "d13fa9af17d6c543f1e2d8615d380c4ce78c9a392e8f582f4749dd7b75ad06c2"},
		{"javascript-signed", "177d70a8b868fea3ed7fb7c35b7ecab220bf94d8450671cea8ddbad83fbbec23"},
		{"javascript-unsigned", "c0f3244a3a017d116599fbfd22aee2470ca8d729c9c22000691bd97c80ed9b39"},
	} {
		msg, err := os.ReadFile("testdata/" + tt.name + ".msg")
		if err != nil {
			t.Fatal(err)
		}
		unwrap := func(*Header) ([]byte, error) { return hex.DecodeString(tt.dataKey) }
		o := ReaderOptions{AcceptUnsigned: strings.HasSuffix(tt.name, "unsigned")}
		r, err := NewReader(bytes.NewReader(msg), o, unwrap)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var got bytes.Buffer
		if _, err := r.WriteTo(&got); err != nil || got.String() != goldenPlain {
			t.Errorf("%s: %q, %v", tt.name, got.String(), err)
		}
		if h := r.Header(); h.FrameLength != 16 || h.Context["ms-name"] != "service/ä" {
			t.Errorf("%s: header is %+v", tt.name, h)
		}
	}
}

// TestNotAMessage reads what is in a bucket for other reasons.
func TestNotAMessage(t *testing.T) {
	for _, text := range []string{"", "\x02", "{}", "-----BEGIN PRIVATE KEY-----\n", "\x01\x80\x03\x78", strings.Repeat("\x02", 1<<20)} {
		if _, err := open([]byte(text)); !errors.Is(err, ErrNotAuthentic) || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%.20q: error is %v", text, err)
		}
	}
}
