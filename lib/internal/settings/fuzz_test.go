package settings

import (
	"strings"
	"testing"
)

// FuzzValue sets every setting to anything: what is refused is shown to nobody, and
// what is taken is the same when it is read again as it is shown.
func FuzzValue(f *testing.F) {
	for i, s := range []string{"s3://b/p", "a,b", "s3://b", "us-east-1", "dev", "111122223333", "x@y", "aws:kms", "true", "auto", "30s", "/etc/msrc"} {
		f.Add(byte(i), s)
	}
	f.Add(byte(10), "-1s")
	f.Add(byte(10), "9999999999999h")
	f.Add(byte(8), "")
	f.Fuzz(func(t *testing.T, which byte, value string) {
		if checkText(value) != nil {
			return
		}
		row := table[int(which)%len(table)]
		if value == "" && row.name != "by" {
			return
		}
		var s Settings
		place := row.place(&s)
		if err := place.Set(value); err != nil {
			if len(value) >= 16 && strings.Contains(err.Error(), value) {
				t.Errorf("%s %q: %v", row.name, value, err)
			}
			return
		}
		var again Settings
		shown := place.String()
		other := row.place(&again)
		if shown == "" && row.name != "by" {
			return
		}
		if err := other.Set(shown); err != nil || other.String() != shown {
			t.Errorf("%s %q is shown as %q, which is %q, %v", row.name, value, shown, other.String(), err)
		}
	})
}
