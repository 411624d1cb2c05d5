//go:build unix

package fakeaws

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile keeps a second process from using the directory until the file is
// closed.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, errors.New("in use by another process")
	}
	return f, nil
}
