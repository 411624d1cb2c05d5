//go:build unix

package suite_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// BenchmarkStart compares the processor time of "ms-get -version" with that of
// a program that does nothing but import the same packages of the AWS SDK, as
// the ratio of their medians.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	build := func(name, pkg string) string {
		path := filepath.Join(dir, name)
		out, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, pkg).CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		return path
	}
	get := build("ms-get", "./cmd/ms-get")
	empty := build("empty", "./testdata/empty")

	cpu := func(path string, args ...string) time.Duration {
		cmd := exec.Command(path, args...)
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	const runs = 51
	for b.Loop() {
		var ours, theirs [runs]time.Duration
		for i := range runs {
			ours[i], theirs[i] = cpu(get, "-version"), cpu(empty)
		}
		b.ReportMetric(float64(median(ours[:]))/1e6, "ms-get-ms")
		b.ReportMetric(float64(median(theirs[:]))/1e6, "empty-ms")
		b.ReportMetric(float64(median(ours[:]))/float64(median(theirs[:])), "ratio")
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
