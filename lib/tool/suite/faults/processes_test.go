//go:build linux

package faults_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/fakeaws/fakeawstest"
)

// signals are those of which a program dies at each of its requests, held by the
// emulator before it acts, or after it has acted.
var signals = []struct {
	name   string
	signal syscall.Signal
	acted  bool // only where the request changes something
	large  bool // with large secrets as well
}{
	{"SIGINT (^C) while it is awaited", syscall.SIGINT, false, false},
	{"SIGTERM while it is awaited", syscall.SIGTERM, false, true},
	{"SIGTERM when it is done, and the answer is awaited", syscall.SIGTERM, true, true},
	{"SIGKILL while it is awaited", syscall.SIGKILL, false, true},
	{"SIGKILL when it is done, and the answer is awaited", syscall.SIGKILL, true, true},
}

// changes are the requests that change what is stored, or what it is stored in.
var changes = []string{"PutObject", "DeleteObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload",
	"CreateBucket", "PutBucketVersioning", "PutBucketLifecycleConfiguration", "CreateKey", "EnableKeyRotation", "CreateAlias"}

// byTLS are the requests that are made by TLS only, which the processes do not speak.
var byTLS = []string{"GetBucketPolicy", "PutBucketPolicy"}

// appears reports whether a request makes the secret appear, or removes it.
func appears(col column) bool {
	return slices.Contains([]string{"PutObject", "DeleteObject", "CompleteMultipartUpload"}, col.op()) && !strings.Contains(col.request, "(a test")
}

// outlasts reports whether a program waits for what is under way when a signal comes:
// the beginning of an upload, whose end needs its answer, and a rotation, whose line is
// still printed, and so is that of a copy, and the removal of what ms-check has stored.
func outlasts(c call, col column) bool {
	removal := c.kind == reports && (col.op() == "DeleteObject" || col.op() == "ListObjectVersions" && col.distinct > 1)
	return c.program == "ms-rotate" || c.program == "ms-cp" || col.op() == "CreateMultipartUpload" || removal
}

// newProcesses is a bench for processes, on a real network.
func newProcesses(t *testing.T, dir string, fit bool, names ...string) *bench {
	t.Helper()
	life := &life{TB: t}
	b := &bench{server: fakeawstest.Start(life), life: life, dir: dir, raw: map[string]string{}, as: map[string]string{}}
	b.s3 = s3.NewFromConfig(b.server.Config(), func(o *s3.Options) { o.UsePathStyle = true })
	b.server.Do("key create alias/microsecrets-svc", "key create alias/microsecrets-next")
	for _, name := range names {
		text, ok := stored[name]
		if !ok {
			text = stored["svc/secret"]
		}
		cmd := b.command("ms-put", "-q", name)
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("ms-put %s: %v: %s", name, err, out)
		}
		b.raw[name] = b.current(name)
		b.as[name] = b.versions(name)
	}
	if fit {
		if out, err := b.command("ms-init", "-adopt", "svc").CombinedOutput(); err != nil {
			t.Fatalf("ms-init: %v: %s", err, out)
		}
	}
	return b
}

// command is a program that is led to the bench's server.
func (b *bench) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "MS_BY=a tester", "EDITOR=" + editor, "GORACE=atexit_sleep_ms=0"}, b.server.Environ()...)
	return cmd
}

// processRows kills a call at each of its requests. It returns a row for each signal.
func processRows(t *testing.T, c call, columns []column, dir string) (rows []row) {
	t.Helper()
	c.tls = false
	b := newProcesses(t, dir, c.fit, c.names()...)
	defer func() { b.close() }()
	for _, s := range signals {
		r := row{fault: fault{name: s.name}}
		for i, col := range columns {
			v := &verdict{}
			switch {
			case s.acted && !slices.Contains(changes, col.op()):
				v.skipped = "it changes nothing"
			case c.slow && !s.large:
				v.skipped = "as with a small secret"
			case slices.Contains(byTLS, col.op()):
				v.skipped = "it is made by TLS only"
			default:
				if c.kind == makes { // what has been made cannot be unmade
					b.close()
					b = newProcesses(t, dir, c.fit)
				}
				skip := 0
				for _, before := range columns[:i] {
					if before.op() == col.op() {
						skip++
					}
				}
				b.kill(t, c, col, skip, s.signal, s.acted, v)
			}
			for _, w := range v.wrong {
				t.Errorf("%s, if %s, at %s: %s\nstatus %d: %s%s", c.title, s.name, col, w, v.outcome.status, v.outcome.stdout, v.outcome.stderr)
			}
			r.cells = append(r.cells, v)
		}
		rows = append(rows, r)
	}
	return rows
}

// kill sends a signal to a call when one of its requests is held.
func (b *bench) kill(t *testing.T, c call, col column, skip int, signal syscall.Signal, acted bool, v *verdict) {
	t.Helper()
	b.reset(t)
	work := filepath.Join(b.dir, "work")
	os.RemoveAll(work)
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	before := b.versions(c.name)
	if c.kind != ofSecrets {
		before = b.configuration()
	}
	args := slices.DeleteFunc(b.args(c, fault{}, work), func(a string) bool { return a == "-v" })
	kind := "hold"
	if acted {
		kind = "hold-reply"
	}
	b.server.Do("reset", fmt.Sprintf("fault %s %s skip=%d", kind, col.op(), skip))
	var out, errs bytes.Buffer
	cmd := b.command(c.program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.stdin), &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	held := make(chan error, 1)
	go func() {
		_, err := b.server.ControlLine("", "await "+col.op()+" 1")
		held <- err
	}()
	select {
	case err := <-held:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		cmd.Process.Kill()
		t.Fatalf("%s: %s is not asked for", c.title, col)
	}
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	if signal != syscall.SIGKILL && outlasts(c, col) {
		for isPending(cmd.Process.Pid, signal) { // or it may be done before it knows
			runtime.Gosched()
		}
		b.server.Do("clear")
	}
	cmd.Wait()
	b.server.Do("clear", "idle")
	state := cmd.ProcessState.Sys().(syscall.WaitStatus)
	v.outcome = outcome{status: state.ExitStatus(), stdout: out.String(), stderr: errs.String()}
	if state.Signaled() {
		v.outcome.status = 128 + int(state.Signal())
	}
	if c.kind != ofSecrets {
		b.judgeKilledStep(c, col, v, before, work, signal)
		return
	}
	b.judgeKilled(t, c, col, v, before, work, signal)
}

// isPending reports whether a signal has been sent to a process, and has not arrived.
func isPending(pid int, signal syscall.Signal) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if sent, ok := strings.CutPrefix(line, "ShdPnd:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(sent), 16, 64)
			return err == nil && set&(1<<(signal-1)) != 0
		}
	}
	return false
}

// judgeKilled holds what a killed call left to the rules.
func (b *bench) judgeKilled(t *testing.T, c call, col column, v *verdict, before, work string, signal syscall.Signal) {
	t.Helper()
	o := v.outcome
	wrong := func(format string, args ...any) { v.wrong = append(v.wrong, fmt.Sprintf(format, args...)) }
	if o.status != 128+int(signal) {
		wrong("it did not die of the signal")
	}
	if leaky(o.stderr) {
		wrong("the canary is on standard error")
	}
	if signal == syscall.SIGKILL && o.stderr != "" {
		wrong("it still spoke")
	}
	first, _, _ := strings.Cut(o.stderr, "\n")
	v.said = strings.TrimPrefix(strings.TrimPrefix(first, c.program+": "), c.name+": ")
	for _, n := range varying {
		v.said = n.is.ReplaceAllString(v.said, n.as)
	}

	undone := b.versions(c.name) == before
	done := c.gone && b.current(c.name) == "" || c.after != "" && !undone && b.read(t, c.name) == c.after
	if c.gone && !undone && !done {
		undone = b.current(c.name) == b.raw[c.name]
	}
	left, _ := os.ReadDir(work)
	uploads := strings.Count(b.server.Do("uploads"), "\n")
	// The server may yet act on what was sent.
	said := strings.Contains(o.stderr, "may have been ") || strings.Contains(o.stderr, "hint: look what is stored before ")
	switch {
	case !done && !undone:
		wrong("neither as it was nor as it should be")
	case o.stdout != "":
		v.state = "done"
	case said:
		v.state = "either, and a hint says to look"
	case signal == syscall.SIGKILL && appears(col):
		v.state = "either"
	case done && !undone && signal == syscall.SIGKILL:
		v.state = "done"
	case done && !undone:
		wrong("it is done, and that is not said")
	default:
		v.state = "not done"
	}
	finished := outlasts(c, col) && c.after == "" && o.stdout == c.stdout // and there was nothing to do
	if o.stdout != "" && !(done && c.stdout != "") && !finished {
		wrong("%.40q on standard output", o.stdout)
	}
	if signal == syscall.SIGKILL {
		if len(left) > 0 {
			v.state += "; a temporary file is left"
		}
		if uploads > 0 && !appears(col) {
			v.state += "; an upload is left"
		}
	} else if len(left) > 0 || uploads > 0 && !strings.Contains(o.stderr, "left behind") {
		wrong("%v and %d uploads are left", left, uploads)
	}

	// The next run does not trip over what is left.
	if undone && c.status == 0 {
		b.as[c.name] = b.versions(c.name)
		cmd := b.command(c.program, slices.DeleteFunc(b.args(c, fault{}, work), func(a string) bool { return a == "-v" })...)
		cmd.Stdin = strings.NewReader(c.stdin)
		if text, err := cmd.CombinedOutput(); err != nil && signal == syscall.SIGKILL {
			wrong("the next run fails: %v: %s", err, text)
		}
	}
}

// read is the plaintext of a secret.
func (b *bench) read(t *testing.T, name string) string {
	t.Helper()
	out, err := b.command("ms-get", "-any-key", name).Output()
	if err != nil {
		return ""
	}
	return string(out)
}

// judgeKilledStep holds what a killed call left that prints lines to the rules of its
// kind.
func (b *bench) judgeKilledStep(c call, col column, v *verdict, before, work string, signal syscall.Signal) {
	o := v.outcome
	wrong := func(format string, args ...any) { v.wrong = append(v.wrong, fmt.Sprintf(format, args...)) }
	if o.status != 128+int(signal) {
		wrong("it did not die of the signal")
	}
	if leaky(o.stderr) || leaky(o.stdout) {
		wrong("the canary is printed")
	}
	if signal == syscall.SIGKILL && o.stderr != "" {
		wrong("it still spoke")
	}
	first, _, _ := strings.Cut(o.stderr, "\n")
	v.said = invariant(strings.TrimPrefix(first, c.program+": "))
	changed := b.configuration() != before
	if v.state = "not done"; changed {
		v.state = "done in part"
	}
	switch c.kind {
	case reports:
		v.state = "looked at in part"
		b.judgeLeft(v, before, signal == syscall.SIGKILL, wrong)
	case plans:
		if v.state = "nothing is changed"; changed {
			wrong("something is changed")
		}
	case makes:
		said, _ := steps(o, wrong)
		b.goesOn(o, said, func(dry bool) outcome { return b.repeat(c, work, dry) }, wrong)
	}
	v.said = thingless(v.said)
}

// repeat runs a call once more, or looks what it would do.
func (b *bench) repeat(c call, work string, dry bool) outcome {
	args := slices.DeleteFunc(b.args(c, fault{}, work), func(a string) bool { return a == "-v" })
	if dry {
		args = append([]string{"-n"}, args...)
	}
	var out, errs bytes.Buffer
	cmd := b.command(c.program, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Run()
	return outcome{status: cmd.ProcessState.ExitCode(), stdout: out.String(), stderr: errs.String()}
}
