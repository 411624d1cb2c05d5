//go:build unix && !linux && !solaris && !aix

package suite_test

import "golang.org/x/sys/unix"

const getTermios = unix.TIOCGETA
