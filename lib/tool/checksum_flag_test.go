package tool

import (
	"errors"
	"strings"
	"testing"
)

func FuzzChecksumFlag(f *testing.F) {
	for _, s := range []string{"", "00", "a=b", "a=b=" + strings.Repeat("0", 40), strings.Repeat("F", 64), "=" + strings.Repeat("0", 128)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var c ChecksumFlag
		var refused *Refusal
		if err := c.add(s); err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		if c.unnamed != nil && len(c.unnamed) < 20 {
			t.Fatal("a hash of no algorithm")
		}
	})
}
