package prompt

import "golang.org/x/sys/unix"

const (
	getTermios   = unix.TCGETS
	setTermios   = unix.TCSETSW
	flushTermios = unix.TCSETSF // and what was typed and not read is dropped

	noKey = 0 // in the place of a key that is switched off
)
