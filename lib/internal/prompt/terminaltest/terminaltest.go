//go:build unix

// Package terminaltest has tests run programs on a pseudo-terminal.
package terminaltest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// limit is how long a test waits for what a terminal is to show.
const limit = time.Minute

// A Terminal is a pseudo-terminal, for one goroutine.
type Terminal struct {
	Keys   *os.File // the person's side
	Screen *os.File // the program's side

	t     testing.TB
	shown bytes.Buffer
}

// Open opens a terminal, which the test's end closes. It skips the test where there
// are none.
func Open(t testing.TB) *Terminal {
	t.Helper()
	keys, screen, err := pty.Open()
	if err != nil {
		t.Skip(err)
	}
	// As it comes, a Read of it waits for ever.
	fd, err := unix.FcntlInt(keys.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	keys.Close()
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	keys = os.NewFile(uintptr(fd), "keys")
	t.Cleanup(func() { keys.Close(); screen.Close() })
	if err := keys.SetDeadline(time.Now().Add(limit)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		t.Fatal(err)
	}
	return &Terminal{Keys: keys, Screen: screen, t: t}
}

// Type types keys.
func (term *Terminal) Type(keys string) {
	term.t.Helper()
	if _, err := io.WriteString(term.Keys, keys); err != nil {
		term.t.Fatal(err)
	}
}

// Until waits until the terminal has shown text so many times since it was opened.
func (term *Terminal) Until(text string, times int) {
	term.t.Helper()
	buf := make([]byte, 4096)
	for strings.Count(term.shown.String(), text) < times {
		n, err := term.Keys.Read(buf)
		term.shown.Write(buf[:n])
		if err != nil {
			term.t.Fatalf("%q is not shown: %v: %q", text, err, term.shown.String())
		}
	}
}

// End returns all that the terminal has shown, once the programs on it have ended. It
// wants the terminal to echo again.
func (term *Terminal) End() string {
	term.t.Helper()
	const end = "THE END" // comes after what the programs have written
	if _, err := io.WriteString(term.Screen, end); err != nil {
		term.t.Fatal(err)
	}
	term.Until(end, 1)
	if !strings.Contains(term.Stty("-a"), " echo ") {
		term.t.Error("the terminal is left without echo")
	}
	return strings.TrimSuffix(term.shown.String(), end)
}

// Stty runs stty on the terminal, and returns what it prints.
func (term *Terminal) Stty(args ...string) string {
	term.t.Helper()
	cmd := exec.Command("stty", args...)
	cmd.Stdin = term.Screen
	out, err := cmd.CombinedOutput()
	if err != nil {
		term.t.Fatalf("stty %q: %v: %s", args, err, out)
	}
	return string(out)
}

// Resize changes the size of the terminal's window.
func (term *Terminal) Resize(rows, columns uint16) {
	term.t.Helper()
	if err := pty.Setsize(term.Screen, &pty.Winsize{Rows: rows, Cols: columns}); err != nil {
		term.t.Fatal(err)
	}
}
