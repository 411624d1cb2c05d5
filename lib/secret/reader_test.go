package secret

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/message"
)

// TestSecondReading has the second reading yield something else, all of it
// authentic: whoever has the data key can make that.
func TestSecondReading(t *testing.T) {
	server := fakeawstest.Start(t)
	ctx := context.Background()
	store, err := New(server.Config(), "example-microsecrets", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(ctx, "svc/a", strings.NewReader("whatever"), nil); err != nil {
		t.Fatal(err)
	}
	verified := bytes.Repeat([]byte("0123456789abcdef"), 5*blockSize/2/16)
	altered := slices.Clone(verified)
	altered[blockSize+blockSize/2] ^= 1
	for _, test := range []struct {
		name          string
		first, second []byte
		released      int
	}{
		{"the same", verified, verified, len(verified)},
		{"a byte altered", verified, altered, blockSize},
		{"a byte more", verified, append(slices.Clone(verified), 0), 2 * blockSize},
		{"a byte less", verified, verified[:len(verified)-1], 2 * blockSize},
		{"a block more", verified[:2*blockSize], verified, 2 * blockSize},
		{"a block less", verified, verified[:2*blockSize], 2 * blockSize},
		{"nothing", verified, nil, 0},
		{"something, not nothing", nil, verified, 0},
	} {
		for how, read := range map[string]func(w io.Writer, r *Reader) error{
			"WriteTo": func(w io.Writer, r *Reader) error { _, err := r.WriteTo(w); return err },
			"Read":    func(w io.Writer, r *Reader) error { _, err := io.Copy(w, struct{ io.Reader }{r}); return err },
		} {
			t.Run(test.name+"/"+how, func(t *testing.T) {
				reopen := func(content []byte) (*opened, error) {
					object, err := store.bucket.Get(ctx, "svc/a", "")
					return &opened{Info: store.info("svc/a", bucket.Info{Size: heldMax + 1}), object: object, content: bytes.NewReader(content)}, err
				}
				first, err := reopen(test.first)
				if err != nil {
					t.Fatal(err)
				}
				defer first.object.Close()
				first.header = new(message.Header)
				r := &Reader{replay{store: store, reopen: func() (*opened, error) { return reopen(test.second) }}}
				if err := r.verify(first, &check{}); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					var out bytes.Buffer
					err = read(&out, r)
					if same := bytes.Equal(test.first, test.second); same != (err == nil) || !same && !errors.Is(err, ErrNotAuthentic) {
						t.Errorf("error is %v", err)
					}
					if !bytes.Equal(out.Bytes(), test.first[:test.released]) {
						t.Errorf("released %d bytes, not %d", out.Len(), test.released)
					}
					r.Rewind()
				}
				if r.Close(); read(io.Discard, r) == nil {
					t.Error("read after Close")
				}
			})
		}
	}
}

// Readers are equal if their content is, whether it is held or not.
func TestEqual(t *testing.T) {
	server := fakeawstest.Start(t)
	store, err := New(server.Config(), "example-microsecrets", nil)
	if err != nil {
		t.Fatal(err)
	}
	mib := bytes.Repeat([]byte{'a'}, blockSize)
	contents := [][]byte{nil, {0}, []byte("a"), []byte("b"), []byte("aa"), mib[1:], mib, slices.Concat(mib, []byte("a")), slices.Concat(mib, []byte("b")), slices.Concat(mib, mib)}
	reader := func(content []byte, size int64) *Reader {
		r := &Reader{replay{store: store}}
		if err := r.verify(&opened{Info: Info{Size: size}, header: new(message.Header), content: bytes.NewReader(content)}, &check{}); err != nil {
			t.Fatal(err)
		}
		if r.isHeld == (size > heldMax) {
			t.Fatal("held or not")
		}
		return r
	}
	for i, a := range contents {
		for j, b := range contents {
			for _, sizeA := range []int64{int64(len(a)), heldMax + 1} {
				for _, sizeB := range []int64{int64(len(b)), heldMax + 1} {
					first, second := reader(a, sizeA), reader(b, sizeB)
					if first.Equal(second) != (i == j) {
						t.Errorf("contents %d of %d and %d of %d: %v", i, sizeA, j, sizeB, i != j)
					}
					first.Close()
					second.Close()
				}
			}
		}
	}
}
