//go:build unix

package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"microsecrets/lib/internal/hint"
)

// openFlags open a FIFO without waiting for a writer.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK

// linksMax is how many links in a row are followed, as Linux does.
const linksMax = 40

// openTrusted opens a file that was found, if nobody else could have written it
// or made it lead elsewhere: the links on its path's last element, and what they
// lead to, belong to the caller or to root, and none but these may write to it.
// A group may, if it is the caller's private one.
func openTrusted(path string) (*os.File, error) {
	for range linksMax {
		info, err := os.Lstat(path)
		if err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			break
		}
		if _, err := trustedOwner(info); err != nil {
			return nil, err
		}
		to, err := os.Readlink(path)
		if err != nil {
			return nil, err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	f, err := os.OpenFile(path, openFlags|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := trusted(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func trusted(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	st, err := trustedOwner(info)
	if err != nil {
		return err
	}
	acl, err := accessControl(f)
	if err != nil {
		return hint.With(err, "name the file by -config")
	}
	var users, groups []int
	group := info.Mode().Perm()&0o020 != 0
	if len(acl) > 0 {
		if users, groups, group, err = writers(acl); err != nil {
			return hint.With(err, "name the file by -config")
		}
	}
	caller := os.Geteuid()
	if group {
		groups = append(groups, int(st.Gid))
	}
	if info.Mode().Perm()&0o002 != 0 {
		return hint.With(errors.New("may be written by anybody"), "chmod go-w it, or name it by -config")
	}
	for _, uid := range users {
		if uid != caller && uid != 0 {
			return hint.With(fmt.Errorf("may be written by user %d, by its access control list", uid), "setfacl -b it, or name it by -config")
		}
	}
	for _, gid := range groups {
		if !privateGroup(strconv.Itoa(caller), strconv.Itoa(gid)) {
			return hint.With(fmt.Errorf("may be written by group %d, which others belong to", gid), "chmod g-w it, or name it by -config")
		}
	}
	return nil
}

// trustedOwner refuses what belongs to another user than the caller and root.
func trustedOwner(info fs.FileInfo) (*syscall.Stat_t, error) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, hint.With(errors.New("its owner is unknown"), "name it by -config")
	}
	if int(st.Uid) != os.Geteuid() && st.Uid != 0 {
		what := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			what = "is a link that "
		}
		return nil, hint.With(fmt.Errorf("%sbelongs to user %d, neither you nor root", what, st.Uid), "chown it, or name it by -config")
	}
	return st, nil
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
