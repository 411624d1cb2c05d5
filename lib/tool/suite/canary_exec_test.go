package suite_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// What is wrong with files in memory and on disk, and with an environment as a
// whole.
func TestCanaryExec(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("files in memory are made on Linux only")
	}
	t.Parallel()
	w := newWorkspace(t)
	fails := func(status int, args ...string) {
		w.Helper()
		w.fails(attempt{args: append([]string{"ms-exec", "-v"}, args...), status: status}, "")
	}
	for _, name := range []string{"s/bad", "s/moved", "s/clear", "s/none"} {
		fails(125, "-mem", "P="+name, "--", "env")
		fails(125, "-mem", "P=s/pass", "-mem", "Q="+name, "-file", "out=s/pass", "s/env", "--", "env")
	}
	fails(125, "-c", "s/pass="+strings.Repeat("0", 64), "-mem", "P=s/pass", "--", "env")
	fails(125, "-strict", "-mem", "A=s/pass", "s/env", "--", "env")
	fails(125, "-mem", "P=s/pass", "-mem", "P=s/pass", "--", "env")
	fails(125, "-mem", canary+"-=s/pass", "--", "env")
	for _, value := range []string{"x://u:" + canary + "@h/d", canary + "/x\n", "x//" + canary} {
		fails(125, "P="+value, "--", "env")
		fails(125, "-mem", "P="+value, "--", "env")
		fails(125, "-file", "out="+value, "--", "env")
	}
	fails(125, "-file", "../file=s/pass", "--", "env")
	fails(125, "-file", canary+"=s/pass", "-file", canary+"=s/pass", "--", "env")
	for _, file := range []string{canary, canary + "/x", "../file/" + canary} {
		fails(125, "-sources", file, "s/env", "--", "env")
		fails(125, "-sources", file, "-sources", file, "s/none", "--", "env")
	}
	for _, name := range []string{"s/bad", "s/none", "s/nul", "s/steer", "s/pass"} {
		fails(125, "-need", "NONE", name, "s/env", "--", "env")
		fails(125, "-need", "NONE", "-drop-others", "-only", "A", "-file", "out=s/pass", "s/env", name, "--", "env")
	}
	fails(125, "-need", canary+"-", "s/env", "--", "env")
	fails(125, "-file", "out=s/pass", "s/none", "s/pass", "s/steer", "P=s/nul", "Q=s/huge", "--", "env")
	fails(126, "-file", "out=s/pass", "-mem", "P=s/pass", "s/env", "--", "../file")

	// At exec itself: a file is written by then, and goes again.
	if status, _, stderr := w.call(attempt{args: []string{"ms-put", "-q", "s/full"}, stdin: strings.Repeat(canary, 6000)}); status != 0 {
		t.Fatalf("%s", stderr)
	}
	together := []string{"-file", "out=s/pass"}
	for i := range 60 {
		together = append(together, fmt.Sprintf("V%d=s/full", i))
	}
	fails(125, slices.Concat(together, []string{"--", "env"})...)

	for _, request := range []string{"GetObject", "Decrypt"} {
		for _, fault := range []string{"drop", "answer 403 AccessDenied", "answer 500 InternalError"} {
			w.server.Do("fault " + fault + " " + request)
			fails(125, "-mem", "P=s/pass", "--", "env")
			fails(125, "-mem", "P=s/pass", "-file", "out=s/pass", "s/env", "--", "env")
			w.server.Do("clear")
		}
	}
}
