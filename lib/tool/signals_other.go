//go:build !unix

package tool

import (
	"context"
	"os"
	"os/signal"
)

// signals returns a context that ends with an interrupt from the keyboard, and a
// function to call after the program has cleaned up.
func signals() (ctx context.Context, end func()) {
	return signal.NotifyContext(context.Background(), os.Interrupt)
}

// EndCleanly does nothing where there are no signals but that interrupt.
func EndCleanly(context.Context) {}

// Shield does nothing: there is no program that needs it.
func Shield(context.Context) (end func()) { return func() {} }
