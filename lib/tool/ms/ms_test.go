package ms

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"microsecrets/lib/tool"
)

// Under the name of ms, the test binary is ms.
func TestMain(m *testing.M) {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == "ms" {
		tool.Main(Run)
	}
	os.Exit(m.Run())
}

// install lays out bin/ with ms and programs beside it, and path/ with others,
// which is all of PATH. Each program tells its folder, its arguments and its
// input, and exits with 42.
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
		"bin/ms-get":   script,
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
	cmd := exec.Command(ms, args...)
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
	for _, test := range []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string // all of it
	}{
		{"beside ms", []string{"put", "-e", "a b", "", "--"}, 42, "bin\n<-e><a b><><-->input\n", ""},
		{"beside ms before PATH", []string{"get"}, 42, "bin\n<>input\n", ""},
		{"along PATH", []string{"a-1", "x"}, 42, "path\n<x>input\n", ""},
		{"unknown", []string{"hunter2"}, 2, "", "ms: there is no such program (ms -h lists those there are)\n"},
		{"empty", []string{""}, 2, "", "ms: there is no such program (ms -h lists those there are)\n"},
		{"upper case", []string{"Bad"}, 2, "", "ms: there is no such program (ms -h lists those there are)\n"},
		{"a path", []string{"../path/ms-a-1"}, 2, "", "ms: there is no such program (ms -h lists those there are)\n"},
		{"not executable", []string{"data"}, 2, "", "ms: there is no such program (ms -h lists those there are)\n"},
		{"a folder", []string{"folder"}, 2, "", "ms: there is no such program (ms -h lists those there are)\n"},
		{"flag first", []string{"-e", "put"}, 2, "", "ms: flags come after the program, as in ms put -h\n"},
		{"cannot be run", []string{"broken"}, 1, "", "ms: ms-broken: cannot be run: exec format error\n"},
		{"help without man", []string{"help", "put"}, 42, "bin\n<-h>input\n", ""},
		{"help of unknown", []string{"help", "hunter2"}, 2, "", "ms: there is no such program (ms -h lists those there are)\n"},
		{"help of two", []string{"help", "put", "get"}, 2, "", "ms: help takes one program\n"},
		{"no arguments", nil, 0, usage + "\nPrograms:\n  ms a-1\n  ms broken\n  ms get\n  ms put\n", ""},
		{"-h", []string{"-h"}, 0, usage + "\nPrograms:\n  ms a-1\n  ms broken\n  ms get\n  ms put\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, stdout, stderr := call(t, ms, filepath.Join(dir, "path"), test.args...)
			if status != test.status || stdout != test.stdout || stderr != test.stderr {
				t.Errorf("status %d, standard output %q, standard error %q", status, stdout, stderr)
			}
		})
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
	for sub, want := range map[string]string{"put": "page ms-put\n", "get": "bin\n<-h>input\n"} {
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
