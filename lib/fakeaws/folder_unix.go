//go:build unix

package fakeaws

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// private fails unless the folder is the caller's and nobody else may write to
// it: whoever may, can put keys there, or lead writes elsewhere. The group's
// mode covers an access control list as well.
func private(info fs.FileInfo) error {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("belongs to user %d", st.Uid)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("others may write to it: chmod go-w")
	}
	return nil
}

// lockFile keeps a second process from locking f until f is closed.
func lockFile(f *os.File) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.New("in use by another process")
	}
	return nil
}
