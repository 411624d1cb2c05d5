package secret

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzName holds that a name is one line, leaves no folder, and begins with prefixes only.
func FuzzName(f *testing.F) {
	for _, s := range []string{"a", "a/b", "", "/a", "a/", "a//b", "a/../b", ".", "s3://b/c", "a\nb", "a\u202eb", "a\u2028b", "\xff", "ä €", strings.Repeat("n", 1025)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		errName, errPrefix := CheckName(s), CheckPrefix(s)
		for _, err := range []error{errName, errPrefix} {
			if err != nil && (!errors.Is(err, ErrInvalid) || strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) && r != ' ' })) {
				t.Errorf("%q: %q", s, err)
			}
		}
		if errName != nil {
			return
		}
		if !utf8.ValidString(s) || strings.ContainsAny(s, "\n\r\x1b\u202e") || strings.Contains("/"+s+"/", "/../") || strings.Contains("/"+s+"/", "//") {
			t.Errorf("%q is a name", s)
		}
		if errPrefix != nil {
			t.Errorf("%q is a name, but no name begins with it", s)
		}
	})
}

// FuzzChecksum holds that a checksum is one of a known algorithm, in hexadecimal.
func FuzzChecksum(f *testing.F) {
	for _, s := range []string{"", "0", strings.Repeat("0", 40), strings.Repeat("F", 64), strings.Repeat("a", 96), strings.Repeat("9", 128), strings.Repeat("g", 64), " " + strings.Repeat("0", 64)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, digits string) {
		sum, err := ParseChecksum(digits)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || len(digits) >= 8 && strings.Contains(err.Error(), digits) && digits != "checksum" {
				t.Errorf("%q: %v", digits, err)
			}
			return
		}
		if hex.EncodeToString(sum) != strings.ToLower(digits) {
			t.Errorf("%q: %x", digits, sum)
		}
		if _, err := newCheck(sum); err != nil {
			t.Errorf("%q: %v", digits, err)
		}
	})
}
