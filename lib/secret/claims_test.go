package secret_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"microsecrets/lib/message"
	"microsecrets/lib/secret"
)

// versions are those of a name, the newest first.
func versions(t *testing.T, store *secret.Store, name string) (list []secret.Version) {
	t.Helper()
	for v, err := range store.Versions(t.Context(), name) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

// The claims of a version are one request of some KiB, whatever it holds, and none to
// KMS. So is an inspection.
func TestVersionClaims(t *testing.T) {
	s := start(t)
	by := "alice@laptop"
	var moved atomic.Int64
	store := s.open(t, secret.Options{By: &by, Moved: func(n int) { moved.Add(int64(n)) }})
	if _, err := store.Put(t.Context(), "s/a", bytes.NewReader(make([]byte, 1<<20)), nil); err != nil {
		t.Fatal(err)
	}
	if err := store.Remove(t.Context(), "s/a", nil); err != nil {
		t.Fatal(err)
	}
	list := versions(t, store, "s/a")
	s.Do("reset")
	moved.Store(0)
	c, err := store.Claims(t.Context(), list[1])
	if err != nil || c.By != by || time.Since(c.At) > time.Minute || c.RotatedBy != "" || !c.RotatedAt.IsZero() {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := store.Claims(t.Context(), list[0]); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("a deletion: %v", err)
	}
	if _, _, err := store.Inspect(t.Context(), "s/a", &secret.GetOptions{Version: list[1].ID}); err != nil {
		t.Error(err)
	}
	if got := s.Do("counts"); got != "GetObject 2\n" {
		t.Errorf("requests: %s", got)
	}
	if n := moved.Load(); n > 2*(16<<10) {
		t.Errorf("%d bytes for two headers", n)
	}
}

// A header that is longer than what is asked for is not one of ours; an inspection
// shows it all the same.
func TestLongHeader(t *testing.T) {
	s := start(t)
	store := s.open(t, secret.Options{})
	for _, test := range []struct {
		length int
		ours   bool
		gets   string
	}{{100, true, "GetObject 2\n"}, {15 << 10, true, "GetObject 2\n"}, {60 << 10, false, "GetObject 3\n"}} {
		context := map[string]string{"ms-store": store.String(), "ms-name": "s/a", "ms-by": strings.Repeat("x", test.length)}
		var b bytes.Buffer
		w, err := message.NewWriter(&b, message.WriterOptions{Context: context}, func(map[string]string) ([]byte, []message.EncryptedDataKey, error) {
			return make([]byte, 32), []message.EncryptedDataKey{{Provider: "aws-kms", Info: "key", Ciphertext: []byte("x")}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "message")
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Do("put s/a " + file)
		v := versions(t, store, "s/a")[0]
		s.Do("reset")
		if _, err := store.Claims(t.Context(), v); (err == nil) != test.ours || err != nil && !errors.Is(err, secret.ErrNotAuthentic) {
			t.Errorf("%d bytes: %v", test.length, err)
		}
		if _, h, err := store.Inspect(t.Context(), "s/a", nil); err != nil || len(h.Context["ms-by"]) != test.length {
			t.Errorf("%d bytes: %v", test.length, err)
		}
		if got := s.Do("counts"); got != test.gets {
			t.Errorf("%d bytes: %s", test.length, got)
		}
	}
}
