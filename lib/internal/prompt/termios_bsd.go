//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package prompt

import "golang.org/x/sys/unix"

const (
	getTermios   = unix.TIOCGETA
	setTermios   = unix.TIOCSETAW
	flushTermios = unix.TIOCSETAF // and what was typed and not read is dropped

	noKey = 0xff // in the place of a key that is switched off
)
