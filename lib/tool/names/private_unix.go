//go:build unix

package names

import (
	"io/fs"
	"os"
	"syscall"
)

// openFlags open a FIFO without waiting for a writer; it is then refused.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK

// private reports whether a file belongs to the user and none but the user can write
// it. Where there is an access control list, the group's permissions are its mask.
func private(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid() && info.Mode().Perm()&0o022 == 0
}
