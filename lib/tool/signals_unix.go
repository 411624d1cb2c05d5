//go:build unix

package tool

import (
	"context"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// signals returns a context that ends with the first SIGHUP, SIGINT or SIGTERM,
// and a function to call after the program has cleaned up: if a signal arrived,
// the process dies of it, as its parent expects. Signals that were ignored at the
// start stay ignored, so that nohup and a shell's background jobs work.
func signals() (ctx context.Context, end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	arrived := make(chan os.Signal, 1)
	for _, s := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM} {
		if !signal.Ignored(s) {
			signal.Notify(arrived, s)
		}
	}
	var died unix.Signal
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s, ok := <-arrived; ok {
			signal.Stop(arrived) // a second one kills
			died = s.(unix.Signal)
			cancel()
		}
	}()
	return ctx, func() {
		signal.Stop(arrived)
		close(arrived)
		<-done
		if died != 0 {
			signal.Reset(died)
			unix.Kill(unix.Getpid(), died)
			select {} // the signal is on its way
		}
	}
}
