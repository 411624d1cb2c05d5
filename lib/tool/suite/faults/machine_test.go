//go:build linux

package faults_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// uses are what meets the faults of this machine. OUT is a file, or a folder, in a folder
// that may be full or read-only.
var uses = []struct {
	title  string
	args   []string
	stdin  string // "" is none
	stdout bool   // it has something to print
	file   bool   // it writes to OUT
	after  string // what is stored then, where it changes
}{
	{"ms-put NAME", []string{"ms-put", name}, canary, true, false, canary},
	{"ms-put -q NAME", []string{"ms-put", "-q", name}, canary, false, false, canary},
	{"ms-get NAME", []string{"ms-get", name}, "", true, false, ""},
	{"ms-get -o FILE NAME", []string{"ms-get", "-o", "OUT", name}, "", false, true, ""},
	{"ms-get -d DIR NAME", []string{"ms-get", "-d", "OUT", name}, "", false, true, ""},
	{"ms-ls", []string{"ms-ls"}, "", true, false, ""},
	{"ms-exec -file PATH=NAME -- true", []string{"ms-exec", "-file", "OUT=" + name, "--", "true"}, "", false, true, ""},
	{"ms-rotate -from KEY NAME", []string{"ms-rotate", "-from", "alias/microsecrets-svc", "-key", "alias/microsecrets-next", name}, "", true, false, stored[name] + filler},
	{"ms-rm NAME", []string{"ms-rm", name}, "", false, false, ""},
}

// filler makes a secret longer than a full disk has room for.
var filler = strings.Repeat("x", 200_000)

// hardships are the faults of this machine: a line of the shell that runs "$@" under one. FULL, RO and
// NONE say what the folder of OUT is, GONE that nobody reads standard output.
var hardships = []struct {
	name string
	line string
	on   concern
}{
	{"standard input is closed", `exec "$@" <&-`, readsInput},
	{"standard input is a folder", `exec "$@" </`, readsInput},
	{"standard output is closed", `exec "$@" >&-`, printsOutput},
	{"whoever reads standard output is gone", "GONE", printsOutput},
	{"the disk of standard output is full", `exec "$@" >/dev/full`, printsOutput},
	{"standard error is closed", `exec "$@" 2>&-`, always},
	{"the disk of standard error is full", `exec "$@" 2>/dev/full`, always},
	{"the disk of FILE is full", "FULL", writesFile},
	{"the disk of FILE is read-only", "RO", writesFile},
	{"FILE would be larger than a limit (ulimit -f)", `ulimit -f 64; exec "$@"`, writesFile},
	{"the folder of FILE does not exist", "NONE", writesFile},
}

// A concern is which uses a hardship concerns.
type concern int

const (
	always concern = iota
	readsInput
	printsOutput
	writesFile
)

// machine prints the section of the page about this machine. It reports false where no disk
// that is full can be made, for want of namespaces.
func machine(t *testing.T, p *page) bool {
	t.Helper()
	dir, err := os.MkdirTemp("", "faults-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	was := stored[name]
	b := newProcesses(t, dir, false)
	defer b.close()
	cmd := b.command("ms-put", "-q", name)
	cmd.Stdin = strings.NewReader(was + filler)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b.raw[name], b.as[name] = b.current(name), b.versions(name)
	s := &section{}
	p.printf("## This machine\n\n" +
		"What befalls a program on the machine that it runs on. A disk that is full is one of 64 KiB, and the secret is longer.\n" +
		"Where standard output is closed, the Go runtime has opened /dev/null in its place, so that what is printed is lost\n" +
		"without a failure.\n\n| if |")
	for _, u := range uses {
		p.printf(" %s |", u.title)
	}
	p.printf("\n|%s\n", strings.Repeat("---|", len(uses)+1))
	for _, h := range hardships {
		var cells []string
		for _, u := range uses {
			concerned := h.on == always || h.on == readsInput && u.stdin != "" || h.on == printsOutput && u.stdout || h.on == writesFile && u.file
			if !concerned {
				cells = append(cells, "– "+map[concern]string{readsInput: "it reads none", printsOutput: "it prints none", writesFile: "it writes none"}[h.on])
				continue
			}
			b.reset(t)
			work := filepath.Join(dir, "work")
			os.RemoveAll(work)
			os.MkdirAll(work, 0o700)
			var args []string
			for _, a := range u.args {
				args = append(args, strings.Replace(a, "OUT", filepath.Join(work, map[bool]string{true: "none/out", false: "out"}[h.line == "NONE"]), 1))
			}
			line, private := h.line, false
			switch h.line {
			case "NONE", "GONE":
				line = `exec "$@"`
			case "FULL", "RO":
				private = true
				options := map[string]string{"FULL": "size=64k", "RO": "ro"}[h.line]
				line = fmt.Sprintf(`mount -t tmpfs -o %s none %s || exit 99; "$@"; s=$?; ls -A %s >%s/left; exit $s`, options, work, work, dir)
			}
			cmd := b.command("sh", append([]string{"-c", line, "sh"}, args...)...)
			if private {
				cmd.SysProcAttr = &syscall.SysProcAttr{
					Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
					UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
					GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
				}
			}
			before := b.versions(name)
			var out, errs bytes.Buffer
			cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(u.stdin), &out, &errs
			if h.line == "GONE" {
				reader, writer, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				reader.Close()
				defer writer.Close()
				cmd.Stdout = writer
			}
			err := cmd.Run()
			if _, exited := err.(*exec.ExitError); err != nil && !exited || cmd.ProcessState.ExitCode() == 99 {
				t.Logf("no disk can be made here that is full or read-only: %v %s", err, errs.String())
				return false
			}
			v := &verdict{outcome: outcome{status: cmd.ProcessState.ExitCode(), stderr: errs.String()}}
			if state := cmd.ProcessState.Sys().(syscall.WaitStatus); state.Signaled() {
				v.outcome.status = 128 + int(state.Signal())
			}
			wrong := func(format string, args ...any) {
				t.Errorf("%s, if %s: %s\nstatus %d: %s", u.title, h.name, fmt.Sprintf(format, args...), v.outcome.status, errs.String())
			}
			if leaky(errs.String()) {
				wrong("the canary is on standard error")
			}
			first, _, _ := strings.Cut(errs.String(), "\n")
			v.said = strings.TrimPrefix(strings.TrimPrefix(first, u.args[0]+": "), name+": ")
			for _, n := range varying {
				v.said = n.is.ReplaceAllString(v.said, n.as)
			}
			left, _ := os.ReadDir(work)
			if private {
				text, _ := os.ReadFile(filepath.Join(dir, "left"))
				if len(text) > 0 && v.outcome.status != 0 {
					wrong("%q is left", text)
				}
			} else if v.outcome.status != 0 && len(left) > 0 {
				wrong("%v is left", left)
			}
			changed := b.versions(name) != before
			switch {
			case v.outcome.status == 0:
				if v.state = "done"; u.after != "" && b.read(t, name) != u.after {
					wrong("it is not done")
				}
			case !changed:
				v.state = "not done"
			case strings.Contains(errs.String(), "stored, but "), v.outcome.status == 128+int(syscall.SIGPIPE), u.args[0] == "ms-rotate":
				v.state = "done" // what failed is to say so
			default:
				wrong("something else is stored")
			}
			if v.outcome.status != 0 && u.file && v.outcome.status < 128 && !strings.Contains(errs.String(), u.args[0]+": ") {
				wrong("nothing is said")
			}
			cells = append(cells, p.text(s, column{request: "REQUEST"}, v))
		}
		p.printf("| %s | %s |\n", h.name, strings.Join(cells, " | "))
	}
	p.printf("\n")
	return true
}
