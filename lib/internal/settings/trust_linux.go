package settings

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// aclMax is how many bytes Linux lets an extended attribute have.
const aclMax = 64 << 10

// accessControl returns the access control list of an open file, empty if it has
// none.
func accessControl(f *os.File) ([]byte, error) {
	buf := make([]byte, aclMax)
	n, err := unix.Fgetxattr(int(f.Fd()), "system.posix_acl_access", buf)
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOSYS):
		return nil, nil
	case err != nil:
		return nil, errACL
	}
	return buf[:n], nil
}
