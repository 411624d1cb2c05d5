package tool

import (
	"context"
	"io"
	"log"
	"os"
	"runtime/debug"
	"slices"
)

// Run is a program: one call of it, with the arguments that follow its name. It
// returns the exit status, and stops early when ctx ends.
type Run func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int

// memoryLimit is how many bytes of memory the garbage collector lets a program
// use before it works harder: a large secret passes through buffers that are
// used again, and what is beside them must not double them.
const memoryLimit = 96 << 20

// short are the arguments with which a program prints a text and ends: it has no
// secret, and nothing that a signal could leave behind.
var short = []string{"-version", "--version", "-h", "--h", "-help", "--help"}

// Main is what func main of a program consists of: it calls run with what the
// process was given, and ends the process with the status that run returns. A
// signal ends the context of run, and kills the process when run has returned.
// Package log, to which net/http writes what servers send it, prints nothing.
func Main(run Run) {
	if len(os.Args) == 2 && slices.Contains(short, os.Args[1]) {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	log.SetOutput(io.Discard)
	disableCoreDumps()
	debug.SetMemoryLimit(memoryLimit)
	ctx, end := signals()
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	end()
	exit(status)
}

func exit(status int) { os.Exit(status) }
