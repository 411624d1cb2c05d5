// Package suitetest has tests run the programs as they are installed.
package suitetest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/internal/racetest"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/completion"
	"microsecrets/lib/tool/ms"
	"microsecrets/lib/tool/suite"
)

// RaceDetector reports whether the tests run under the race detector.
const RaceDetector = racetest.Detector

// Commands returns every program, ms included, for testscript.Main: the test
// binary, called by a program's name, is that program, as ms is by a link. main
// is tool.Main, or does what it does and more. The variable COMPLETION_LIMIT is how
// long a shell waits for ms completion, where a busy machine takes over a second.
func Commands(main func(tool.Run)) map[string]func() {
	program := func() {
		if limit, err := time.ParseDuration(os.Getenv("COMPLETION_LIMIT")); err == nil {
			completion.Limit = limit
		}
		main(ms.Program(os.Args[0]))
	}
	commands := map[string]func(){"ms": program}
	for _, p := range suite.Programs {
		commands[p.Name] = program
	}
	return commands
}

// Main is testscript.Main for tests that start programs hundreds of times. Two tests
// a processor run at once, since many wait, for a timeout or a child, more than they
// work.
//
// The race detector makes a start four times as long, and most starts hold nothing
// for it. Under it the tests do what -short does, with programs that are built as
// make builds them, but for those tests that ask for Raced. What it leaves out is
// for make test-plain.
func Main(m testscript.TestingM, commands map[string]func()) {
	flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	if RaceDetector {
		flag.Set("test.short", "true")
		m = plain{m}
	}
	testscript.Main(m, commands)
}

// Raced returns PATH with the programs that the race detector watches before all
// others: PATH as it is, unless the tests run under it.
func Raced() string {
	path := os.Getenv("PATH")
	if RaceDetector {
		_, path, _ = strings.Cut(path, string(filepath.ListSeparator))
	}
	return path
}

// plain runs tests with programs without the race detector first on PATH.
type plain struct{ testscript.TestingM }

func (m plain) Run() int {
	dir, err := os.MkdirTemp("", "plain")
	if err == nil {
		defer os.RemoveAll(dir)
		err = install(dir)
	}
	if err != nil {
		panic(err)
	}
	os.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return m.TestingM.Run()
}

// install builds ms, and links each program to it.
func install(dir string) error {
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	program := filepath.Join(dir, "ms"+suffix)
	if err := Build(program, "microsecrets/cmd/ms"); err != nil {
		return err
	}
	for _, p := range suite.Programs {
		if err := os.Link(program, filepath.Join(dir, p.Name+suffix)); err != nil {
			return err
		}
	}
	return nil
}

// Build builds a package as make does, into the file path.
func Build(path, pkg string) error {
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %v: %s", build, err, out)
	}
	return nil
}
