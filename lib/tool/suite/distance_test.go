//go:build unix

package suite_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
)

// BenchmarkDistance runs the programs as a shell does, at round trips of several
// lengths, by TLS and without. Each row shows the median time, and how many round
// trips it took beyond what the same took at none. S3 and KMS have host names of
// their own, so that they share no connection.
func BenchmarkDistance(b *testing.B) {
	const runs = 11
	ms := built(b, "ms", "./cmd/ms")
	for _, c := range []struct {
		name string
		args []string
	}{
		{"ms-get", []string{"get", "svc/0"}},
		{"ms-exec of 1", slices.Concat([]string{"exec"}, environments(1), []string{"--", "true"})},
		{"ms-exec of 3", slices.Concat([]string{"exec"}, environments(3), []string{"--", "true"})},
		{"ms-exec of 10", slices.Concat([]string{"exec"}, environments(10), []string{"--", "true"})},
		{"ms-put", []string{"put", "-q", "svc/new"}},
		{"ms-ls", []string{"ls"}},
	} {
		for _, tls := range []bool{false, true} {
			server := fakeawstest.StartWith(b, fakeaws.Options{TLS: tls})
			kms := strings.Replace(server.URL(), "127.0.0.1", "localhost", 1)
			env := append(append(os.Environ(), server.Environ()...), "AWS_ENDPOINT_URL_KMS="+kms, "HOME="+b.TempDir())
			run := func(stdin string, args ...string) time.Duration {
				cmd := exec.Command(ms, args...)
				cmd.Env, cmd.Stdin = env, strings.NewReader(stdin)
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				start := time.Now()
				if err := cmd.Run(); err != nil {
					b.Fatalf("%q: %v: %s", args, err, &stderr)
				}
				return time.Since(start)
			}
			for i := range 10 {
				run("A=1\n", "put", "-q", "-e", fmt.Sprint("svc/", i))
			}
			var none time.Duration
			for _, distance := range []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond} {
				name := fmt.Sprintf("%s/%v", c.name, distance)
				if tls {
					name += " TLS"
				}
				b.Run(name, func(b *testing.B) {
					server.Do("distance " + distance.String())
					var took [runs]time.Duration
					for b.Loop() {
						for i := range took {
							took[i] = run("A=1\n", c.args...)
						}
					}
					m := median(took[:])
					b.ReportMetric(float64(m)/1e6, "ms")
					if distance == 0 {
						none = m
					} else {
						b.ReportMetric(float64(m-none)/float64(distance), "round-trips")
					}
				})
			}
		}
	}
}

func environments(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint("svc/", i))
	}
	return names
}

// TestConnections counts the connections of programs that are started cold: as many
// as there are requests at once, each of which is used, and none to KMS where it is
// not asked.
func TestConnections(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{false, true} {
		server := fakeawstest.StartWith(t, fakeaws.Options{TLS: tls})
		kms := strings.Replace(server.URL(), "127.0.0.1", "localhost", 1)
		env := append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}, server.Environ()...)
		env = append(env, "AWS_ENDPOINT_URL_KMS="+kms)
		run := func(stdin string, args ...string) (status int) {
			t.Helper()
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Env, cmd.Dir, cmd.Stdin = env, t.TempDir(), strings.NewReader(stdin)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Run(); cmd.ProcessState == nil {
				t.Fatal(err)
			}
			t.Logf("%q: %s", args, &stderr)
			return cmd.ProcessState.ExitCode()
		}
		for i := range 10 {
			run("A=1\n", "ms-put", "-q", "-e", fmt.Sprint("svc/", i))
		}
		for _, c := range []struct {
			args        []string
			connections string
			status      int
		}{
			{slices.Concat([]string{"ms-exec"}, environments(1), []string{"--", "true"}), "2", 0},
			{slices.Concat([]string{"ms-exec"}, environments(10), []string{"--", "true"}), "20", 0},
			{[]string{"ms-get", "svc/0"}, "2", 0},
			{[]string{"ms-put", "-q", "svc/new"}, "2", 0},
			{[]string{"ms-get", "-raw", "svc/0"}, "1", 0},
			{[]string{"ms-get", "-inspect", "svc/0"}, "1", 0},
			{[]string{"ms-ls"}, "1", 0},
			{[]string{"ms-rm", "svc/new"}, "1", 0},
			{[]string{"ms-get", "svc//0"}, "0", 2},
			{[]string{"ms-put", "-q", "svc/new", "-create"}, "0", 2},
			{[]string{"ms-exec", "svc/0"}, "0", 125},
		} {
			// Requests that are made at once are held together.
			server.Do("clear", "reset")
			if c.connections == "20" {
				server.Do("fault rendezvous 10 GetObject times=10")
			}
			if status := run("A=1\n", c.args...); status != c.status {
				t.Errorf("%q: status %d", c.args, status)
			}
			if got := strings.TrimSpace(server.Do("connections")); got != c.connections {
				t.Errorf("TLS %v, %q: %s connections, not %s", tls, c.args, got, c.connections)
			}
		}
	}
}
