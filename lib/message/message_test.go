package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"
)

var suites = []Suite{Signed, Unsigned}

// testKey is the data key of every message here; a fresh slice, because it is wiped.
func testKey() []byte { return bytes.Repeat([]byte{0x5a}, DataKeyLength) }

func testDataKey() EncryptedDataKey {
	return EncryptedDataKey{"aws-kms", "arn:aws:kms:eu-west-1:111122223333:key/test", []byte("wrapped")}
}

func wrapTest(map[string]string) ([]byte, []EncryptedDataKey, error) {
	return testKey(), []EncryptedDataKey{testDataKey()}, nil
}

func unwrapTest(*Header) ([]byte, error) { return testKey(), nil }

// noise is n bytes that do not repeat.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// seal gives the message for plain.
func seal(t testing.TB, o WriterOptions, plain []byte) []byte {
	t.Helper()
	var dst bytes.Buffer
	w, err := NewWriter(&dst, o, wrapTest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dst.Bytes()
}

// open gives what of msg is released, and the error after it.
func open(msg []byte) ([]byte, error) {
	r, err := NewReader(bytes.NewReader(msg), ReaderOptions{AcceptUnsigned: true}, unwrapTest)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// The ways in which a plaintext is written and a message is read.
var (
	writings = map[string]func(w *Writer, plain []byte) error{
		"whole": func(w *Writer, plain []byte) error {
			_, err := w.Write(plain)
			return err
		},
		"pieces of 1": func(w *Writer, plain []byte) error { return writePieces(w, plain, 1) },
		"pieces of 7": func(w *Writer, plain []byte) error { return writePieces(w, plain, 7) },
		"pieces of a job and a byte": func(w *Writer, plain []byte) error {
			return writePieces(w, plain, w.perJob()*w.frameLen+1)
		},
		"ReadFrom": func(w *Writer, plain []byte) error {
			_, err := w.ReadFrom(bytes.NewReader(plain))
			return err
		},
		"ReadFrom halves": func(w *Writer, plain []byte) error {
			_, err := w.ReadFrom(iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(plain))))
			return err
		},
		"Write, ReadFrom, Write": func(w *Writer, plain []byte) error {
			third := len(plain) / 3
			if _, err := w.Write(plain[:third]); err != nil {
				return err
			}
			if _, err := w.ReadFrom(bytes.NewReader(plain[third : 2*third])); err != nil {
				return err
			}
			_, err := w.Write(plain[2*third:])
			return err
		},
	}
	readings = map[string]func(r *Reader) ([]byte, error){
		"Read":        func(r *Reader) ([]byte, error) { return io.ReadAll(r) },
		"Read halves": func(r *Reader) ([]byte, error) { return io.ReadAll(iotest.HalfReader(r)) },
		"Read a byte": func(r *Reader) ([]byte, error) { return io.ReadAll(iotest.OneByteReader(r)) },
		"WriteTo":     writeTo,
		"Read, WriteTo": func(r *Reader) ([]byte, error) {
			first := make([]byte, 3)
			n, err := r.Read(first)
			if err != nil && err != io.EOF {
				return nil, err
			}
			rest, err := writeTo(r)
			return slices.Concat(first[:n], rest), err
		},
	}
)

// Those of them that are tried with slowSize bytes at most.
var slow = map[string]bool{
	"pieces of 1": true, "pieces of 7": true, "ReadFrom halves": true, "Read a byte": true, "Read halves": true,
}

func writePieces(w *Writer, plain []byte, size int) error {
	for piece := range slices.Chunk(plain, size) {
		if n, err := w.Write(piece); err != nil || n != len(piece) {
			return fmt.Errorf("wrote %d of %d bytes: %w", n, len(piece), err)
		}
	}
	return nil
}

func writeTo(r *Reader) ([]byte, error) {
	var b bytes.Buffer
	n, err := r.WriteTo(&b)
	if n != int64(b.Len()) {
		return nil, fmt.Errorf("WriteTo says %d bytes, wrote %d", n, b.Len())
	}
	return b.Bytes(), err
}

// TestRoundTrip goes through every way in and out at every size around a boundary.
func TestRoundTrip(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	const small = 16
	for i, tt := range []struct{ frameLen, size int }{
		{small, 0}, {small, 1}, {small, small - 1}, {small, small}, {small, small + 1},
		{small, 2 * small}, {small, 5*small - 1}, {small, 5 * small}, {small, 5*small + 1},
		{1, 0}, {1, 1}, {1, 5}, {1, 8_000}, {small, manyFrames * small},
		{64 << 10, 0}, {64 << 10, 300}, {64 << 10, 64<<10 - 1}, {64 << 10, 64 << 10}, {64 << 10, 64<<10 + 1},
		{64 << 10, 3 << 16}, {64 << 10, 3<<16 + 1}, {64 << 10, 3<<20 + 1},
		{300 << 10, 4 << 20}, {2 << 20, 5 << 20},
	} {
		plain := noise(tt.size)
		for _, suite := range suites {
			if raceDetector && suite == Signed && i%4 > 0 {
				continue // signatures take most of the time
			}
			t.Run(fmt.Sprintf("%d of %d/%v", tt.size, tt.frameLen, suite), func(t *testing.T) {
				o := WriterOptions{Suite: suite, FrameLength: tt.frameLen}
				for name, write := range writings {
					if tt.size <= slowSize || !slow[name] {
						testWriting(t, name, write, o, plain)
					}
				}
				msg := seal(t, o, plain)
				for name, read := range readings {
					if tt.size <= slowSize || !slow[name] {
						testReading(t, name, read, msg, plain)
					}
				}
			})
		}
	}
}

func testWriting(t *testing.T, name string, write func(*Writer, []byte) error, o WriterOptions, plain []byte) {
	t.Helper()
	var dst bytes.Buffer
	w, err := NewWriter(&dst, o, wrapTest)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(w, plain); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if got, want := w.Size(int64(len(plain))), int64(dst.Len()); got != want {
		t.Errorf("%s: Size says %d, the message has %d bytes", name, got, want)
	}
	testReading(t, name, writeTo, dst.Bytes(), plain)
}

func testReading(t *testing.T, name string, read func(*Reader) ([]byte, error), msg, plain []byte) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(msg), ReaderOptions{AcceptUnsigned: true}, unwrapTest)
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(r)
	if err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%s: got %d bytes, %v; want the %d that were written", name, len(got), err, len(plain))
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("%s: a read at the end gives %d, %v", name, n, err)
	}
}

var errTest = errors.New("test error")
