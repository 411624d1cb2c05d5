package names

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"microsecrets/lib/internal/settings"
)

func FuzzNames(f *testing.F) {
	f.Add(formatNames("", []string{"a/", "b"}), "")
	f.Add(formatNames("a/", []string{"a/x", "a/y/"}), "a/")
	f.Add([]byte("ms names 1\n\na\n\x1b[2J\n.\n"), "")
	f.Add([]byte("ms names 1\n\nb\na\n.\n"), "")
	f.Add([]byte("ms names 1\n\na\n"), "")
	f.Fuzz(func(t *testing.T, b []byte, prefix string) {
		names, ok := parseNames(b, prefix)
		if !ok {
			if names != nil {
				t.Fatalf("%q", names)
			}
			return
		}
		for _, n := range names {
			if !Fits(n, prefix) {
				t.Fatalf("%q below %q", n, prefix)
			}
		}
		if again := formatNames(prefix, names); string(again) != string(b) {
			t.Fatalf("%q is not %q", b, again)
		}
	})
}

func TestPutAll(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	s := &settings.Settings{Store: "s3://b"}
	if c, err := Open(s, false); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%v, %v", c, err)
	}
	c, err := Open(s, true)
	if errors.Is(err, errNotPrivate) {
		t.Skip("nothing is kept on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.PutAll("a", []string{"a", "a/b", "a/c/d/e", "a/c/d/f", "ab/c"}); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string]string{
		"a": "a a/ ab/", "a/": "a/b a/c/", "a/c": "a/c/", "a/c/": "a/c/d/", "a/c/d/": "a/c/d/e a/c/d/f", "ab/": "ab/c", "ab/x": "", "": "none", "b": "none", "a/b/": "none",
	} {
		names, ok := c.Get(prefix)
		if got := strings.Join(names, " "); got != want && (ok || want != "none") {
			t.Errorf("%q: %q, %v", prefix, got, ok)
		}
	}

	// Of very many levels only the first.
	var many []string
	for i := range levelsMax {
		many = append(many, fmt.Sprintf("m%d/x", i))
	}
	if err := c.PutAll("m", many); err != nil {
		t.Fatal(err)
	}
	if names, ok := c.Get("m"); !ok || len(names) != levelsMax {
		t.Errorf("%q, %v", names, ok)
	}
	if _, ok := c.Get("m1/"); ok {
		t.Error("a level too many")
	}
}
