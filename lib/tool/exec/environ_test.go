package exec

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"microsecrets/lib/internal/hint"
	"microsecrets/lib/secret"
)

// Where names that differ in case are one variable, COMMAND has it once, spelled
// as the last one that set it.
func TestCaseBlind(t *testing.T) {
	for _, c := range []struct {
		fold func(string) string
		want []string
	}{
		{strings.Clone, []string{"Path=a", "no_proxy=b", "PATH=c", "db_url=d"}},
		{strings.ToUpper, []string{"PATH=c", "no_proxy=b", "db_url=d"}},
	} {
		before := fold
		fold = c.fold
		v := &variables{values: map[string]string{}, from: map[string]string{}}
		for _, kv := range [][2]string{{"Path", "a"}, {"no_proxy", "b"}, {"PATH", "c"}, {"db_url", "d"}} {
			v.set("test", kv[0], kv[1])
		}
		if got := v.list(); !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
		fold = before
	}
}

// The metadata of the sources names each object as a URL without white space, and
// is refused, with its own remedy, where it is more than Linux takes.
func TestMetadata(t *testing.T) {
	read := func(n int) (infos []secret.Info) {
		for i := range n {
			infos = append(infos, secret.Info{
				Name: fmt.Sprint("service/", i), URL: fmt.Sprint("s3://bucket/service/", i), By: strings.Repeat("x", 256),
			})
		}
		return infos
	}
	v := &variables{values: map[string]string{}, from: map[string]string{}}
	if err := addMetadata(v, append(read(2), read(1)...)); err != nil {
		t.Fatal(err)
	}
	if want := "s3://bucket/service/0 s3://bucket/service/1"; v.values[sourceVariable] != want {
		t.Errorf("%s", v.values[sourceVariable])
	}
	err := addMetadata(v, read(500))
	if runtime.GOOS == "linux" && (err == nil || !strings.HasPrefix(err.Error(), "too many sources: MICROSECRETS_METADATA, which describes all of them, has ")) {
		t.Errorf("%v", err)
	}
	if advice := hint.Of(err); runtime.GOOS == "linux" && (strings.Contains(advice, "-mem") || !strings.Contains(advice, "fewer sources")) {
		t.Errorf("%q", advice)
	}
}

// An error names the largest variables, and how many more there are.
func TestTooLarge(t *testing.T) {
	v := &variables{values: map[string]string{}, from: map[string]string{}}
	for i := range 7 {
		v.set(fmt.Sprintf("s/%d", i), fmt.Sprintf("V%d", i), strings.Repeat("x", i))
	}
	want := "the environment and the arguments are together too large for this system: 5 bytes of arguments, " +
		"10 of s/6, 9 of s/5, 8 of s/4, 7 of s/3, 6 of s/2, and 2 more"
	if err := v.tooLarge([]string{"echo"}); err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
