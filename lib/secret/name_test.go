package secret

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{
		"a", "myservice/env", "myservice/tls.key", "a/b/c/d", "-", "...", "a/.b", "ä/ö", "a b", "a=b", strings.Repeat("x", 1024),
	} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/.", "a/..", "../a", "a/./b", "a/../b", "a\nb", "a\x00b", "a\x7f", "a\u0085b",
		"a\xff", strings.Repeat("x", 1025), "a\u2028b", "a\u2029b", "a\u202eb", "a\u2066b", "a\u200fb", "a\u061cb",
	} {
		if err := CheckName(name); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestCheckPrefix(t *testing.T) {
	for _, prefix := range []string{"", "a", "a/", "/", "ä b", "a/.", strings.Repeat("x", 1024)} {
		if err := CheckPrefix(prefix); err != nil {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	for _, prefix := range []string{"a\nb", "a\u0085b", "a\xff", "a\u2028b", "a\u2029b", "a\u202eb", "a\u2066b", strings.Repeat("x", 1025)} {
		if err := CheckPrefix(prefix); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

func TestParseLocation(t *testing.T) {
	for in, want := range map[string]string{
		"s3://bucket":          "s3://bucket",
		"bucket":               "s3://bucket",
		"bucket/":              "s3://bucket",
		"s3://bucket/prefix":   "s3://bucket/prefix",
		"s3://bucket/prefix/":  "s3://bucket/prefix",
		"bucket/a/b":           "s3://bucket/a/b",
		"Old_Bucket.of.us-1/a": "s3://Old_Bucket.of.us-1/a",
		"s3://arn:aws:s3:us-east-1:111122223333:accesspoint/point/a/b": "s3://arn:aws:s3:us-east-1:111122223333:accesspoint/point/a/b",
		"arn:aws:s3:us-east-1:111122223333:accesspoint/point/":         "s3://arn:aws:s3:us-east-1:111122223333:accesspoint/point",
	} {
		l, err := parseLocation(in)
		if err != nil || l.String() != want {
			t.Errorf("%q: %q, %v", in, l, err)
		}
	}
	for _, in := range []string{
		"", "s3://", "s3:///prefix", "bu", "http://bucket", "s3://bucket//a", "s3://bucket/a//", "s3://bucket/../a", "a?b", "bucket/a\n",
		"bucket/a\u202eb", "-bucket", "bu..cket", "bücket", "user@bucket", "arn:aws:s3:us-east-1:111122223333:accesspoint", "arn:aws:s3:us-east-1:1111:accesspoint/point",
		"arn:aws:s3:us-east-1:111122223333:accesspoint/po?nt", "arn:aws:iam:us-east-1:111122223333:accesspoint/point",
	} {
		if l, err := parseLocation(in); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %q, %v", in, l, err)
		}
	}
}

func TestService(t *testing.T) {
	for name, want := range map[string]string{"a": "default", "a/b": "a", "a/b/c": "a"} {
		if got := service(name); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func TestKeyOfPrefix(t *testing.T) {
	l := location{"bucket", strings.Repeat("p", 1000)}
	if _, err := l.key(strings.Repeat("n", 23)); err != nil {
		t.Errorf("1,024 bytes: %v", err)
	}
	if _, err := l.key(strings.Repeat("n", 24)); !errors.Is(err, ErrInvalid) {
		t.Errorf("1,025 bytes: %v", err)
	}
}

// FuzzParseLocation holds that what is accepted is canonical when written, and
// makes no key that leaves the store.
func FuzzParseLocation(f *testing.F) {
	for _, s := range []string{"s3://bucket/prefix", "bucket", "s3://bucket/a//b", "s3://s3://b", "b\x00t"} {
		f.Add(s, "a/b")
	}
	f.Fuzz(func(t *testing.T, store, name string) {
		l, err := parseLocation(store)
		if err != nil {
			return
		}
		again, err := parseLocation(l.String())
		if err != nil || again != l {
			t.Fatalf("%q: %q, then %q, %v", store, l, again, err)
		}
		key, err := l.key(name)
		if err == nil && (!strings.HasPrefix(key, l.under()) || strings.Contains("/"+key+"/", "/../")) {
			t.Fatalf("%q, %q: %q", store, name, key)
		}
	})
}

func TestURL(t *testing.T) {
	for _, test := range []struct {
		location      location
		name, version string
		want          string
	}{
		{location{"bucket", ""}, "my service/0?", "v1", "s3://bucket/my%20service/0%3F?versionId=v1"},
		{location{"bucket", "my team"}, "a/b", "", "s3://bucket/my%20team/a/b"},
		{location{"bucket", ""}, "a", "v 1&x s3://b/c", "s3://bucket/a?versionId=v+1%26x+s3%3A%2F%2Fb%2Fc"},
	} {
		if got := test.location.url(test.name, test.version); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}
