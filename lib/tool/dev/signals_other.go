//go:build !unix

package dev

import (
	"os"
	"os/exec"
	"os/signal"
)

// forward keeps an interrupt, which the console sends to cmd as well, from ending this process first.
func forward(*exec.Cmd) (stop func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt)
	return func() { signal.Stop(ch) }
}

func status(p *os.ProcessState) int { return p.ExitCode() }
