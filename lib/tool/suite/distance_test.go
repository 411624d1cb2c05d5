//go:build unix

package suite_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
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

// programs runs programs against a server, KMS under another host name than S3, so
// that they share no connection. More variables come last.
type programs struct {
	t   *testing.T
	env []string
}

func programsOf(t *testing.T, server *fakeawstest.Server, more ...string) *programs {
	kms := strings.Replace(server.URL(), "127.0.0.1", "localhost", 1)
	env := append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}, server.Environ()...)
	return &programs{t, slices.Concat(env, []string{"AWS_ENDPOINT_URL_KMS=" + kms}, more)}
}

func (p *programs) run(args ...string) (status int) {
	p.t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdin = p.env, p.t.TempDir(), strings.NewReader("A=1\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	p.t.Logf("%q: %s", args, &stderr)
	return cmd.ProcessState.ExitCode()
}

// putEnvironments stores those that environments names.
func (p *programs) putEnvironments(n int) {
	p.t.Helper()
	for _, name := range environments(n) {
		if p.run("ms-put", "-q", "-e", name) != 0 {
			p.t.Fatal("not stored")
		}
	}
}

// TestConnections counts the connections of programs that are started cold: as many
// as there are requests at once, each of which is used, and none to KMS where it is
// not asked.
func TestConnections(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{false, true} {
		server := fakeawstest.StartWith(t, fakeaws.Options{TLS: tls})
		p := programsOf(t, server)
		p.putEnvironments(10)
		for _, c := range []struct {
			args        []string
			connections string
			status      int
		}{
			{slices.Concat([]string{"ms-exec"}, environments(1), []string{"--", "true"}), "2", 0},
			{slices.Concat([]string{"ms-exec"}, environments(10), []string{"--", "true"}), "20", 0},
			{[]string{"ms-exec", "svc/0", "svc/0", "--", "true"}, "2", 0},
			{[]string{"ms-get", "svc/0"}, "2", 0},
			{[]string{"ms-get", "-any-key", "svc/0"}, "2", 0},
			{[]string{"ms-put", "-q", "svc/new"}, "2", 0},
			{[]string{"ms-put", "-q", "-changed", "svc/new"}, "2", 0},
			{[]string{"ms-put", "-q", "-merge", "-e", "svc/new"}, "2", 0},
			{[]string{"ms-rotate", "svc/new"}, "2", 0},
			{[]string{"ms-get", "-raw", "svc/0"}, "1", 0},
			{[]string{"ms-get", "-inspect", "svc/0"}, "1", 0},
			{[]string{"ms-ls"}, "1", 0},
			{[]string{"ms-rm", "svc/new"}, "1", 0},
			{[]string{"ms-get", "svc//0"}, "0", 2},
			{[]string{"ms-get", "-k", "no name", "svc/0"}, "0", 2},
			{[]string{"ms-get", "-key", "", "svc/0"}, "0", 2},
			{[]string{"ms-put", "-q", "svc/new", "-create"}, "0", 2},
			{[]string{"ms-put", "-q", "svc/new", "absent"}, "0", 1},
			{[]string{"ms-exec", "svc/0"}, "0", 125},
			{[]string{"ms-exec", "svc/0", "--", "./absent"}, "0", 127},
		} {
			// Requests that are made at once are held together.
			server.Do("clear", "reset")
			if c.connections == "20" {
				server.Do("fault rendezvous 10 GetObject times=10")
			}
			if status := p.run(c.args...); status != c.status {
				t.Errorf("%q: status %d", c.args, status)
			}
			if got := strings.TrimSpace(server.Do("connections")); got != c.connections {
				t.Errorf("TLS %v, %q: %s connections, not %s", tls, c.args, got, c.connections)
			}
		}
	}
}

// TestRoundTrips has a container's endpoint that gives no credentials before all the
// connections that a program needs are open, TLS included, and counts the round trips
// of the whole, those of opening a connection included.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{false, true} {
		server := fakeawstest.StartWith(t, fakeaws.Options{TLS: tls})
		programsOf(t, server).putEnvironments(10)
		credentials := map[string]string{}
		for _, variable := range server.Environ() {
			name, value, _ := strings.Cut(variable, "=")
			credentials[name] = value
		}
		var connections atomic.Int64
		source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if _, err := server.ControlLine("", fmt.Sprint("await connections ", connections.Load())); err != nil {
				t.Error(err)
			}
			json.NewEncoder(w).Encode(map[string]string{
				"AccessKeyId":     credentials["AWS_ACCESS_KEY_ID"],
				"SecretAccessKey": credentials["AWS_SECRET_ACCESS_KEY"],
				"Token":           credentials["AWS_SESSION_TOKEN"],
			})
		}))
		defer source.Close()
		p := programsOf(t, server, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN=",
			"AWS_CONTAINER_CREDENTIALS_FULL_URI="+source.URL)
		for _, c := range []struct {
			args        []string
			connections int
			trips       int // without TLS
		}{
			{[]string{"ms-get", "svc/0"}, 2, 3},
			{[]string{"ms-get", "svc/0", "svc/1", "svc/2"}, 6, 3},
			{[]string{"ms-get", "-o", "new", "svc/0"}, 2, 3},
			{[]string{"ms-get", "-d", "new", "svc/0", "svc/1", "svc/2"}, 6, 3},
			{[]string{"ms-get", "-stream", "svc/0"}, 2, 3},
			{[]string{"ms-get", "-raw", "svc/0", "svc/1"}, 2, 2},
			{slices.Concat([]string{"ms-exec"}, environments(1), []string{"--", "true"}), 2, 3},
			{slices.Concat([]string{"ms-exec"}, environments(3), []string{"--", "true"}), 6, 3},
			{slices.Concat([]string{"ms-exec"}, environments(10), []string{"--", "true"}), 20, 3},
			{[]string{"ms-put", "-q", "svc/new"}, 2, 3},
			{[]string{"ms-ls"}, 1, 2},
			{[]string{"ms-rm", "svc/new"}, 1, 3}, // it looks what there is
		} {
			names := strings.Count(strings.Join(c.args, " "), "svc/")
			server.Do("clear", "reset",
				fmt.Sprintf("fault rendezvous %d GetObject times=%[1]d", max(1, names)),
				fmt.Sprintf("fault rendezvous %d Decrypt times=%[1]d", max(1, names)))
			connections.Store(int64(c.connections))
			if status := p.run(c.args...); status != 0 {
				t.Errorf("%q: status %d", c.args, status)
			}
			if tls {
				c.trips++
			}
			got := fmt.Sprintf("%s%s", server.Do("connections"), server.Do("trips"))
			if want := fmt.Sprintf("%d\n%d\n", c.connections, c.trips); got != want {
				t.Errorf("TLS %v, %q: connections and round trips are\n%snot\n%s%s", tls, c.args, got, want, server.Do("log"))
			}
		}
	}
}
