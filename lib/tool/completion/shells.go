package completion

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"microsecrets/lib/tool/suite"
)

// Limit is how long a shell waits for an answer. It is a variable for tests on a busy
// machine.
var Limit = time.Second

// Shells are those that have a script.
var Shells = []string{"bash", "zsh", "fish"}

var (
	//go:embed ms.bash
	bash string
	//go:embed ms.zsh
	zsh string
	//go:embed ms.fish
	fish string
)

// Script returns the script for one of Shells, and false for any other.
func Script(shell string) (string, bool) {
	text, ok := map[string]string{"bash": bash, "zsh": zsh, "fish": fish}[shell]
	programs := []string{"ms"}
	for _, p := range suite.Programs {
		programs = append(programs, p.Name)
	}
	slices.Sort(programs) // as make install has them
	return strings.ReplaceAll(text, "@PROGRAMS@", strings.Join(programs, " ")), ok
}

// Answer writes how a command line can be completed, as the script for one of
// Shells understands it: a line with one word, which says how, then a line for each
// word. Args are, for bash, COMP_WORDBREAKS and the line up to the cursor; for the
// others, the words up to the one under the cursor, and this up to the cursor. If
// that takes longer than Limit the answer is that there are no words. Others are
// programs that are not of the suite.
func Answer(ctx context.Context, stdout io.Writer, shell string, args []string, others func() []Word) error {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	done := make(chan string, 1)
	go func() { done <- text(ctx, shell, args, others) }()
	answer := words + "\n"
	select {
	case answer = <-done:
	case <-ctx.Done():
	}
	_, err := io.WriteString(stdout, answer)
	return err
}

func text(ctx context.Context, shell string, args []string, others func() []Word) string {
	if len(args) < 2 {
		return words + "\n"
	}
	before, current := args[:len(args)-1], args[len(args)-1]
	var line bashLine
	if shell == "bash" {
		line = parseBash(args[1], args[0])
		before, current = line.words, line.current
	}
	a := complete(ctx, before, current, others)
	if line.toFile {
		a = answer{how: files}
	}
	var b strings.Builder
	fmt.Fprintln(&b, a.how)
	for _, w := range a.words {
		switch {
		case line.computed || !strings.HasPrefix(w.Text, current):
			continue
		case shell == "bash":
			fmt.Fprintln(&b, line.replace(w.Text))
		default:
			fmt.Fprintf(&b, "%s\t%s\n", w.Text, w.About)
		}
	}
	return b.String()
}
