//go:build unix

package tool

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Signals returns a context that ends when the program is told to, and a
// function to call when the program has cleaned up: if a signal came it dies of
// that signal, as its parent expects. Signals that were ignored stay ignored,
// so that nohup and a shell's background jobs work.
func Signals() (ctx context.Context, end func()) {
	noCoreDumps()
	log.SetOutput(io.Discard) // net/http logs bytes of answers
	ctx, cancel := context.WithCancel(context.Background())
	came := make(chan os.Signal, 1)
	for _, s := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM} {
		if !signal.Ignored(s) {
			signal.Notify(came, s)
		}
	}
	var died unix.Signal
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s, ok := <-came; ok {
			signal.Stop(came) // a second one kills
			died = s.(unix.Signal)
			cancel()
		}
	}()
	return ctx, func() {
		signal.Stop(came)
		close(came)
		<-done
		if died != 0 {
			signal.Reset(died)
			unix.Kill(unix.Getpid(), died)
			select {} // the signal is on its way
		}
	}
}
