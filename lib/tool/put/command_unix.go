//go:build unix

package put

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// ending are the signals that end the context of a program; see tool.Main.
var ending = []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM}

// passed are the signals that COMMAND is sent as well.
var passed = append([]os.Signal{unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM}, ending...)

// A relay passes signals on from its making until it is stopped. Those that are
// ignored stay so, for COMMAND as well.
type relay struct {
	arrived chan os.Signal
	stopped chan struct{}
}

func newRelay() *relay {
	r := &relay{make(chan os.Signal, 16), make(chan struct{})}
	for _, s := range passed {
		if !signal.Ignored(s) {
			signal.Notify(r.arrived, s)
		}
	}
	return r
}

// to passes signals on to a process. A signal that ends this program has done so
// before COMMAND gets it: whatever COMMAND makes of it, nothing is stored.
func (r *relay) to(ctx context.Context, process *os.Process) {
	for {
		select {
		case <-r.stopped:
			return
		case s := <-r.arrived:
			if slices.Contains(ending, s) {
				select {
				case <-ctx.Done():
				case <-r.stopped:
					return
				}
			}
			if !fromKeyboard(s) {
				process.Signal(s)
			}
		}
	}
}

func (r *relay) stop() {
	signal.Stop(r.arrived)
	close(r.stopped)
}

// fromKeyboard reports whether a signal is one of a key, and this process is in the
// foreground of a terminal: COMMAND, in the same group, has got it from there.
func fromKeyboard(s os.Signal) bool {
	if s != unix.SIGINT && s != unix.SIGQUIT {
		return false
	}
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// killedBy is the name of the signal that ended a process, or empty.
func killedBy(p *os.ProcessState) string {
	status, ok := p.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return ""
	}
	if name := unix.SignalName(status.Signal()); name != "" {
		return name
	}
	return status.Signal().String()
}
