package secret

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func TestChecksum(t *testing.T) {
	stored, plain := []byte("stored"), []byte("plain")
	ofStored, ofPlain, longest := sha256.Sum256(stored), sha256.Sum256(plain), sha512.Sum512(plain)
	for _, digits := range []string{
		hex.EncodeToString(ofStored[:]),
		"68c46e84d76d2e7e686e5158bf598909abd4e45b",
		strings.ToUpper(hex.EncodeToString(ofPlain[:])),
		hex.EncodeToString(longest[:]),
	} {
		sum, err := ParseChecksum(digits)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			stored, plain string
			ok            bool
		}{{"stored", "plain", true}, {"stored!", "plain!", false}} {
			c, err := newCheck(sum)
			if err != nil {
				t.Fatal(err)
			}
			c.message.Write([]byte(test.stored))
			c.Write([]byte(test.plain))
			err = c.verify()
			if test.ok != (err == nil) || err != nil && (!errors.Is(err, ErrNotAuthentic) || strings.Contains(err.Error(), "plain")) {
				t.Errorf("%s of %q: %v", digits, test.plain, err)
			}
		}
	}
	for _, digits := range []string{"", "00", "x", strings.Repeat("0", 63), strings.Repeat("0", 66)} {
		if _, err := ParseChecksum(digits); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", digits, err)
		}
	}
	if _, err := newCheck(Checksum{1}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a checksum of no algorithm: %v", err)
	}
}
