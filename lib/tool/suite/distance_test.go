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
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
)

// BenchmarkDistance runs the programs as a shell does, at round trips of several
// lengths, by TLS and without. Each row shows the median time and the least, the
// least processor time, and how many round trips the least took beyond what the same
// took at none. S3 and KMS have host names of their own, so that they share no
// connection.
//
// Beside them it runs programs of others that are on PATH:
//
//	go install github.com/segmentio/chamber/v3@latest    # secrets in S3, which encrypts them
//	go install github.com/getsops/sops/v3/cmd/sops@latest    # a local file, and KMS; no S3
func BenchmarkDistance(b *testing.B) {
	ms := built(b, "ms", "./cmd/ms")
	command := func(n int, after ...string) []string {
		return slices.Concat([]string{ms, "exec"}, environments(n), []string{"--"}, after)
	}
	chamber := func(n int) []string {
		return slices.Concat([]string{"chamber", "exec"}, services(n), []string{"--", "true"})
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"ms-get", []string{ms, "get", "svc/0"}},
		{"ms-exec of 1", command(1, "true")},
		{"chamber of 1", chamber(1)},
		{"sops", []string{"sops", "decrypt", "sops.json"}},
		{"ms-exec of 3", command(3, "true")},
		{"chamber of 3", chamber(3)},
		{"ms-exec of 10", command(10, "true")},
		{"chamber of 10", chamber(10)},
		{"ms-put", []string{ms, "put", "-q", "svc/new"}},
		{"ms-ls", []string{ms, "ls"}},
	} {
		if _, err := exec.LookPath(c.args[0]); err != nil {
			fmt.Fprintf(os.Stderr, "%s is left out: %v\n", c.name, err) // package testing drops this benchmark's log
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			for _, tls := range []bool{false, true} {
				if err := benchmarkDistances(b, ms, tls, c.args); err != nil {
					fmt.Fprintf(os.Stderr, "%s is left out, TLS %v: %v\n", c.name, tls, err)
				}
			}
		})
	}
}

// benchmarkDistances fails if a program of others cannot be prepared.
func benchmarkDistances(b *testing.B, ms string, tls bool, args []string) error {
	const runs = 11
	server := fakeawstest.StartWith(b, fakeaws.Options{TLS: tls})
	kms := strings.Replace(server.URL(), "127.0.0.1", "localhost", 1)
	dir := b.TempDir()
	// A bundle of the user's takes longer to parse than all else that ms-ls does.
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_CA_BUNDLE=") })
	env = append(env, server.Environ()...)
	env = append(env, "AWS_ENDPOINT_URL_KMS="+kms, "HOME="+b.TempDir(), "SOPS_DISABLE_VERSION_CHECK=1",
		"CHAMBER_SECRET_BACKEND=S3-KMS", "CHAMBER_S3_BUCKET="+fakeaws.DefaultBucket, "CHAMBER_KMS_KEY_ALIAS=alias/microsecrets-svc")
	run := func(stdin string, args ...string) (took, spent time.Duration, output []byte, err error) {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env, cmd.Dir, cmd.Stdin = env, dir, strings.NewReader(stdin)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		start := time.Now()
		if output, err = cmd.Output(); err != nil {
			err = fmt.Errorf("%q: %v: %s", args, err, &stderr)
		}
		took = time.Since(start)
		if cmd.ProcessState != nil {
			spent = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		}
		return took, spent, output, err
	}
	must := func(stdin string, args ...string) []byte {
		_, _, output, err := run(stdin, args...)
		if err != nil {
			b.Fatal(err)
		}
		return output
	}
	for _, name := range environments(10) {
		must("A=1\n", ms, "put", "-q", "-e", name)
	}
	var err error
	switch args[0] {
	case "chamber":
		for _, service := range services(10) {
			if err == nil {
				_, _, _, err = run("", "chamber", "write", service, "a", "1")
			}
		}
	case "sops":
		var receipt struct{ Key string }
		if err := json.Unmarshal(must("A=1\n", ms, "put", "-json", "svc/new"), &receipt); err != nil {
			b.Fatal(err)
		}
		var sealed []byte
		if _, _, sealed, err = run(`{"A":"1"}`, "sops", "encrypt", "--kms", receipt.Key, "--filename-override", "sops.json"); err == nil {
			err = os.WriteFile(filepath.Join(dir, "sops.json"), sealed, 0o600)
		}
	}
	if err != nil {
		return err
	}
	var none time.Duration
	for _, distance := range []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond} {
		name := distance.String()
		if tls {
			name += " TLS"
		}
		b.Run(name, func(b *testing.B) {
			server.Do("distance " + distance.String())
			took, spent := make([]time.Duration, runs), make([]time.Duration, runs)
			for b.Loop() {
				for i := range runs {
					var err error
					if took[i], spent[i], _, err = run("A=1\n", args...); err != nil {
						b.Fatal(err)
					}
				}
			}
			least := slices.Min(took)
			b.ReportMetric(float64(median(took))/1e6, "ms")
			b.ReportMetric(float64(least)/1e6, "least-ms")
			b.ReportMetric(float64(slices.Min(spent))/1e6, "least-cpu-ms")
			if distance == 0 {
				none = least
			} else {
				b.ReportMetric(float64(least-none)/float64(distance), "round-trips")
			}
		})
	}
	return nil
}

// services are those of chamber, which has an environment in each.
func services(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint("chamber-", i))
	}
	return names
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
		server.Do("bucket example-other")
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
			{[]string{"ms-cp", "svc/0", "new/0"}, "2", 0},
			{[]string{"ms-cp", "-to", "s3://example-other", "svc/0", "new/0"}, "4", 0},
			{[]string{"ms-cp", "svc/0", "svc/0"}, "0", 2},
			{[]string{"ms-diff", "svc/new"}, "4", 0},
			{[]string{"ms-diff", "svc/0", "svc/1"}, "4", 0},
			{[]string{"ms-diff", "-with", "s3://" + fakeaws.DefaultBucket, "svc/0"}, "4", 0},
			{[]string{"ms-diff", "svc/0", "svc/"}, "0", 2},
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
			{[]string{"ms-cp", "svc/0", "new/0"}, 2, 7}, // three of them for a PutObject with a condition, which is tried
			{[]string{"ms-diff", "svc/0", "svc/1"}, 4, 3},
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
