//go:build !unix

package dev

import (
	"os"
	"os/signal"
)

// catch keeps an interrupt, which the console sends to the command as well,
// from ending this process first.
func catch() chan os.Signal {
	ch := make(chan os.Signal, 1)
	signal.Reset(os.Interrupt)
	signal.Notify(ch, os.Interrupt)
	return ch
}

func forward(<-chan os.Signal, *os.Process) {}

func status(p *os.ProcessState) int { return p.ExitCode() }
