package tool

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"microsecrets/lib/secret"
)

// onTerminal is a tool whose standard error is taken for a terminal, of some width.
func onTerminal(stderr *bytes.Buffer, width int) *Tool {
	t := New("ms-test", "", strings.NewReader(""), new(bytes.Buffer), stderr)
	t.terminal = true
	t.screen.width = func() int { return width }
	return t
}

// display is what a terminal shows after these bytes: the lines, and the last one up to
// where it is blank.
func display(t *testing.T, written string) string {
	t.Helper()
	lines := strings.Split(written, "\n")
	for i, line := range lines {
		var cells []byte
		at := 0
		for _, c := range []byte(line) {
			switch {
			case c == '\r':
				at = 0
			case c < ' ' || c > '~':
				t.Fatalf("the byte %q is written", c)
			case at < len(cells):
				cells[at] = c
				at++
			default:
				cells = append(cells, c)
				at++
			}
		}
		lines[i] = strings.TrimRight(string(cells), " ")
	}
	return strings.Join(lines, "\n")
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		tool := onTerminal(&stderr, 80)
		var o secret.Options
		tool.watch(&o)
		p := tool.Progress(200, "rotated", "current")
		shows := func(after time.Duration, want string) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			tool.screen.mu.Lock()
			defer tool.screen.mu.Unlock()
			if got := display(t, stderr.String()); got != want {
				t.Errorf("the terminal shows %q, want %q", got, want)
			}
		}
		p.Done("rotated")
		o.Moved(3_000_000)
		shows(999*time.Millisecond, "")
		shows(2*time.Millisecond, "ms-test: 1 of 200, 3.0 MB, 3.0 MB/s")
		p.Done("current")
		o.Moved(3_000_000)
		o.Retrying(secret.Retry{Service: "KMS", Attempt: 1, Attempts: 3, Delay: 2 * time.Second, Why: "throttled"})
		shows(time.Second, "ms-test: 2 of 200, 6.0 MB, 3.0 MB/s, KMS: throttled, try 2 of 3 in 1.0 s")
		shows(1250*time.Millisecond, "ms-test: 2 of 200, 6.0 MB, 1.8 MB/s, KMS: throttled, try 2 of 3")
		shows(time.Second, "ms-test: 2 of 200, 6.0 MB, 1.4 MB/s")
		tool.Notef("a note")
		shows(0, "ms-test: a note\n")
		shows(time.Second, "ms-test: a note\nms-test: 2 of 200, 6.0 MB, 1.1 MB/s")
		release := tool.screen.hold()
		shows(0, "ms-test: a note\n")
		shows(time.Second, "ms-test: a note\n")
		release()
		p.Size(4_000_000)
		shows(time.Second, "ms-test: a note\nms-test: 2 of 200, 4.0 MB of 4.0 MB, 828 kB/s")
		tool.screen.mu.Lock()
		tool.screen.width = func() int { return 20 }
		tool.screen.mu.Unlock()
		shows(time.Second, "ms-test: a note\nms-test: 2 of 200,")
		p.End()
		shows(time.Second, "ms-test: a note\n")
		p.sumUp(t.Context(), nil)
		shows(0, "ms-test: a note\nms-test: 1 rotated, 1 current, 198 not done\n")
	})
}

// What is written to the terminal and has not come to the end of its line stays.
func TestProgressAfterPartOfALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		tool := onTerminal(&stderr, 80)
		out := &shared{&stderr, tool.screen}
		p := tool.Progress(1)
		for _, text := range []string{"one\ntw", "o", "\nthree"} {
			io.WriteString(out, text)
			time.Sleep(2 * time.Second)
		}
		p.End()
		if got, want := display(t, stderr.String()), "one\ntwo\nthree"; got != want {
			t.Errorf("the terminal shows %q, want %q", got, want)
		}
	})
}

// While nothing moves, that is said.
func TestProgressWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		p := onTerminal(&stderr, 0).Progress(1)
		time.Sleep(3*time.Second + time.Millisecond)
		synctest.Wait()
		if got := display(t, stderr.String()); got != "ms-test: waiting, 3 s" {
			t.Errorf("the terminal shows %q", got)
		}
		p.End()
	})
}

// A line is cut between characters, not within one, and is erased by as many blanks.
func TestProgressOfAnyCharacters(t *testing.T) {
	var stderr bytes.Buffer
	s := onTerminal(&stderr, 6).screen
	s.show("höööööst")
	s.show("")
	if got, want := stderr.String(), "höööö\r     \r"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSummary(t *testing.T) {
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	failed := Failures{nil, errors.New("one"), nil, errors.New("two")}.Err()
	stopped := Failures{errors.New("one"), context.Canceled, context.Canceled}.Err()
	for _, row := range []struct {
		ctx   context.Context
		total int
		done  []string
		err   error
		want  string
	}{
		{t.Context(), 3, []string{"copied", "same", "copied"}, nil, "ms-test: 2 copied, 1 same\n"},
		{t.Context(), 4, []string{"same", "copied"}, failed, "ms-test: 1 copied, 1 same, 2 failed\n"},
		{t.Context(), 3, []string{"copied", "gone", "copied"}, nil, "ms-test: 2 copied\n"},
		{interrupted, 5, []string{"copied", "copied"}, stopped, "ms-test: 2 copied, 1 failed, 2 not done\n"},
		{t.Context(), 2, nil, failed, "ms-test: 2 failed\n"},
		{t.Context(), 1, []string{"copied"}, nil, ""},
		{t.Context(), 2, []string{"gone", "gone"}, nil, ""},
	} {
		var stderr bytes.Buffer
		tool := onTerminal(&stderr, 80)
		p := tool.Progress(row.total, "copied", "same")
		for _, outcome := range row.done {
			p.Done(outcome)
		}
		p.End()
		p.sumUp(row.ctx, row.err)
		if stderr.String() != row.want {
			t.Errorf("%v: %q, want %q", row.done, &stderr, row.want)
		}
	}
}

// In a pipe, into a file, and at -v nothing is said.
func TestNoProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		tool := New("ms-test", "", strings.NewReader(""), new(bytes.Buffer), &stderr)
		var o secret.Options
		tool.watch(&o)
		p := tool.Progress(2, "done")
		time.Sleep(time.Minute)
		p.Done("done")
		p.Size(1)
		p.End()
		p.sumUp(t.Context(), nil)
		if o.Moved != nil || stderr.Len() > 0 {
			t.Errorf("%q is written", &stderr)
		}
	})
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 1234: "1.2 kB", 99_949: "99.9 kB", 99_950: "100 kB", 999_499: "999 kB", 999_500: "1.0 MB",
		12_345_678: "12.3 MB", 5_000_000_000_000: "5.0 TB", 1<<63 - 1: "9.2 EB",
	} {
		if got := Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
