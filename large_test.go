package microsecrets_test

import (
	"path/filepath"
	"testing"
)

// peakMax is how much memory a program may have at a time, in bytes, however
// large a secret is.
const peakMax = 128 << 20

// TestMemory puts and gets a secret that is larger than the memory that the
// programs may have.
func TestMemory(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector takes more memory than the programs")
	}
	serve(t)
	const size = 200 << 20
	for _, c := range []struct {
		size int64
		args []string
	}{
		{size, []string{"ms-put", "-q", "svc/large"}},
		{0, []string{"ms-get", "svc/large"}},
		{0, []string{"ms-get", "-stream", "svc/large"}},
		{0, []string{"ms-get", "-raw", "svc/large"}},
		{0, []string{"ms-get", "-o", filepath.Join(t.TempDir(), "out"), "svc/large"}},
		{60 << 20, []string{"ms-put", "-q", "svc/held"}},
		{0, []string{"ms-get", "svc/held"}},
		{0, []string{"ms-get", "svc/held", "svc/large"}},
		{0, []string{"ms-get", "-d", t.TempDir(), "svc/held", "svc/large"}},
	} {
		if peak := spend(t, random(c.size), c.args...).peak; peak > peakMax {
			t.Errorf("%v: %d MiB of memory, over %d", c.args, peak>>20, peakMax>>20)
		} else {
			t.Logf("%v: %d MiB of memory", c.args, peak>>20)
		}
	}
}
