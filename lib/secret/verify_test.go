package secret

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"microsecrets/lib/fakeaws"
)

// TestSecondReading has the second reading yield something else, all of it
// authentic: whoever has the data key can make that.
func TestSecondReading(t *testing.T) {
	s, err := fakeaws.New(fakeaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, kv := range s.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	ctx := context.Background()
	store, err := Open(ctx, Options{Store: "s3://" + fakeaws.DefaultBucket})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(ctx, "svc/a", strings.NewReader("whatever")); err != nil {
		t.Fatal(err)
	}
	verified := bytes.Repeat([]byte("0123456789abcdef"), 5*block/2/16)
	altered := slices.Clone(verified)
	altered[block+block/2] ^= 1
	for _, test := range []struct {
		name          string
		first, second []byte
		released      int
	}{
		{"the same", verified, verified, len(verified)},
		{"a byte altered", verified, altered, block},
		{"a byte more", verified, append(slices.Clone(verified), 0), 2 * block},
		{"a byte less", verified, verified[:len(verified)-1], 2 * block},
		{"a block more", verified[:2*block], verified, 2 * block},
		{"a block less", verified, verified[:2*block], 2 * block},
		{"nothing", verified, nil, 0},
		{"something, not nothing", nil, verified, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			opened, err := store.Open(ctx, "svc/a")
			if err != nil {
				t.Fatal(err)
			}
			defer opened.Close()
			opened.content = bytes.NewReader(test.first)
			opened.begin = func(again *Secret) error {
				again.content = bytes.NewReader(test.second)
				return nil
			}
			v, err := opened.Verify(io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err = v.CopyTo(ctx, &out)
			if ok := bytes.Equal(test.first, test.second); ok != (err == nil) || !ok && !errors.Is(err, ErrNotAuthentic) {
				t.Errorf("error is %v", err)
			}
			if !bytes.Equal(out.Bytes(), test.first[:test.released]) {
				t.Errorf("released %d bytes, not %d", out.Len(), test.released)
			}
		})
	}
}
