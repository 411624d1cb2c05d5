package message

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
)

// maxFuzzAllocation is in bytes, for an input of any kind.
const maxFuzzAllocation = 64 << 20

// allocated gives the bytes that run allocates, as far as the runtime has counted them: what it takes for itself to
// count exactly would be new to the fuzzer each time.
func allocated(run func()) uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	run()
	metrics.Read(sample)
	return sample[0].Value.Uint64() - before
}

// FuzzHeader parses any bytes as a header. What it accepts it must have taken as it is.
func FuzzHeader(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		src := bytes.NewReader(b)
		var h *Header
		var err error
		if n := allocated(func() { h, err = ReadHeader(src) }); n > maxFuzzAllocation {
			t.Errorf("allocated %d bytes", n)
		}
		if err != nil {
			if !errors.Is(err, ErrNotAuthentic) {
				t.Errorf("error is %v", err)
			}
			return
		}
		if taken := len(b) - src.Len(); taken != h.Len() {
			t.Errorf("took %d bytes of a header of %d", taken, h.Len())
		}
		if len(h.DataKeys) == 0 || len(h.DataKeys) > MaxDataKeys || h.FrameLength < 1 || h.FrameLength > MaxFrameLength {
			t.Errorf("out of bounds: %+v", h)
		}
		canonical := *h
		canonical.encode()
		again, err := ReadHeader(bytes.NewReader(append(canonical.body, h.tag[:]...)))
		if err != nil {
			t.Fatalf("its canonical form is refused: %v", err)
		}
		if again.body = h.body; !reflect.DeepEqual(again, h) {
			t.Errorf("its canonical form is read as %+v, not %+v", again, h)
		}
	})
}

// FuzzBody reads any bytes after an authentic header of each suite.
func FuzzBody(f *testing.F) {
	heads := map[Suite][]byte{}
	for _, suite := range suites {
		msg, body := goodRecipe(suite).make(f)
		heads[suite] = msg[:body:body]
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for suite, head := range heads {
			fuzzMessage(t, suite, append(head, b...))
		}
	})
}

// FuzzMessage reads any bytes as a message under the test's data key.
func FuzzMessage(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) { fuzzMessage(t, Signed, b) })
}

func fuzzMessage(t *testing.T, suite Suite, msg []byte) {
	var plain []byte
	var err error
	if n := allocated(func() { plain, err = open(msg) }); n > maxFuzzAllocation {
		t.Errorf("%v: allocated %d bytes", suite, n)
	}
	if err != nil && !errors.Is(err, ErrNotAuthentic) {
		t.Errorf("%v: error is %v", suite, err)
	}
	if len(plain) > len(msg) {
		t.Errorf("%v: %d bytes of plaintext in %d", suite, len(plain), len(msg))
	}
}

// FuzzFrames makes authentic frames of any kind and in any order, three bytes each, and compares what the Reader says
// of them with what the format does: regular frames of the frame length numbered from 1, then one final frame.
func FuzzFrames(f *testing.F) {
	f.Fuzz(func(t *testing.T, frameLen byte, b []byte) {
		r := goodRecipe(Unsigned)
		r.frameLen = max(1, uint32(frameLen))
		r.frames = nil
		valid, ended, want := true, false, []byte(nil)
		for i := 0; i+3 <= len(b) && i < 3*1000; i += 3 {
			plain := bytes.Repeat(b[i:i+1], int(b[i+1]))
			frame := regularFrame(uint32(b[i+2]&0x7f), string(plain))
			if final := b[i+2] >= 0x80; final {
				frame = finalFrame(frame.seq, frame.plain)
			}
			r.frames = append(r.frames, frame)

			rightLength := len(plain) == int(r.frameLen) || frame.final && len(plain) < int(r.frameLen)
			valid = valid && !ended && rightLength && frame.seq == uint32(len(r.frames))
			ended = ended || frame.final
			want = append(want, plain...)
		}
		valid = valid && ended
		msg, _ := r.make(t)
		got, err := open(msg)
		if valid != (err == nil) || err != nil && !errors.Is(err, ErrNotAuthentic) {
			t.Fatalf("valid: %v, error is %v", valid, err)
		}
		if valid && !bytes.Equal(got, want) || !bytes.HasPrefix(want, got) {
			t.Errorf("got %d bytes, which are not the %d", len(got), len(want))
		}
	})
}

// FuzzWriter makes a message of any options and encrypted data keys. The Writer refuses them, or the Reader reads what
// was written.
func FuzzWriter(f *testing.F) {
	f.Fuzz(func(t *testing.T, suite uint16, frameLen int, key, value, provider, info string, ciphertext, dataKey, plain []byte, count, repeat byte) {
		o := WriterOptions{Suite: Suite(suite), FrameLength: frameLen, Context: map[string]string{key: value}}
		for i := range int(repeat) {
			o.Context[fmt.Sprint(key, i)] = strings.Repeat(value, int(repeat))
		}
		keys := slices.Repeat([]EncryptedDataKey{{Provider: provider, Info: info, Ciphertext: ciphertext}}, int(count))
		var dst bytes.Buffer
		w, err := NewWriter(&dst, o, func(map[string]string) ([]byte, []EncryptedDataKey, error) {
			return bytes.Clone(dataKey), keys, nil
		})
		if err != nil {
			if dst.Len() > 0 || errors.Is(err, ErrNotAuthentic) {
				t.Errorf("%d bytes written, error is %v", dst.Len(), err)
			}
			return
		}
		must(w.Write(plain))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(&dst, ReaderOptions{AcceptUnsigned: true}, func(*Header) ([]byte, error) { return bytes.Clone(dataKey), nil })
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("got %d bytes, %v; want %d", len(got), err, len(plain))
		}
		if len(ciphertext) == 0 { // nil or empty
			return
		}
		if h := w.Header(); !reflect.DeepEqual(r.Header(), h) {
			t.Errorf("read the header %+v, wrote %+v", r.Header(), h)
		}
	})
}

// FuzzRoundTrip writes any bytes in pieces and frames of any length.
func FuzzRoundTrip(f *testing.F) {
	f.Fuzz(func(t *testing.T, plain []byte, frameLen uint32, piece uint16, signed bool) {
		o := WriterOptions{Suite: Unsigned, FrameLength: int(frameLen%MaxFrameLength) + 1}
		if signed {
			o.Suite = Signed
		}
		var dst bytes.Buffer
		w := must(NewWriter(&dst, o, wrapTest))
		if err := writePieces(w, plain, int(piece)+1); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if w.Size(int64(len(plain))) != int64(dst.Len()) {
			t.Errorf("Size says %d, the message has %d bytes", w.Size(int64(len(plain))), dst.Len())
		}
		if got, err := open(dst.Bytes()); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("got %d bytes, %v; want %d", len(got), err, len(plain))
		}
	})
}

// FuzzPublicKey holds that a public key in a context has one spelling.
func FuzzPublicKey(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	good, err := encodePublicKey(&key.PublicKey)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{good, "", "====", good + "\n", good[:66] + "==", "A" + good[1:], "BB" + good[2:]} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := decodePublicKey(s)
		if err != nil {
			if !errors.Is(err, ErrNotAuthentic) {
				t.Fatalf("error is %v", err)
			}
			return
		}
		if again, err := encodePublicKey(key); err != nil || again != s {
			t.Errorf("%q is written as %q, %v", s, again, err)
		}
	})
}
