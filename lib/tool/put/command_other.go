//go:build !unix

package put

import (
	"context"
	"os"
)

// A relay does nothing where there are no signals but the interrupt from the
// keyboard, which COMMAND gets from there.
type relay struct{}

func newRelay() relay { return relay{} }

func (relay) to(context.Context, *os.Process) {}
func (relay) stop()                           {}

func killedBy(*os.ProcessState) string { return "" }
