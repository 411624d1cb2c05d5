//go:build unix

package tool

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// ending are the signals that end a program as any other.
var ending = []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM}

// abrupt are those at which the Go runtime would end the process on the spot.
var abrupt = []unix.Signal{
	unix.SIGQUIT, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGSYS,
}

// A watch is what becomes of signals.
type watch struct {
	arrived  chan os.Signal
	careful  atomic.Bool // see EndCleanly
	shielded atomic.Bool // see Shield
	caughtUp chan struct{}
}

// marker is a signal that changes nothing, by which the signals before it are waited for.
const marker = unix.SIGWINCH

type watchKey struct{}

// signals returns a context that ends with the first SIGHUP, SIGINT or SIGTERM,
// and a function to call after the program has cleaned up: if a signal arrived,
// the process dies of it, as its parent expects. Signals that were ignored at the
// start stay ignored, so that nohup and a shell's background jobs work.
func signals() (ctx context.Context, end func()) {
	w := &watch{arrived: make(chan os.Signal, 4), caughtUp: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), watchKey{}, w))
	w.notify(ending)
	var died unix.Signal
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := range w.arrived {
			if s == marker {
				select {
				case w.caughtUp <- struct{}{}:
				default:
				}
				continue
			}
			if died != 0 || w.shielded.Load() && (s == unix.SIGINT || s == unix.SIGQUIT) {
				continue
			}
			if !w.careful.Load() {
				signal.Stop(w.arrived) // a second one kills
			}
			died = s.(unix.Signal)
			cancel()
		}
	}()
	return ctx, func() {
		signal.Stop(w.arrived)
		close(w.arrived)
		<-done
		switch {
		case slices.Contains(ending, died):
			signal.Reset(died)
			unix.Kill(unix.Getpid(), died)
			select {} // the signal is on its way
		case died != 0: // the runtime would print what each goroutine does
			exit(128 + int(died))
		}
	}
}

func (w *watch) notify(signals []unix.Signal) {
	for _, s := range signals {
		if !signal.Ignored(s) {
			signal.Notify(w.arrived, s)
		}
	}
}

// EndCleanly has every signal that can be caught end the context, those at which the
// runtime would end the process included, and has no second one keep a program from
// cleaning up. A closed standard error ends nothing: what is written there is lost. Ctx is that of a Run. A program calls it that has something to remove
// whatever happens, and soon returns when the context ends.
func EndCleanly(ctx context.Context) {
	if w, ok := ctx.Value(watchKey{}).(*watch); ok {
		w.careful.Store(true)
		w.notify(abrupt)
		signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	}
}

// Shield has the signals of the keyboard not end the context, until the function that
// it returns is called, not even those that were sent by then and are still
// on their way. Ctx is that of a Run that has called EndCleanly. It is for while another
// program has the terminal, which gets them from there as well.
func Shield(ctx context.Context) (end func()) {
	w, ok := ctx.Value(watchKey{}).(*watch)
	if !ok {
		return func() {}
	}
	w.shielded.Store(true)
	w.notify([]unix.Signal{marker})
	return func() {
		defer w.shielded.Store(false)
		select {
		case <-w.caughtUp: // of a window that was resized
		default:
		}
		if unix.Kill(unix.Getpid(), marker) == nil {
			select {
			case <-w.caughtUp:
			case <-time.After(time.Second): // it is ignored
			}
		}
	}
}
