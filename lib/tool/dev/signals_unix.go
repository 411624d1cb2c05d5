//go:build unix

package dev

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// catch keeps the signals that end a program from ending this one: COMMAND
// decides what they mean, so nothing else in this process gets them any more.
func catch() chan os.Signal {
	ch := make(chan os.Signal, 8)
	for _, sig := range []os.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP} {
		if !signal.Ignored(sig) {
			signal.Reset(sig)
			signal.Notify(ch, sig)
		}
	}
	return ch
}

// forward passes signals on to p until ch is closed. What the terminal sends
// goes to the whole foreground group, p included, and is not sent twice.
func forward(ch <-chan os.Signal, p *os.Process) {
	for sig := range ch {
		if sig == unix.SIGTERM || sig == unix.SIGHUP || !foreground() {
			p.Signal(sig)
		}
	}
}

// foreground reports whether this process is of the group that its terminal
// sends signals to.
func foreground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// status is 128 and the signal's number for a process that a signal killed.
func status(p *os.ProcessState) int {
	if ws, ok := p.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return p.ExitCode()
}
