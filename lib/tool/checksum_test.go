package tool

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func TestChecksum(t *testing.T) {
	stored := sha256.Sum256([]byte("stored"))
	plain := []byte("plain")
	for _, digits := range []string{
		hex.EncodeToString(stored[:]),
		"68c46e84d76d2e7e686e5158bf598909abd4e45b",
		strings.ToUpper(hex.EncodeToString(sum256(plain))),
		hex.EncodeToString(sum512(plain)),
	} {
		var f ChecksumFlag
		if err := f.Set(digits); err != nil {
			t.Errorf("%s: %v", digits, err)
			continue
		}
		sums, err := f.For([]string{"a"}, []string{"a"})
		if err != nil {
			t.Errorf("%s: %v", digits, err)
			continue
		}
		message := stored
		check := Check{"a", sums["a"], func() [sha256.Size]byte { return message }, algorithms[len(sums["a"])]()}
		check.Write(plain)
		if err := check.Verify(); err != nil {
			t.Errorf("%s: %v", digits, err)
		}
		check.Write([]byte("!"))
		message = [sha256.Size]byte{}
		if err := check.Verify(); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: %v", digits, err)
		}
	}
}

func sum256(b []byte) []byte { s := sha256.Sum256(b); return s[:] }
func sum512(b []byte) []byte { s := sha512.Sum512(b); return s[:] }

func FuzzChecksumFlag(f *testing.F) {
	for _, s := range []string{"", "00", "a=b", "a=b=" + strings.Repeat("0", 40), strings.Repeat("F", 64), "=" + strings.Repeat("0", 128)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var c ChecksumFlag
		var refused *Refusal
		if err := c.Set(s); err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		if c.alone != nil && algorithms[len(c.alone)] == nil {
			t.Fatal("a hash of no algorithm")
		}
	})
}
