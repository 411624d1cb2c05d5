package message

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
)

// The golden messages are of this plaintext, in frames of 16 bytes, under the test's data key. Signatures are made of
// fresh random numbers, so only the unsigned message can be made again.
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

func TestGoldenRead(t *testing.T) {
	for name, suite := range map[string]Suite{"unsigned": Unsigned, "signed": Signed} {
		msg, err := os.ReadFile("testdata/" + name + ".msg")
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(bytes.NewReader(msg), ReaderOptions{AcceptUnsigned: true}, unwrapTest)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := r.WriteTo(&got); err != nil || got.String() != goldenPlain {
			t.Errorf("%s: %q, %v", name, got.String(), err)
		}
		h, o := r.Header(), goldenOptions(suite)
		if h.Suite != suite || h.FrameLength != o.FrameLength || h.Context["ms-name"] != o.Context["ms-name"] {
			t.Errorf("%s: header is %+v", name, h)
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
