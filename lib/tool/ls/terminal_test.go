//go:build unix

package ls_test

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/prompt/terminaltest"
	"microsecrets/lib/secret"
)

// TestOnTerminal has sizes and times for people on a terminal, and only there, and
// only with -l.
func TestOnTerminal(t *testing.T) {
	server := fakeawstest.Start(t)
	by := "alice@laptop"
	store, err := secret.New(server.Config(), fakeaws.DefaultBucket, &secret.Options{By: &by})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now().Truncate(time.Second)
	for _, name := range []string{"s/large", "s/small", "s/small"} {
		text := strings.Repeat("x", map[string]int{"s/large": 9 << 20, "s/small": 10}[name])
		if _, err := store.Put(t.Context(), name, strings.NewReader(text), nil); err != nil {
			t.Fatal(err)
		}
	}
	server.Do("write s/odd x")
	const (
		local = `(20..-..-.. ..:..:..)`
		utc   = `20..-..-..T..:..:..Z`
		md5   = `[0-9a-f]{32}`
		id    = `[^ ]{32}`
	)
	for _, test := range []struct {
		args     []string
		terminal string // each line
		pipe     string
	}{
		{[]string{"-l"}, `9\.4 MB  ` + local + `  ` + md5 + `-2  s/large
 *1 B  ` + local + `    ` + md5 + `  s/odd
 *7.. B  ` + local + `    ` + md5 + `  s/small
`, ` +94.....  ` + utc + `  ` + md5 + `-2  s/large
 +1  ` + utc + `  ` + md5 + `  s/odd
 +7..  ` + utc + `  ` + md5 + `  s/small
`},
		{[]string{"-l", "-top"}, "-  -  -  s/\n", " +-  +-  +-  s/\n"},
		{[]string{"-versions", "-l", "s/small"}, `(7.. B  ` + local + `  ` + md5 + `  ` + id + `  (latest|old   )  claims ` + local + ` by "alice@laptop"  s/small
){2}`, `( +7..  ` + utc + `  ` + md5 + `  ` + id + `  (latest |old    )  claims ` + utc + ` by "alice@laptop"  s/small
){2}`},
		{[]string{"-versions", "-l", "s/odd"}, `1 B  ` + local + `  ` + md5 + `  ` + id + `  latest  not ours: the message is truncated  s/odd
`, ` +1  ` + utc + `  ` + md5 + `  ` + id + `  latest   not ours: the message is truncated  s/odd
`},
		{nil, "s/large\ns/odd\ns/small\n", "s/large\ns/odd\ns/small\n"},
		{[]string{"-versions", "s/odd"}, id + "  latest   s/odd\n", id + "  latest   s/odd\n"},
		{[]string{"-json", "s/odd"}, `{"name":"s/odd","size":1,"time":"` + utc + `",.*}\n`, `{"name":"s/odd","size":1,"time":"` + utc + `",.*}\n`},
		{[]string{"-versions", "-l", "-json", "s/odd"}, `{"name":"s/odd","size":1,"time":"` + utc + `",.*"notOurs":"[^"]+"}\n`, `{"name":"s/odd","size":1,"time":"` + utc + `",.*"notOurs":"[^"]+"}\n`},
	} {
		term := terminaltest.Open(t)
		command := func() *exec.Cmd {
			cmd := exec.Command("ms-ls", test.args...)
			cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TZ=" + zoneName, "GORACE=atexit_sleep_ms=0"}, server.Environ()...)
			return cmd
		}
		var stdout, stderr bytes.Buffer
		cmd := command()
		cmd.Stdout, cmd.Stderr = term.Screen, &stderr
		if err := cmd.Run(); err != nil || stderr.Len() > 0 {
			t.Errorf("%q: %v: %s", test.args, err, &stderr)
		}
		shown := strings.ReplaceAll(term.End(), "\r\n", "\n")
		if !regexp.MustCompile("^" + test.terminal + "$").MatchString(shown) {
			t.Errorf("%q on a terminal:\n%s", test.args, shown)
		}
		for _, m := range regexp.MustCompile(local).FindAllString(shown, -1) {
			if at, err := time.ParseInLocation(time.DateTime, m, zone(t)); err != nil || at.Before(began) || time.Since(at) > time.Hour {
				t.Errorf("%q: %s is not the local time, %v", test.args, m, err)
			}
		}
		cmd = command()
		cmd.Stdout = &stdout
		if err := cmd.Run(); err != nil || !regexp.MustCompile("^"+test.pipe+"$").Match(stdout.Bytes()) {
			t.Errorf("%q in a pipe: %v:\n%s", test.args, err, &stdout)
		}
	}
}

// zoneName is the zone of the programs: half an hour off, as no other one is by chance.
const zoneName = "Asia/Kolkata"

// zone is that of the programs.
func zone(t *testing.T) *time.Location {
	t.Helper()
	at, err := time.LoadLocation(zoneName)
	if err != nil {
		t.Skip(err)
	}
	return at
}
