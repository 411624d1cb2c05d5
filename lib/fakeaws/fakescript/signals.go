package fakescript

import (
	"os"
	"os/signal"
	"syscall"
)

// DefaultSignals has the programs that a test runs start with the signals that
// it sends them as they are by default, also where the test runs in a shell's
// background, or under nohup, with some of them ignored: what is caught here is
// not ignored in a child.
func DefaultSignals() {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP, syscall.SIGTERM} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}
