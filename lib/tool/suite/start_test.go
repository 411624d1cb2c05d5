//go:build unix

package suite_test

import (
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"
)

// BenchmarkStart compares the processor time of "ms-get -version" as it is
// installed, a link to ms, with that of ms-get built alone, and with that of a
// program that does nothing but import the same packages of the AWS SDK.
func BenchmarkStart(b *testing.B) {
	programs := []struct{ unit, path string }{
		{"ms-get-ms", built(b, "ms-get", "./cmd/ms")},
		{"alone-ms", built(b, "ms-get", "./cmd/ms-get")},
		{"empty-ms", built(b, "empty", "./testdata/empty")},
	}
	const runs = 51
	for b.Loop() {
		spent := make([][]time.Duration, len(programs))
		for range runs {
			for i, p := range programs {
				cmd := exec.Command(p.path, "-version")
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
				usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
				spent[i] = append(spent[i], time.Duration(usage.Utime.Nano()+usage.Stime.Nano()))
			}
		}
		for i, p := range programs {
			b.ReportMetric(float64(median(spent[i]))/1e6, p.unit)
		}
		b.ReportMetric(float64(median(spent[0]))/float64(median(spent[2])), "ratio")
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
