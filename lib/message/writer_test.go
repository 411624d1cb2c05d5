package message

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

// TestWriterOptions has what NewWriter refuses before it asks for a data key.
func TestWriterOptions(t *testing.T) {
	for name, o := range map[string]WriterOptions{
		"unknown suite":          {Suite: 0x0378},
		"negative frame length":  {FrameLength: -1},
		"frame length too large": {FrameLength: MaxFrameLength + 1},
		"reserved context key":   {Context: map[string]string{"aws-crypto-public-key": ""}},
		"context key not UTF-8":  {Context: map[string]string{"\xff": ""}},
		"context value not UTF-8": {Context: map[string]string{
			"a": "\xff",
		}},
		"context too large": {Suite: Unsigned, Context: map[string]string{
			"a": strings.Repeat("x", maxField-2-4),
		}},
		"context too large with the public key": {Context: map[string]string{
			"a": strings.Repeat("x", maxField-2-4-1-50),
		}},
		"no randomness": {Rand: iotest.ErrReader(errTest)},
	} {
		w, err := NewWriter(io.Discard, o, func(map[string]string) ([]byte, []EncryptedDataKey, error) {
			t.Errorf("%s: wrap is called", name)
			return nil, nil, errTest
		})
		if w != nil || err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	largest := WriterOptions{Suite: Unsigned, Context: map[string]string{"a": strings.Repeat("x", maxField-2-4-1)}}
	if got, err := open(seal(t, largest, []byte("x"))); err != nil || string(got) != "x" {
		t.Errorf("largest context: %q, %v", got, err)
	}
}

func TestWrap(t *testing.T) {
	o := WriterOptions{Context: map[string]string{"a": "b"}}
	given := maps.Clone(o.Context)
	var dst bytes.Buffer
	w, err := NewWriter(&dst, o, func(context map[string]string) ([]byte, []EncryptedDataKey, error) {
		if len(context) != 2 || context["a"] != "b" || context[PublicKey] == "" {
			t.Errorf("wrap gets the context %v", context)
		}
		clear(context)
		context[PublicKey] = "\xff"
		return testKey(), []EncryptedDataKey{testDataKey()}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := open(dst.Bytes()); err != nil {
		t.Errorf("wrap has changed its context: %v", err)
	}
	if !maps.Equal(o.Context, given) {
		t.Errorf("the caller's context is changed to %v", o.Context)
	}
	if h := w.Header(); h.Suite != Signed || h.FrameLength != DefaultFrameLength || len(h.DataKeys) != 1 {
		t.Errorf("header is %+v", h)
	}
}

func TestWrapRefused(t *testing.T) {
	long := strings.Repeat("x", maxField+1)
	one := []EncryptedDataKey{testDataKey()}
	for name, wrap := range map[string]WrapFunc{
		"key too short": func(map[string]string) ([]byte, []EncryptedDataKey, error) { return make([]byte, 16), one, nil },
		"no key":        func(map[string]string) ([]byte, []EncryptedDataKey, error) { return nil, one, nil },
		"no data keys":  func(map[string]string) ([]byte, []EncryptedDataKey, error) { return testKey(), nil, nil },
		"17 data keys": func(map[string]string) ([]byte, []EncryptedDataKey, error) {
			return testKey(), make([]EncryptedDataKey, 17), nil
		},
		"provider not UTF-8": func(map[string]string) ([]byte, []EncryptedDataKey, error) {
			return testKey(), []EncryptedDataKey{testDataKey(), {Provider: "aws-\xff"}}, nil
		},
		"provider too long": func(map[string]string) ([]byte, []EncryptedDataKey, error) {
			return testKey(), []EncryptedDataKey{{Provider: long}}, nil
		},
		"info too long": func(map[string]string) ([]byte, []EncryptedDataKey, error) {
			return testKey(), []EncryptedDataKey{{Info: long}}, nil
		},
		"ciphertext too long": func(map[string]string) ([]byte, []EncryptedDataKey, error) {
			return testKey(), []EncryptedDataKey{{Ciphertext: []byte(long)}}, nil
		},
	} {
		var dst bytes.Buffer
		if w, err := NewWriter(&dst, WriterOptions{}, wrap); w != nil || err == nil || dst.Len() > 0 {
			t.Errorf("%s: error is %v, %d bytes written", name, err, dst.Len())
		}
	}
}

// TestWriterClearsDataKey has every way in which NewWriter can end once it has the data key.
func TestWriterClearsDataKey(t *testing.T) {
	one := []EncryptedDataKey{testDataKey()}
	for name, tt := range map[string]struct {
		dst  io.Writer
		key  []byte
		keys []EncryptedDataKey
		err  error
		ok   bool
	}{
		"good":                   {io.Discard, testKey(), one, nil, true},
		"error beside the key":   {io.Discard, testKey(), one, errTest, false},
		"key too short":          {io.Discard, testKey()[1:], one, nil, false},
		"key too long":           {io.Discard, append(testKey(), 1), one, nil, false},
		"no encrypted data keys": {io.Discard, testKey(), nil, nil, false},
		"provider not UTF-8":     {io.Discard, testKey(), []EncryptedDataKey{{Provider: "\xff"}}, nil, false},
		"destination fails":      {&failingWriter{}, testKey(), one, nil, false},
	} {
		_, err := NewWriter(tt.dst, WriterOptions{}, func(map[string]string) ([]byte, []EncryptedDataKey, error) {
			return tt.key, tt.keys, tt.err
		})
		if (err == nil) != tt.ok || tt.err != nil && err != tt.err {
			t.Errorf("%s: error is %v", name, err)
		}
		if !bytes.Equal(tt.key, make([]byte, len(tt.key))) {
			t.Errorf("%s: the data key is not cleared", name)
		}
	}
}

// A failingWriter takes so many bytes.
type failingWriter struct{ left int }

func (w *failingWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	if w.left -= n; n < len(p) {
		return n, errTest
	}
	return n, nil
}

// TestWriterErrors fails the destination at every place, and holds the Writer to its error.
func TestWriterErrors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, suite := range suites {
		for _, size := range []int{0, 100, 4 << 20} {
			plain := noise(size)
			whole := len(seal(t, WriterOptions{Suite: suite}, plain))
			for _, left := range []int{0, 100, whole / 2, whole - 1} {
				synctest.Test(t, func(t *testing.T) {
					w, err := NewWriter(&failingWriter{left}, WriterOptions{Suite: suite}, wrapTest)
					if err == nil {
						_, err = w.Write(plain)
					}
					if err == nil {
						err = w.Close()
					}
					if !errors.Is(err, errTest) {
						t.Fatalf("%v, %d bytes, failing at %d: error is %v", suite, size, left, err)
					}
					if w == nil {
						return
					}
					_, errWrite := w.Write(plain)
					_, errRead := w.ReadFrom(bytes.NewReader(plain))
					if err := w.Close(); !errors.Is(err, errTest) || errWrite != err || errRead != err {
						t.Errorf("later errors are %v, %v, %v", errWrite, errRead, err)
					}
				})
			}
		}
	}
}

// TestWriterSourceErrors holds that a source that fails does not become a shorter message.
func TestWriterSourceErrors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, size := range []int{0, 100, 4 << 20} {
		synctest.Test(t, func(t *testing.T) {
			var dst bytes.Buffer
			w, err := NewWriter(&dst, WriterOptions{}, wrapTest)
			if err != nil {
				t.Fatal(err)
			}
			src := io.MultiReader(bytes.NewReader(noise(size)), iotest.ErrReader(errTest))
			n, err := w.ReadFrom(src)
			if n != int64(size) || !errors.Is(err, errTest) {
				t.Errorf("ReadFrom gives %d, %v", n, err)
			}
			if err := w.Close(); !errors.Is(err, errTest) {
				t.Errorf("Close gives %v", err)
			}
			if _, err := open(dst.Bytes()); !errors.Is(err, ErrNotAuthentic) {
				t.Errorf("what was written is read with %v", err)
			}
		})
	}
	w := must(NewWriter(io.Discard, WriterOptions{}, wrapTest))
	if _, err := w.ReadFrom(idleReader{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a source that gives nothing: %v", err)
	}
}

type idleReader struct{}

func (idleReader) Read([]byte) (int, error) { return 0, nil }

func TestShortWrite(t *testing.T) {
	w := must(NewWriter(&shortWriter{header: true}, WriterOptions{}, wrapTest))
	if err := w.Close(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("error is %v", err)
	}
}

// A shortWriter takes the header, then less than it is given without saying so.
type shortWriter struct{ header bool }

func (w *shortWriter) Write(p []byte) (int, error) {
	if w.header {
		w.header = false
		return len(p), nil
	}
	return len(p) - 1, nil
}

func TestClose(t *testing.T) {
	var dst bytes.Buffer
	w := must(NewWriter(&dst, WriterOptions{}, wrapTest))
	for range 2 {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	length := dst.Len()
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("Write after Close is accepted")
	}
	if _, err := w.ReadFrom(strings.NewReader("x")); err == nil {
		t.Error("ReadFrom after Close is accepted")
	}
	if dst.Len() != length {
		t.Error("something was written after Close")
	}
}

// TestTooManyFrames begins near the last sequence number, which is the mark of the final frame and may be its number, in
// full jobs and in what Close is left with.
func TestTooManyFrames(t *testing.T) {
	for _, frameLen := range []int{jobLen, DefaultFrameLength} {
		for frames, ok := range map[int]bool{1: true, 2: true, 3: true, 4: false, 5: false} {
			w := must(NewWriter(io.Discard, WriterOptions{Suite: Unsigned, FrameLength: frameLen}, wrapTest))
			w.seq = finalMark - 2
			_, err := w.Write(make([]byte, frames*frameLen))
			if errClose := w.Close(); (errClose == nil) != ok || err != nil && errClose != err {
				t.Errorf("%d frames of %d: Write gives %v, Close %v", frames, frameLen, err, errClose)
			}
		}
	}
}
