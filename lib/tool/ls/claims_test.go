package ls

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"microsecrets/lib/secret"
)

// FuzzClaims holds that whatever a header claims is one printable line, in which no
// other column or name can be made up, and JSON that says the same.
func FuzzClaims(f *testing.F) {
	for _, by := range []string{"", "alice@laptop", "\x1b[31m", "a\nb", "\u202e\u2028", "\xff", "é", `x"  latest   y/z`, strings.Repeat("x", 300)} {
		f.Add(by, int64(1700000000), by, int64(-1))
	}
	f.Add("", int64(253402300800), "", int64(-62135596801)) // beyond what time.Time marshals
	f.Fuzz(func(t *testing.T, by string, at int64, rotatedBy string, rotatedAt int64) {
		v := version{Version: secret.Version{Entry: secret.Entry{Name: "s/a", Valid: true}, ID: "v1"}}
		v.claims = &secret.Claims{By: by, At: time.Unix(at, 0), RotatedBy: rotatedBy, RotatedAt: time.Unix(rotatedAt, 0)}
		for _, form := range []format{plain{}, human{}} {
			said := v.said(form)
			if !strings.HasPrefix(said, "claims ") || len(said) > 4000 || strings.ContainsFunc(said, func(r rune) bool { return !unicode.IsPrint(r) || r >= 0x7f && r != '…' }) {
				t.Errorf("%q", said)
			}
			outside, inside := "", false
			for i := 0; i < len(said); i++ {
				switch {
				case inside && said[i] == '\\':
					i++
				case said[i] == '"':
					inside = !inside
				case !inside:
					outside += said[i : i+1]
				}
			}
			if inside || strings.Contains(outside, "  ") {
				t.Errorf("%q", said)
			}
		}
		o := &options{versions: true, long: true, json: true}
		var b bytes.Buffer
		out := newTable(&b, o)
		if err := o.print(out, v); err != nil {
			t.Fatal(err)
		}
		if err := out.flush(); err != nil {
			t.Fatal(err)
		}
		var l line
		if err := json.Unmarshal(b.Bytes(), &l); err != nil || bytes.Count(b.Bytes(), []byte("\n")) != 1 || !strings.HasSuffix(b.String(), "\n") {
			t.Fatalf("%q: %v", &b, err)
		}
		if l.Claims == nil || l.Claims.By != strings.ToValidUTF8(by, "\ufffd") && strings.ToValidUTF8(by, "") == by {
			t.Errorf("%q: %+v", by, l.Claims)
		}
		if strings.ContainsFunc(b.String(), func(r rune) bool { return r != '\n' && (r < ' ' || r >= 0x7f) }) {
			t.Errorf("%q", &b)
		}
	})
}

// On a terminal each column is as wide as what is in it, as far as it goes, and later
// rows are never narrower.
func TestAligned(t *testing.T) {
	var b bytes.Buffer
	out := newTable(&b, &options{long: true})
	out.format, out.adapts = human{}, true
	for i := range out.columns {
		out.columns[i].width = 0
	}
	for _, cells := range [][]string{{"9 B", "2026", "e", "a"}, {"100 kB", "2026", "etag-2", "b"}} {
		if err := out.row(cells); err != nil {
			t.Fatal(err)
		}
	}
	if b.Len() > 0 {
		t.Errorf("%q before the columns are known", &b)
	}
	if err := out.flush(); err != nil {
		t.Fatal(err)
	}
	for range alignedAtOnce {
		if err := out.row([]string{"1 B", "2026", strings.Repeat("é", 100), "c"}); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(b.String(), "\n")
	want := []string{"   9 B  2026       e  a", "100 kB  2026  etag-2  b", "   1 B  2026  " + strings.Repeat("é", 100) + "  c"}
	if len(lines) != alignedAtOnce+3 || lines[0] != want[0] || lines[1] != want[1] || lines[2] != want[2] {
		t.Errorf("%d lines: %q", len(lines), lines[:3])
	}
}
