package suite_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"microsecrets/lib/tool/suite"
)

var update = flag.Bool("update", false, "write testdata/usage from what the programs print")

// output runs a program that needs nothing of its environment but PATH, and returns all that it prints.
func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"}
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return string(out)
}

// What -h prints is as it was agreed on: go test ./lib/tool/suite -run TestUsage -update agrees.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, p := range suite.Programs {
		program := p.Name
		got := output(t, program, "-h")
		golden := filepath.Join("testdata/usage", program+".golden")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got != page(t, golden) {
			t.Errorf("%s -h is not as in %s (-update writes it): %s", program, golden, got)
		}
		if got != p.Usage {
			t.Errorf("%s -h does not print its Usage", program)
		}
	}
}

// Every program has a manual page, which says what the list of ms says and which
// README.md names, a line in the page of ms, a folder in cmd, and none of these is of a
// program that is not there.
func TestPrograms(t *testing.T) {
	t.Parallel()
	var names []string
	list := ""
	for _, p := range suite.Programs {
		names = append(names, p.Name)
		list += ".It Xr " + p.Name + " 1\n" + p.Purpose + "\n"
		if name := ".Nm " + p.Name + "\n.Nd " + p.Purpose + "\n"; !strings.Contains(page(t, "doc/man/"+p.Name+".1"), name) {
			t.Errorf("doc/man/%s.1 does not have\n%s", p.Name, name)
		}
		if link := "[" + p.Name + "](doc/man/" + p.Name + ".1)"; !strings.Contains(page(t, "README.md"), link) {
			t.Errorf("README.md does not have %s", link)
		}
	}
	if !strings.Contains(page(t, "doc/man/ms.1"), "-compact\n"+list+".El\n") {
		t.Errorf("doc/man/ms.1 does not have this list:\n%s", list)
	}
	slices.Sort(names)
	for _, pattern := range []string{"doc/man/ms-*.1", "cmd/ms-*", "testdata/usage/ms-*.golden"} {
		found, err := filepath.Glob(rooted(t, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for i, path := range found {
			found[i] = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		}
		if !slices.Equal(found, names) {
			t.Errorf("%s: %q, the programs are %q", pattern, found, names)
		}
	}
}

var (
	usageFlag   = regexp.MustCompile(`(?m)^  -([a-z0-9-]+)`)
	manualFlag  = regexp.MustCompile(`(?m)^\.It Fl ([a-z0-9-]+)`)
	manualNames = regexp.MustCompile(`(?m)^\.Fl ([a-z, -]+?)[ .,]*$`)
)

// The usage, the manual page and the program know the same flags. The tests of
// lib/tool/completion hold their values to each other.
func TestManualFlags(t *testing.T) {
	t.Parallel()
	for i, p := range suite.Programs {
		program := p.Name
		var usage, manual []string
		for _, m := range usageFlag.FindAllStringSubmatch(output(t, program, "-h"), -1) {
			usage = append(usage, m[1])
		}
		body, settings, ok := strings.Cut(page(t, "doc/man/"+program+".1"), "\n.Sh SETTINGS\n")
		if !ok {
			t.Fatalf("%s.1 has no SETTINGS", program)
		}
		for _, m := range manualFlag.FindAllStringSubmatch(body, -1) {
			manual = append(manual, m[1])
		}
		settings, _, _ = strings.Cut(settings, "\n.Sh ")
		for _, m := range manualNames.FindAllStringSubmatch(settings, 2) {
			manual = append(manual, strings.FieldsFunc(m[1], func(r rune) bool { return r == ' ' || r == ',' })...)
		}
		slices.Sort(usage)
		slices.Sort(manual)
		if !slices.Equal(usage, manual) {
			t.Errorf("%s: its usage has %q, its page %q", program, usage, manual)
		}
		for j, name := range usage {
			if name == "h" || !turn(i, j) {
				continue
			}
			end := []string{"-" + name + "=x", "a"}
			if program == "ms-exec" {
				end = append(end, "--", "true")
			}
			if said := output(t, program, end...); strings.Contains(said, "is not a flag of") {
				t.Errorf("%s has no flag -%s: %s", program, name, said)
			}
		}
	}
}
