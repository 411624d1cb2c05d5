//go:build unix

package fakeaws

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile keeps a second process from locking f until f is closed.
func lockFile(f *os.File) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.New("in use by another process")
	}
	return nil
}
