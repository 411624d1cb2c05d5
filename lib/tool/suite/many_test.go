//go:build unix

package suite_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool/suite/suitetest"
)

// roundTrip is what the emulator adds to every request of a benchmark.
const roundTrip = 20 * time.Millisecond

// built builds a package as make does, and calls it by a name: the test's own
// binary is larger.
func built(b *testing.B, name, pkg string) string {
	path := filepath.Join(b.TempDir(), name)
	if err := suitetest.Build(path, pkg); err != nil {
		b.Fatal(err)
	}
	return path
}

// count returns what a verb prints as a number.
func count(b *testing.B, server *fakeawstest.Server, line string) (n float64) {
	b.Helper()
	if _, err := fmt.Sscan(server.Do(line), &n); err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkGetMany fetches 1,000 secrets of 300 bytes into a folder. What it is
// compared with is their round trips alone, one after the other.
func BenchmarkGetMany(b *testing.B) {
	const secrets = 1000
	program := built(b, "ms-get", "./cmd/ms")
	server := serve(b)
	store, err := secret.Open(context.Background(), os.Getenv("MS_STORE"), nil)
	if err != nil {
		b.Fatal(err)
	}
	var names bytes.Buffer
	for i := range secrets {
		name := fmt.Sprintf("svc/name%04d", i)
		fmt.Fprintln(&names, name)
		if _, err := store.Put(context.Background(), name, bytes.NewReader(make([]byte, 300)), nil); err != nil {
			b.Fatal(err)
		}
	}
	server.Do("fault delay " + roundTrip.String() + " *")
	for b.Loop() {
		server.Do("reset")
		get := exec.Command(program, "-d", b.TempDir(), "-")
		get.Stdin = bytes.NewReader(names.Bytes())
		if out, err := get.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	one := time.Duration(count(b, server, "count *")) * roundTrip
	b.ReportMetric(float64(one)*float64(b.N)/float64(b.Elapsed()), "x-faster")
	b.ReportMetric(count(b, server, "side"), "at-once")
	b.ReportMetric(count(b, server, "connections"), "connections")
}

// BenchmarkCopyMany copies 1,000 secrets into another store. What it is compared with
// is their round trips alone, one after the other.
func BenchmarkCopyMany(b *testing.B) {
	const secrets, atLeast = 1000, 6
	program := built(b, "ms-cp", "./cmd/ms")
	server := serve(b)
	store, err := secret.Open(context.Background(), os.Getenv("MS_STORE"), nil)
	if err != nil {
		b.Fatal(err)
	}
	for i := range secrets {
		if _, err := store.Put(context.Background(), fmt.Sprintf("svc/name%04d", i), bytes.NewReader(make([]byte, 300)), nil); err != nil {
			b.Fatal(err)
		}
	}
	server.Do("bucket example-other", "distance "+roundTrip.String())
	defer server.Do("distance 0s")
	for i := 0; b.Loop(); i++ {
		server.Do("reset")
		if out, err := exec.Command(program, "-q", "-to", "s3://example-other", "svc/", fmt.Sprintf("copy%d/", i)).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	requests := count(b, server, "count *")
	faster := requests * float64(roundTrip) * float64(b.N) / float64(b.Elapsed())
	if faster < atLeast {
		b.Errorf("%.1f times faster than one after the other, not %d", faster, atLeast)
	}
	b.ReportMetric(faster, "x-faster")
	b.ReportMetric(requests/secrets, "requests/secret")
	b.ReportMetric(count(b, server, "side"), "at-once")
	b.ReportMetric(count(b, server, "connections"), "connections")
}

// BenchmarkLs lists a million names: the processor time for a thousand of them,
// and the memory in all, as the test's own binary reports it: the greatest size that
// the system knows of a process counts that of the one that began it.
func BenchmarkLs(b *testing.B) {
	const names = 1_000_000
	program := built(b, "ms-ls", "./cmd/ms")
	args := []string{"--", "sh", "-c", "env; echo; cat"}
	for service := range 100 {
		args = append([]string{"-do", fmt.Sprintf("fill %d svc%03d/", names/100, service)}, args...)
	}
	dev := exec.Command("ms-dev", args...)
	stdin, err := dev.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := dev.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := dev.Start(); err != nil {
		b.Fatal(err)
	}
	var environ []string
	for lines := bufio.NewScanner(stdout); lines.Scan() && lines.Text() != ""; {
		environ = append(environ, lines.Text())
	}
	var cpu time.Duration
	for b.Loop() {
		ls := exec.Command(program)
		ls.Env = environ
		if err := ls.Run(); err != nil {
			b.Fatal(err)
		}
		usage := ls.ProcessState.SysUsage().(*syscall.Rusage)
		cpu += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	b.ReportMetric(float64(cpu)/1e6/float64(b.N)/(names/1000), "cpu-ms/1000-names")
	ls := exec.Command("ms-ls")
	ls.Env = environ
	b.ReportMetric(float64(spent(b, ls).peak)/(1<<20), "MiB")
	stdin.Close()
	if err := dev.Wait(); err != nil {
		b.Fatal(err)
	}
}
