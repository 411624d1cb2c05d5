// Package dev is the program ms-dev: a command with S3 and KMS of its own.
package dev

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"strings"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/internal/version"
	"microsecrets/lib/tool"
)

// Usage is what ms-dev -h prints.
const Usage = `usage: ms-dev [flags] [-- COMMAND [ARG...]]

Starts an emulated S3, KMS and STS on the loopback interface, with a versioned
bucket, and runs COMMAND (default: the shell) with AWS_… and MS_STORE set to use
them and every other AWS_ and MS_ variable cleared. The credentials are made for
this run, and the key of an alias/microsecrets-… on its first use. When COMMAND
ends, so do they.

  -dir DIR         keep buckets and keys in DIR between runs; nobody else may be
                   able to write there
  -do LINE         run a line of the control language before COMMAND starts
                   (again for more)
  -tell LINE       start nothing: run LINE in the ms-dev that this command runs
                   under (again for more)
  -language        print the control language: faults, counts, stored bytes
  -version         print the version
  -h               print this

The exit status is COMMAND's own, 128 and its number if a signal killed it;
125 if ms-dev itself failed, 126 if COMMAND cannot be run, 127 if it is not found.

  ms-dev -- sh -c 'echo hunter2 | ms-put myservice/password; ms-get myservice/password'
  ms-dev -do 'fault throttle GetObject times=2' -- ms-get -v myservice/password
`

// Exit statuses of its own.
const (
	failed    = 125
	cannotRun = 126
	notFound  = 127
)

// Run runs ms-dev with the arguments that follow its name and returns its exit
// status. While COMMAND runs it passes on the signals that this process gets;
// COMMAND decides what they mean, so the end of ctx ends -tell only.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	status, err := run(ctx, args, stdin, stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "ms-dev: %v\n", err)
	}
	return status
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	var o fakeaws.Options
	var before, tell []string
	flags := flag.NewFlagSet("ms-dev", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.Dir, "dir", "", "")
	tool.Again(flags, &before, "do")
	tool.Again(flags, &tell, "tell")
	language := flags.Bool("language", false, "")
	showVersion := flags.Bool("version", false, "")
	switch err := tool.Parse(ctx, flags, args); {
	case errors.Is(err, flag.ErrHelp):
		return write(stdout, Usage)
	case err != nil:
		return failed, err
	case *language:
		return write(stdout, fakeaws.Help)
	case *showVersion:
		return write(stdout, "ms-dev "+version.String()+"\n")
	}
	command := flags.Args()
	if at := len(args) - len(command) - 1; len(command) > 0 && (at < 0 || args[at] != "--") {
		return failed, errors.New("COMMAND comes after -- (ms-dev -h shows the usage)")
	}
	if len(tell) > 0 {
		if len(command) > 0 || len(before) > 0 || o.Dir != "" {
			return failed, errors.New("-tell starts nothing: it goes with neither -dir, -do nor COMMAND")
		}
		return tellServer(ctx, tell, stdout)
	}
	return serve(o, before, command, stdin, stdout, stderr)
}

func write(w io.Writer, text string) (int, error) {
	if _, err := io.WriteString(w, text); err != nil {
		return failed, err
	}
	return 0, nil
}

// tellServer runs lines in the ms-dev around this process.
func tellServer(ctx context.Context, tell []string, stdout io.Writer) (int, error) {
	control := os.Getenv(fakeaws.ControlVariable)
	if control == "" {
		return failed, errors.New("-tell: this command does not run under ms-dev")
	}
	dir, err := os.Getwd()
	if err != nil {
		return failed, err
	}
	for _, line := range tell {
		text, err := post(ctx, control+"?dir="+url.QueryEscape(dir), line)
		if err != nil {
			return failed, fmt.Errorf("-tell: %w", err)
		}
		if status, err := write(stdout, text); err != nil {
			return status, err
		}
	}
	return 0, nil
}

func post(ctx context.Context, control, line string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, control, strings.NewReader(line))
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", errors.New("the ms-dev around this command is gone")
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(text)))
	}
	return string(text), err
}

// serve runs command, or the shell, against a server that lives as long.
func serve(o fakeaws.Options, before, command []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	debug.SetMemoryLimit(math.MaxInt64) // what is stored is in memory
	server, err := fakeaws.New(o)
	if err != nil {
		return failed, err
	}
	defer server.Close()
	for _, line := range before {
		out, err := server.ControlLine("", line)
		if err != nil {
			return failed, fmt.Errorf("-do: %w", err)
		}
		if status, err := write(stdout, out); err != nil {
			return status, err
		}
	}
	if len(command) == 0 {
		command = []string{shell()}
		fmt.Fprintf(stderr, "ms-dev: S3, KMS and STS are at %s until this shell ends\n", server.URL())
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	cmd.Env = append(environ(), server.Environ()...)
	return wait(cmd)
}

func shell() string {
	if sh := os.Getenv("SHELL"); sh != "" {
		return sh
	}
	return "/bin/sh"
}

// environ is the environment without what could lead a program to the user's
// own AWS account.
func environ() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "AWS_") && !strings.HasPrefix(kv, "MS_") {
			env = append(env, kv)
		}
	}
	return env
}

// wait runs cmd to its end and returns the exit status that a shell would give
// it.
func wait(cmd *exec.Cmd) (int, error) {
	signals := catch()
	defer func() {
		signal.Stop(signals)
		close(signals)
	}()
	err := cmd.Start()
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return notFound, err
	case err != nil:
		return cannotRun, err
	}
	go forward(signals, cmd.Process)
	err = cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return failed, err
	}
	return status(cmd.ProcessState), nil
}
