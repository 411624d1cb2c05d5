package check

import (
	"context"
	"strings"
	"testing"

	"microsecrets/lib/fakeaws/fakeawstest"
)

// interrupted interrupts ms-check -write when before has come, does what is to be done
// after it, and returns what it printed.
func interrupted(t *testing.T, fake *fakeawstest.Server, before string, after ...string) string {
	t.Helper()
	fake.Setenv()
	t.Setenv("HOME", t.TempDir())
	ctx, interrupt := context.WithCancel(t.Context())
	var out, errs strings.Builder
	status := make(chan int)
	go func() { status <- Run(ctx, []string{"-write", "svc"}, strings.NewReader(""), &out, &errs) }()
	fake.Do(before)
	interrupt()
	fake.Do(after...)
	if got := <-status; got != 1 || errs.String() != "ms-check: interrupted\n" {
		t.Errorf("status %d, standard error %q", got, &errs)
	}
	return out.String()
}

// What ms-check has stored it removes, interrupted or not. A script cannot say when a
// signal has been taken; a context can.
func TestInterruptedRemoval(t *testing.T) {
	fake := fakeawstest.Start(t, "key create alias/microsecrets-svc", "fault hold DeleteObject key=*ms-check* times=1")
	out := interrupted(t, fake, "await DeleteObject 1", "release")
	if !strings.Contains(out, "\nok  remove svc/ms-check-") {
		t.Errorf("nothing is said to be removed:\n%s", out)
	}
	if left := fake.Do("versions"); left != "" {
		t.Errorf("left: %s", left)
	}
}

// A second creation, by which the server is tested, may act after the removal of what the
// first one has stored.
func TestInterruptedTest(t *testing.T) {
	fake := fakeawstest.Start(t, "key create alias/microsecrets-svc", "fault hold PutObject key=*ms-check* skip=1 times=1")
	out := interrupted(t, fake, "await PutObject 1")
	for _, want := range []string{"\nok  remove svc/ms-check-", "\n?   remove svc/ms-check-", "\n    if it is there: ms-rm svc/ms-check-"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not said:\n%s", want, out)
		}
	}
}
