// Package ms is the front of the programs: as with git, "ms put" is ms-put, in the
// same process, and whatever else is called ms-something becomes "ms something".
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
	"sync"

	"microsecrets/lib/internal/become"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/version"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/completion"
	"microsecrets/lib/tool/suite"
)

const usage = `usage: ms PROGRAM [ARG...]    run ms-PROGRAM
       ms help PROGRAM        its manual page, or else its usage
       ms completion SHELL    a script by which bash, zsh or fish completes
       ms -h                  this text
       ms -version

A PROGRAM that is not one of the suite is looked for in the folder that ms itself
is in, then along PATH. The exit status is its own; 2 if there is no such program.
`

const (
	failed = 1
	misuse = 2
)

// plugin is what a program of others may be called: no path, no flag.
var plugin = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`) })

// Program returns the program that argv0, the name that this process was called
// by, stands for: the one of the suite that has that name, or else ms. A login
// shell's leading "-" and Windows's ".exe" do not count.
func Program(argv0 string) tool.Run {
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(argv0), "-"), ".exe")
	if p, ok := suite.Find(name); ok {
		return p.Run
	}
	return Run
}

// Run runs ms with the arguments that follow its name, and returns the exit
// status. On Unix a program that is not of the suite takes the place of this
// process, with its standard streams and not those given; Run then returns only
// if that fails.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	status, err := run(ctx, args, stdin, stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "ms: %v\n", err)
	}
	if advice := hint.Of(err); advice != "" {
		fmt.Fprintf(stderr, "ms: hint: %s\n", advice)
	}
	return status
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
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
	if args[0] == "completion" {
		return complete(ctx, front, args[1:], stdout)
	}
	help := args[0] == "help"
	if help {
		args = args[1:]
	}
	name := "ms-" + args[0]
	program, ours := suite.Find(name)
	path := ""
	if !ours {
		path = find(front, args[0])
	}
	switch {
	case strings.HasPrefix(args[0], "-"):
		return misuse, errors.New("flags come after the program, as in ms put -h")
	case help && len(args) > 1:
		return misuse, errors.New("help takes one program")
	case !ours && path == "":
		return misuse, unknown(front, args[0])
	}
	argv := append([]string{name}, args[1:]...)
	if help {
		argv = []string{name, "-h"}
		// man says by -w where a page is, and fails if it has none.
		if man, err := exec.LookPath("man"); err == nil && exec.Command(man, "-w", name).Run() == nil {
			ours, path, argv = false, man, []string{"man", name}
		}
	}
	if ours {
		return program.Run(ctx, argv[1:], stdin, stdout, stderr), nil
	}
	status, err := become.Program(path, argv, os.Environ(), stdin, stdout, stderr)
	if err != nil {
		return failed, fmt.Errorf("%s: cannot be run: %w", argv[0], err)
	}
	return status, nil
}

// complete prints the script of a shell, or what the script asks for.
func complete(ctx context.Context, front string, args []string, stdout io.Writer) (int, error) {
	switch {
	case len(args) == 0 || !slices.Contains(completion.Shells, args[0]):
		return misuse, errors.New("completion takes a shell: " + strings.Join(completion.Shells, ", "))
	case len(args) == 1:
		script, _ := completion.Script(args[0])
		return write(stdout, script)
	}
	plugins := func() (words []completion.Word) {
		for _, name := range others(front) {
			words = append(words, completion.Word{Text: name})
		}
		return words
	}
	if err := completion.Answer(ctx, stdout, args[0], args[1:], plugins); err != nil {
		return failed, nil // in silence: a person is typing
	}
	return 0, nil
}

// find returns the path of a program of others, or "" if there is none: in the
// folder front, or along PATH but for its relative folders.
func find(front, sub string) string {
	if !plugin().MatchString(sub) {
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

// unknown is the error of a program that is not there. It does not show the word,
// which may be a slip: a secret, say. It shows the programs that are nearest.
func unknown(front, word string) error {
	err := errors.New("there is no such program (ms -h lists those there are)")
	words := []string{"help", "completion"}
	for _, p := range suite.Programs {
		words = append(words, strings.TrimPrefix(p.Name, "ms-"))
	}
	word = strings.TrimPrefix(strings.ToLower(word), "ms-")
	if near := nearest(word, append(words, others(front)...)); len(near) > 0 {
		return hint.With(err, "nearest: ms "+strings.Join(near, ", ms "))
	}
	return err
}

// list returns the programs of the suite, each with its purpose, and the names of
// others.
func list(front string) string {
	var text strings.Builder
	fmt.Fprintln(&text, "\nPrograms:")
	for _, p := range suite.Programs {
		fmt.Fprintf(&text, "  ms %-9s %s\n", strings.TrimPrefix(p.Name, "ms-"), p.Purpose)
	}
	if others := others(front); len(others) > 0 {
		fmt.Fprintf(&text, "\nOthers:\n  ms %s\n", strings.Join(others, "\n  ms "))
	}
	return text.String()
}

// others are the programs of others that find would find, sorted.
func others(front string) []string {
	var found []string
	for _, dir := range append([]string{front}, filepath.SplitList(os.Getenv("PATH"))...) {
		entries, _ := os.ReadDir(dir) // a folder of PATH need not exist
		for _, e := range entries {
			name := strings.TrimSuffix(e.Name(), ".exe")
			sub, isMS := strings.CutPrefix(name, "ms-")
			if _, ours := suite.Find(name); isMS && !ours && find(front, sub) != "" {
				found = append(found, sub)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func write(w io.Writer, text string) (int, error) {
	if _, err := io.WriteString(w, text); err != nil {
		return failed, fmt.Errorf("standard output: %w", err)
	}
	return 0, nil
}
