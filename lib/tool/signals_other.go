//go:build !unix

package tool

import (
	"context"
	"os"
	"os/signal"
)

// Signals returns a context that ends when the program is told to, and a
// function to call when the program has cleaned up.
func Signals() (ctx context.Context, end func()) {
	return signal.NotifyContext(context.Background(), os.Interrupt)
}
