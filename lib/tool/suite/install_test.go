//go:build linux

package suite_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"microsecrets/lib/tool/suite"
)

// TestInstall has make build the programs, install them without Go, and take
// them away again. What is installed needs nothing else of a system: it stores
// and gets a secret in a root folder that holds nothing but itself.
func TestInstall(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the programs")
	}
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is absent")
	}
	bin, root := filepath.Join(t.TempDir(), "bin"), t.TempDir()
	run := func(arguments ...string) (string, error) {
		out, err := exec.Command("make", append([]string{"-s", "BIN=" + bin, "DESTDIR=" + root}, arguments...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := run("install", "GO=false"); err == nil || !strings.HasPrefix(out, "make: there is no "+bin+"/ms yet: run make first\n") {
		t.Errorf("install before make: %v: %s", err, out)
	}
	installed := filepath.Join(root, "usr/local/bin")
	for _, arguments := range [][]string{{}, {"install", "GO=false"}} {
		if out, err := run(arguments...); err != nil {
			t.Fatalf("make %q: %v: %s", arguments, err, out)
		}
	}
	for file, shell := range map[string]string{
		"bash-completion/completions/ms":        "bash",
		"bash-completion/completions/ms-put":    "bash",
		"zsh/site-functions/_ms":                "zsh",
		"fish/vendor_completions.d/ms.fish":     "fish",
		"fish/vendor_completions.d/ms-put.fish": "fish",
	} {
		script, err := exec.Command(filepath.Join(installed, "ms"), "completion", shell).Output()
		if err != nil {
			t.Fatal(err)
		}
		file = filepath.Join(root, "usr/local/share", file)
		if b, err := os.ReadFile(file); err != nil || string(b) != string(script) {
			t.Errorf("%s is not what ms completion %s prints: %v: %s", file, shell, err, b)
		}
	}
	for _, p := range suite.Programs {
		if to, err := os.Readlink(filepath.Join(installed, p.Name)); err != nil || to != "ms" {
			t.Errorf("%s leads to %q, %v", p.Name, to, err)
		}
	}

	// Installed over a program of its own, as go install leaves it.
	alone := filepath.Join(installed, "ms-put")
	if err := os.Remove(alone); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(alone, []byte("old"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := run("install", "GO=false"); err != nil {
		t.Fatalf("make install again: %v: %s", err, out)
	}
	if to, err := os.Readlink(alone); err != nil || to != "ms" {
		t.Errorf("ms-put leads to %q, %v", to, err)
	}

	if os.Getuid() == 0 {
		script := []string{"-dir", "/kept", "--", "/usr/local/bin/ms-put", "s/pass"}
		for _, want := range []string{"  s/pass\n", "hunter2"} {
			cmd := exec.Command("/usr/local/bin/ms-dev", script...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
			cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/local/bin"}
			cmd.Stdin = strings.NewReader("hunter2")
			if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), want) {
				t.Errorf("%q in a folder of its own: %v: %s", script, err, out)
			}
			script = []string{"-dir", "/kept", "--", "/usr/local/bin/ms", "get", "s/pass"}
		}
	}

	if out, err := run("uninstall", "GO=false"); err != nil {
		t.Fatalf("make uninstall: %v: %s", err, out)
	}
	err := filepath.WalkDir(filepath.Join(root, "usr"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("make uninstall leaves %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
