//go:build unix

package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"microsecrets/lib/internal/hint"
)

// openFlags open a FIFO without waiting for a writer; it is then refused.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK

// trusted refuses a file that somebody else could have written: it must belong
// to the caller or to root, and none but these may write to it. The group may,
// if it is the caller's private one.
func trusted(info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return hint.With(errors.New("its owner is unknown"), "name it by -config")
	}
	caller := os.Geteuid()
	if int(st.Uid) != caller && st.Uid != 0 {
		return hint.With(fmt.Errorf("belongs to user %d, neither you nor root", st.Uid), "chown it, or name it by -config")
	}
	if info.Mode().Perm()&0o002 != 0 {
		return hint.With(errors.New("may be written by anybody"), "chmod go-w it, or name it by -config")
	}
	if info.Mode().Perm()&0o020 != 0 && !privateGroup(strconv.Itoa(caller), strconv.Itoa(int(st.Gid))) {
		return hint.With(fmt.Errorf("may be written by group %d, which others belong to", st.Gid), "chmod g-w it, or name it by -config")
	}
	return nil
}

// privateGroup reports whether gid is the group that a system makes for one user
// alone: the user's primary group, with the user's name, with no other member in
// /etc/group and primary to nobody else in /etc/passwd. If that cannot be found
// out, it is not private.
func privateGroup(uid, gid string) bool {
	u, err := user.LookupId(uid)
	if err != nil || u.Gid != gid {
		return false
	}
	g, err := user.LookupGroupId(gid)
	if err != nil || g.Name != u.Username {
		return false
	}
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return false
	}
	group, err := os.ReadFile("/etc/group")
	if err != nil {
		return false
	}
	return !shared(string(passwd), string(group), u.Username, gid)
}

// shared reports whether the files passwd and group give anybody but name the
// group gid.
func shared(passwd, group, name, gid string) bool {
	for l := range strings.Lines(passwd) {
		if f := strings.Split(l, ":"); len(f) > 3 && f[3] == gid && f[0] != name {
			return true
		}
	}
	for l := range strings.Lines(group) {
		f := strings.Split(strings.TrimSpace(l), ":")
		if len(f) > 3 && f[2] == gid && f[3] != "" && f[3] != name {
			return true
		}
	}
	return false
}
