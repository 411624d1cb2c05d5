// Package ms is the front of the programs: as with git, "ms put" runs ms-put, and
// whatever is called ms-something becomes "ms something".
package ms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"microsecrets/lib/internal/become"
	"microsecrets/lib/internal/version"
)

const usage = `usage: ms PROGRAM [ARG...]    run ms-PROGRAM
       ms help PROGRAM        its manual page, or else its usage
       ms -h                  this text
       ms -version

ms-PROGRAM is looked for in the folder that ms itself is in, then along PATH.
The exit status is its own; 2 if there is no such program.
`

const (
	failed = 1
	misuse = 2
)

// program is what a PROGRAM may be called: no path, no flag.
var program = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// Run runs ms with the arguments that follow its name, and returns the exit
// status. On Unix it does not return once the program was found: the program
// takes the place of this process, with its standard streams and not those given.
func Run(_ context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	status, err := run(args, stdin, stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "ms: %v\n", err)
	}
	return status
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	front := ""
	if exe, err := os.Executable(); err == nil {
		front = filepath.Dir(exe)
	}
	if len(args) == 0 || len(args) == 1 && slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]) {
		return write(stdout, usage+list(front))
	}
	if args[0] == "-version" || args[0] == "--version" {
		return write(stdout, "ms "+version.String()+"\n")
	}
	help := args[0] == "help"
	if help {
		args = args[1:]
	}
	name := "ms-" + args[0]
	path := find(front, args[0])
	switch {
	case strings.HasPrefix(args[0], "-"):
		return misuse, errors.New("flags come after the program, as in ms put -h")
	case help && len(args) > 1:
		return misuse, errors.New("help takes one program")
	case path == "":
		return misuse, errors.New("there is no such program (ms -h lists those there are)") // not which: it may be a slip
	}
	argv := append([]string{name}, args[1:]...)
	if help {
		argv = append(argv, "-h")
		// man says by -w where a page is, and fails if it has none.
		if man, err := exec.LookPath("man"); err == nil && exec.Command(man, "-w", name).Run() == nil {
			path, argv = man, []string{"man", name}
		}
	}
	status, err := become.Program(path, argv, os.Environ(), stdin, stdout, stderr)
	if err != nil {
		return failed, fmt.Errorf("%s: cannot be run: %w", argv[0], err)
	}
	return status, nil
}

// find returns the path of a program, or "" if there is none: in the folder
// front, or along PATH but for its relative folders.
func find(front, sub string) string {
	if !program.MatchString(sub) {
		return ""
	}
	if path, err := exec.LookPath(filepath.Join(front, "ms-"+sub)); err == nil && filepath.IsAbs(path) {
		return path
	}
	if path, err := exec.LookPath("ms-" + sub); err == nil {
		return path
	}
	return ""
}

// list tells which programs find would find, one a line.
func list(front string) string {
	var subs []string
	for _, dir := range append([]string{front}, filepath.SplitList(os.Getenv("PATH"))...) {
		entries, _ := os.ReadDir(dir) // a folder of PATH need not exist
		for _, e := range entries {
			sub, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".exe"), "ms-")
			if ok && find(front, sub) != "" {
				subs = append(subs, sub)
			}
		}
	}
	if len(subs) == 0 {
		return "\nThere are none.\n"
	}
	slices.Sort(subs)
	return "\nPrograms:\n  ms " + strings.Join(slices.Compact(subs), "\n  ms ") + "\n"
}

func write(w io.Writer, text string) (int, error) {
	if _, err := io.WriteString(w, text); err != nil {
		return failed, fmt.Errorf("standard output: %w", err)
	}
	return 0, nil
}
