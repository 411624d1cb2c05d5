package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

func TestHeader(t *testing.T) {
	o := WriterOptions{Suite: Unsigned, FrameLength: 7, Context: map[string]string{"ä": "ö", "": "x", "b": ""}}
	var dst bytes.Buffer
	w := must(NewWriter(&dst, o, wrapTest))
	if w.Header().Len() != dst.Len() {
		t.Errorf("Len is %d, header has %d bytes", w.Header().Len(), dst.Len())
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := must(NewReader(bytes.NewReader(dst.Bytes()), ReaderOptions{AcceptUnsigned: true}, unwrapTest))
	src := bytes.NewReader(dst.Bytes())
	unverified := must(ReadHeader(iotest.OneByteReader(src)))
	if taken := dst.Len() - src.Len(); taken != unverified.Len() {
		t.Errorf("ReadHeader took %d bytes of a header of %d", taken, unverified.Len())
	}
	for name, h := range map[string]*Header{"NewReader": r.Header(), "ReadHeader": unverified} {
		if !reflect.DeepEqual(h, w.Header()) {
			t.Errorf("%s: header is %+v, want %+v", name, h, w.Header())
		}
	}
}

func TestUnwrap(t *testing.T) {
	msg := seal(t, WriterOptions{Context: map[string]string{"a": "b"}}, nil)
	for _, want := range []error{nil, errTest} {
		_, err := NewReader(bytes.NewReader(msg), ReaderOptions{}, func(h *Header) ([]byte, error) {
			if h.Context["a"] != "b" || len(h.DataKeys) != 1 || h.Suite != Signed {
				t.Errorf("unwrap gets %+v", h)
			}
			return testKey(), want
		})
		if !errors.Is(err, want) || errors.Is(err, ErrNotAuthentic) {
			t.Errorf("error is %v, want %v", err, want)
		}
	}
	for _, key := range [][]byte{nil, make([]byte, 16), make([]byte, 64)} {
		_, err := NewReader(bytes.NewReader(msg), ReaderOptions{}, func(*Header) ([]byte, error) { return key, nil })
		if !errors.Is(err, ErrNotAuthentic) {
			t.Errorf("data key of %d bytes: error is %v", len(key), err)
		}
	}
}

// TestReaderClearsDataKey has every way in which NewReader can end once it has the data key.
func TestReaderClearsDataKey(t *testing.T) {
	recipeOf := func(spoil func(r *recipe)) []byte {
		r := goodRecipe(Signed)
		spoil(r)
		msg, _ := r.make(t)
		return msg
	}
	good := recipeOf(func(*recipe) {})
	altered := bytes.Clone(good)
	altered[must(ReadHeader(bytes.NewReader(good))).Len()-1] ^= 1
	for name, tt := range map[string]struct {
		msg []byte
		key []byte
		err error
		ok  bool
	}{
		"good":                  {good, testKey(), nil, true},
		"error beside the key":  {good, testKey(), errTest, false},
		"key too short":         {good, testKey()[1:], nil, false},
		"key too long":          {good, append(testKey(), 1), nil, false},
		"commitment to another": {recipeOf(func(r *recipe) { r.commitment = make([]byte, commitLen) }), testKey(), nil, false},
		"header altered":        {altered, testKey(), nil, false},
	} {
		_, err := NewReader(bytes.NewReader(tt.msg), ReaderOptions{}, func(*Header) ([]byte, error) { return tt.key, tt.err })
		if (err == nil) != tt.ok {
			t.Errorf("%s: error is %v", name, err)
		}
		if !bytes.Equal(tt.key, make([]byte, len(tt.key))) {
			t.Errorf("%s: the data key is not cleared", name)
		}
	}
}

// TestReaderSourceErrors holds that a source's own error is not taken for a bad message, whatever it is.
func TestReaderSourceErrors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, size := range []int{0, 100, 4 << 20} {
		plain := noise(size)
		msg := seal(t, WriterOptions{}, plain)
		for _, srcErr := range []error{errTest, io.ErrUnexpectedEOF, fmt.Errorf("broken off: %w", io.EOF)} {
			for _, at := range []int{0, 1, 100, 300, len(msg) / 2, len(msg) - 1, len(msg)} {
				for name, read := range readings {
					if size > slowSize && slow[name] {
						continue
					}
					synctest.Test(t, func(t *testing.T) {
						src := io.MultiReader(bytes.NewReader(msg[:at]), iotest.ErrReader(srcErr))
						r, err := NewReader(src, ReaderOptions{}, unwrapTest)
						var got []byte
						if err == nil {
							got, err = read(r)
						}
						if !errors.Is(err, srcErr) || errors.Is(err, ErrNotAuthentic) {
							t.Errorf("%s, failing at %d of %d: error is %v", name, at, len(msg), err)
						}
						if !bytes.HasPrefix(plain, got) || size > 0 && len(got) == size {
							t.Errorf("%s, failing at %d of %d: released %d bytes", name, at, len(msg), len(got))
						}
					})
				}
			}
		}
	}
	if _, err := ReadHeader(idleReader{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a source that gives nothing: %v", err)
	}
}

// TestReaderDestinationErrors fails WriteTo, and holds the Reader to the error.
func TestReaderDestinationErrors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, suite := range suites {
		for _, size := range []int{1, 100, 4 << 20} {
			msg := seal(t, WriterOptions{Suite: suite}, noise(size))
			for _, left := range []int{0, size / 2, size - 1} {
				synctest.Test(t, func(t *testing.T) {
					r := must(NewReader(bytes.NewReader(msg), ReaderOptions{AcceptUnsigned: true}, unwrapTest))
					n, err := r.WriteTo(&failingWriter{left})
					if n != int64(left) || !errors.Is(err, errTest) {
						t.Errorf("%v, %d bytes, failing at %d: WriteTo gives %d, %v", suite, size, left, n, err)
					}
					if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, errTest) {
						t.Errorf("Read after it gives %d, %v", n, err)
					}
					if n, err := r.WriteTo(io.Discard); n != 0 || !errors.Is(err, errTest) {
						t.Errorf("WriteTo after it gives %d, %v", n, err)
					}
				})
			}
		}
	}
}

// TestDestinationKeeps holds that what a destination was given when it failed is left as it is: it may have given up
// somebody who still reads it.
func TestDestinationKeeps(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	msg := seal(t, WriterOptions{Suite: Unsigned}, noise(16<<20))
	for left := range 2 * inlineJobs {
		k := &keepingWriter{left: left}
		r := must(NewReader(bytes.NewReader(msg), ReaderOptions{AcceptUnsigned: true}, unwrapTest))
		if _, err := r.WriteTo(k); !errors.Is(err, errTest) {
			t.Errorf("error is %v", err)
		}
		if !bytes.Equal(k.kept, k.clone) {
			t.Errorf("failing at write %d: the bytes have changed since", left)
		}
	}
}

// A keepingWriter takes so many writes, and keeps what it was given by the one after them.
type keepingWriter struct {
	left        int
	kept, clone []byte
}

func (w *keepingWriter) Write(p []byte) (int, error) {
	if w.left--; w.left < 0 {
		w.kept, w.clone = p, bytes.Clone(p)
		return 0, errTest
	}
	return len(p), nil
}

// TestDestinationEOF takes a destination's io.EOF for an error, and not for the end of the message.
func TestDestinationEOF(t *testing.T) {
	for _, size := range []int{100, 1 << 20} {
		msg := seal(t, WriterOptions{Suite: Unsigned}, noise(size))
		r := must(NewReader(bytes.NewReader(msg), ReaderOptions{AcceptUnsigned: true}, unwrapTest))
		if _, err := r.WriteTo(eofWriter{}); err != io.EOF {
			t.Errorf("%d bytes: error is %v", size, err)
		}
	}
}

type eofWriter struct{}

func (eofWriter) Write([]byte) (int, error) { return 0, io.EOF }

// TestArrival gives a message frame by frame, and each must be read before the next is there.
func TestArrival(t *testing.T) {
	const frameLen = 10
	plain := []byte("0123456789abcdefghij!")
	msg := seal(t, WriterOptions{FrameLength: frameLen}, plain)
	head := must(ReadHeader(bytes.NewReader(msg))).Len()
	src, in := io.Pipe()
	defer in.Close()
	go func() {
		in.Write(msg[:head])
	}()
	r := must(NewReader(src, ReaderOptions{}, unwrapTest))
	for i := range 2 {
		at := head + i*(frameLen+frameOverhead)
		go func() { in.Write(msg[at : at+frameLen+frameOverhead]) }()
		got := make([]byte, 100)
		n, err := r.Read(got)
		if want := plain[i*frameLen : (i+1)*frameLen]; err != nil || !bytes.Equal(got[:n], want) {
			t.Fatalf("frame %d: %q, %v", i+1, got[:n], err)
		}
	}
	go func() {
		in.Write(msg[head+2*(frameLen+frameOverhead):])
		in.Close()
	}()
	if got, err := io.ReadAll(r); err != nil || string(got) != "!" {
		t.Errorf("final frame: %q, %v", got, err)
	}
}

// TestFinalFrameHeldBack stops before each of the last bytes of a signed message.
func TestFinalFrameHeldBack(t *testing.T) {
	plain := []byte("in one frame")
	msg := seal(t, WriterOptions{}, plain)
	for cut := 1; cut <= footerLen; cut++ {
		if got, err := open(msg[:len(msg)-cut]); len(got) > 0 || !errors.Is(err, ErrNotAuthentic) {
			t.Errorf("%d bytes short: %q, %v", cut, got, err)
		}
	}
	r := must(NewReader(io.MultiReader(bytes.NewReader(msg), iotest.ErrReader(errTest)), ReaderOptions{}, unwrapTest))
	if got, err := io.ReadAll(r); len(got) > 0 || !errors.Is(err, errTest) {
		t.Errorf("before the end of the source: %q, %v", got, err)
	}
}

// TestLastSequenceNumbers reads the end of the longest message: its final frame has the number that marks a final frame.
func TestLastSequenceNumbers(t *testing.T) {
	last := goodRecipe(Unsigned)
	last.frames = []frameRecipe{
		regularFrame(finalMark-2, "one "), regularFrame(finalMark-1, "two "), finalFrame(finalMark, "end"),
	}
	beyond := goodRecipe(Unsigned)
	beyond.frames = []frameRecipe{
		regularFrame(finalMark-2, "one "), regularFrame(finalMark-1, "two "), regularFrame(finalMark, "and "), finalFrame(0, "end"),
	}
	for _, tt := range []struct {
		recipe *recipe
		want   string
		ok     bool
	}{{last, "one two end", true}, {beyond, "one two ", false}} {
		msg, _ := tt.recipe.make(t)
		r := must(NewReader(bytes.NewReader(msg), ReaderOptions{AcceptUnsigned: true}, unwrapTest))
		r.seq = finalMark - 2
		got, err := io.ReadAll(r)
		if string(got) != tt.want || (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrNotAuthentic) {
			t.Errorf("%q, %v; want %q", got, err, tt.want)
		}
	}
}

// TestSkipSignature reads a message whose signature is wrong: that is skipped,
// and nothing else.
func TestSkipSignature(t *testing.T) {
	key := make([]byte, DataKeyLength)
	wrap := func(map[string]string) ([]byte, []EncryptedDataKey, error) {
		return bytes.Clone(key), []EncryptedDataKey{{Provider: "test", Ciphertext: []byte{0}}}, nil
	}
	var stored bytes.Buffer
	w, err := NewWriter(&stored, WriterOptions{FrameLength: 16}, wrap)
	if err != nil {
		t.Fatal(err)
	}
	plain := []byte("some frames and a half of plaintext")
	w.Write(plain)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	end := stored.Len()
	read := func(b []byte, skip bool) ([]byte, error) {
		r, err := NewReader(bytes.NewReader(b), ReaderOptions{SkipSignature: skip}, func(*Header) ([]byte, error) { return bytes.Clone(key), nil })
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	tests := []struct {
		name          string
		alter         func([]byte) []byte
		skipped, held bool // whether it is read
	}{
		{"whole", func(b []byte) []byte { return b }, true, true},
		{"signature", func(b []byte) []byte { b[end-1] ^= 1; return b }, true, false},
		{"final frame", func(b []byte) []byte { b[end-footerLen-1] ^= 1; return b }, false, false},
		{"cut", func(b []byte) []byte { return b[:end-1] }, false, false},
		{"without a footer", func(b []byte) []byte { return b[:end-footerLen] }, false, false},
		{"longer", func(b []byte) []byte { return append(b, 0) }, false, false},
	}
	for _, test := range tests {
		for _, skip := range []bool{true, false} {
			got, err := read(test.alter(bytes.Clone(stored.Bytes())), skip)
			ok := err == nil && bytes.Equal(got, plain)
			if want := skip && test.skipped || test.held; ok != want || !ok && !errors.Is(err, ErrNotAuthentic) {
				t.Errorf("%s, skip %v: %q, %v", test.name, skip, got, err)
			}
		}
	}
}
