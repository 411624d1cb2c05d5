package ms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"microsecrets/lib/internal/version"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/get"
	"microsecrets/lib/tool/put"
	"microsecrets/lib/tool/suite"
)

// Under any other name than that of a test, the test binary is what is installed.
func TestMain(m *testing.M) {
	if !strings.HasSuffix(strings.TrimSuffix(os.Args[0], ".exe"), ".test") {
		tool.Main(Program(os.Args[0]))
	}
	os.Exit(m.Run())
}

// install lays out bin/ with ms, a link to it, and scripts beside them, and path/
// with other scripts, which is all of PATH. Each script prints its folder, its
// arguments and its input, and exits with 42.
func install(t *testing.T) (ms, dir string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the programs are shell scripts")
	}
	dir = t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	ms = filepath.Join(dir, "bin/ms")
	script := "#!/bin/sh\ndir=${0%/*}\necho \"${dir##*/}\"\nprintf '<%s>' \"$@\"\nread -r line\necho \"$line\"\nexit 42\n"
	for name, text := range map[string]string{
		"bin/ms":       string(b),
		"bin/ms-put":   script,
		"bin/ms-more":  script,
		"path/ms-more": script,
		"path/ms-get":  script,
		"path/ms-a-1":  script,
		"path/ms-Bad":  script,
		"path/ms-":     script,
		"path/other":   script,
		"path/ms-a.sh": script,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "path/ms-data"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("ms", filepath.Join(dir, "bin/ms-get")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "path/ms-folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin/ms-broken"), []byte{0}, 0o755); err != nil {
		t.Fatal(err)
	}
	return ms, dir
}

func call(t *testing.T, ms, path string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return output(t, path, exec.Command(ms, args...))
}

func output(t *testing.T, path string, cmd *exec.Cmd) (status int, stdout, stderr string) {
	t.Helper()
	cmd.Env = []string{"PATH=" + path, "GORACE=atexit_sleep_ms=0"}
	cmd.Stdin = strings.NewReader("input\n")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		var e *exec.ExitError
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestRun(t *testing.T) {
	ms, dir := install(t)
	listed := usage + "\nPrograms:\n"
	for _, p := range suite.Programs {
		listed += fmt.Sprintf("  ms %-9s %s\n", p.Name[3:], p.Purpose)
	}
	listed += "\nOthers:\n  ms a-1\n  ms broken\n  ms more\n"
	for _, test := range []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string // all of it
	}{
		{"of the suite, though others are beside ms", []string{"put", "-version"}, 0, "ms-put " + version.String() + "\n", ""},
		{"of the suite, though others are on PATH", []string{"get", "-version"}, 0, "ms-get " + version.String() + "\n", ""},
		{"of the suite, with its own status", []string{"exec", "-x"}, 125, "", "ms-exec: no \"--\" before COMMAND (ms-exec -h shows the usage)\n"},
		{"beside ms before PATH", []string{"more", "-e", "a b", "", "--"}, 42, "bin\n<-e><a b><><-->input\n", ""},
		{"along PATH", []string{"a-1", "x"}, 42, "path\n<x>input\n", ""},
		{"unknown", []string{"hunter2"}, 2, "", "ms: there is no such program (ms -h lists those there are)\n"},
		{"a slip", []string{"gte", "x"}, 2, "", "ms: there is no such program (ms -h lists those there are)\nms: hint: nearest: ms get\n"},
		{"a program's own name", []string{"ms-get", "x"}, 2, "", "ms: there is no such program (ms -h lists those there are)\nms: hint: nearest: ms get\n"},
		{"capitals", []string{"GET", "x"}, 2, "", "ms: there is no such program (ms -h lists those there are)\nms: hint: nearest: ms get\n"},
		{"a slip for one of several", []string{"gut"}, 2, "", "ms: there is no such program (ms -h lists those there are)\nms: hint: nearest: ms put, ms get\n"},
		{"a slip for one of others", []string{"mroe"}, 2, "", "ms: there is no such program (ms -h lists those there are)\nms: hint: nearest: ms more\n"},
		{"help of a slip", []string{"help", "rotaet"}, 2, "", "ms: there is no such program (ms -h lists those there are)\nms: hint: nearest: ms rotate\n"},
		{"empty", []string{""}, 2, "", "ms: there is no such program (ms -h lists those there are)\n"},
		{"upper case", []string{"Bad"}, 2, "", "ms: there is no such program (ms -h lists those there are)\n"},
		{"a path", []string{"../path/ms-a-1"}, 2, "", "ms: there is no such program (ms -h lists those there are)\n"},
		{"not executable", []string{"data"}, 2, "", "ms: there is no such program (ms -h lists those there are)\n"},
		{"a folder", []string{"folder"}, 2, "", "ms: there is no such program (ms -h lists those there are)\n"},
		{"flag first", []string{"-e", "put"}, 2, "", "ms: flags come after the program, as in ms put -h\n"},
		{"cannot be run", []string{"broken"}, 1, "", "ms: ms-broken: cannot be run: exec format error\n"},
		{"help without man", []string{"help", "put"}, 0, put.Usage, ""},
		{"help of others without man", []string{"help", "more"}, 42, "bin\n<-h>input\n", ""},
		{"help of unknown", []string{"help", "hunter2"}, 2, "", "ms: there is no such program (ms -h lists those there are)\n"},
		{"help of two", []string{"help", "put", "get"}, 2, "", "ms: help takes one program\n"},
		{"no arguments", nil, 0, listed, ""},
		{"-h", []string{"-h"}, 0, listed, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, stdout, stderr := call(t, ms, filepath.Join(dir, "path"), test.args...)
			if status != test.status || stdout != test.stdout || stderr != test.stderr {
				t.Errorf("status %d, standard output %q, standard error %q", status, stdout, stderr)
			}
		})
	}
}

// A program of the suite answers to its own name, however it is reached. A program
// of others that has taken the place of a link is its own.
func TestNames(t *testing.T) {
	ms, dir := install(t)
	for name, want := range map[string]string{
		"ms-get":         "ms-get",
		"-ms-get":        "ms-get",
		"/bin/ms-get":    "ms-get",
		"ms-get.exe":     "ms-get",
		"ms":             "ms",
		"-ms":            "ms",
		"ms-unknown":     "ms",
		"--ms-get":       "ms",
		"microsecrets":   "ms",
		"ms-get.exe.exe": "ms",
	} {
		_, stdout, stderr := output(t, dir, &exec.Cmd{Path: ms, Args: []string{name, "-version"}})
		if stdout != want+" "+version.String()+"\n" {
			t.Errorf("%s is %q, standard error %q", name, stdout, stderr)
		}
	}
	for _, p := range suite.Programs {
		if _, stdout, stderr := output(t, dir, &exec.Cmd{Path: ms, Args: []string{p.Name, "-h"}}); stdout != p.Usage || stderr != "" {
			t.Errorf("%s -h: %q, standard error %q", p.Name, stdout, stderr)
		}
		if _, stdout, stderr := call(t, ms, dir, "help", p.Name[3:]); stdout != p.Usage || stderr != "" {
			t.Errorf("help %s: %q, standard error %q", p.Name[3:], stdout, stderr)
		}
	}
	if _, stdout, _ := call(t, filepath.Join(dir, "bin/ms-get"), dir, "-version"); stdout != "ms-get "+version.String()+"\n" {
		t.Errorf("a link to ms: %q", stdout)
	}
	if status, stdout, _ := call(t, filepath.Join(dir, "bin/ms-put"), dir, "x"); status != 42 || stdout != "bin\n<x>input\n" {
		t.Errorf("a program of others: status %d, %q", status, stdout)
	}
}

// A folder of PATH that depends on the working directory runs nothing.
func TestRelativePath(t *testing.T) {
	ms, dir := install(t)
	t.Chdir(dir)
	for _, path := range []string{"path", "./path", "."} {
		if path == "." {
			t.Chdir(filepath.Join(dir, "path"))
		}
		if status, stdout, _ := call(t, ms, path, "a-1"); status != 2 || stdout != "" {
			t.Errorf("PATH=%s: status %d, standard output %q", path, status, stdout)
		}
		if _, stdout, _ := call(t, ms, path); strings.Contains(stdout, "a-1") {
			t.Errorf("PATH=%s: listed", path)
		}
	}
}

func TestHelpByMan(t *testing.T) {
	ms, dir := install(t)
	man := "#!/bin/sh\nif test \"$1\" = -w; then test \"$2\" = ms-put; else echo \"page $1\"; fi\n"
	if err := os.WriteFile(filepath.Join(dir, "path/man"), []byte(man), 0o755); err != nil {
		t.Fatal(err)
	}
	for sub, want := range map[string]string{"put": "page ms-put\n", "get": get.Usage, "more": "bin\n<-h>input\n"} {
		if _, stdout, stderr := call(t, ms, filepath.Join(dir, "path"), "help", sub); stdout != want || stderr != "" {
			t.Errorf("help %s: %q, standard error %q", sub, stdout, stderr)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestOutputFails(t *testing.T) {
	for _, arg := range []string{"-h", "-version"} {
		var stderr strings.Builder
		if status := Run(context.Background(), []string{arg}, strings.NewReader(""), full{}, &stderr); status != 1 {
			t.Errorf("%s: status %d", arg, status)
		}
		if stderr.String() != "ms: standard output: no space\n" {
			t.Errorf("%s: %q", arg, stderr.String())
		}
	}
}

func TestVersion(t *testing.T) {
	var stdout strings.Builder
	if status := Run(context.Background(), []string{"-version"}, strings.NewReader(""), &stdout, io.Discard); status != 0 {
		t.Errorf("status %d", status)
	}
	if f := strings.Fields(stdout.String()); len(f) != 2 || f[0] != "ms" {
		t.Errorf("%q", stdout.String())
	}
}
