package settings

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// entry is one of an access control list.
type entry struct {
	tag, permissions uint16
	id               uint32
}

// acl is what system.posix_acl_access holds of entries.
func acl(entries ...entry) []byte {
	b := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.permissions)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

const none = 0xFFFFFFFF // the id of an entry that names nobody

// rules is a whole list: owner and others as in mode 0644, and these.
func rules(group, mask uint16, named ...entry) []byte {
	list := []entry{{aclUserObj, 6, none}}
	for _, e := range named {
		if e.tag == aclUser {
			list = append(list, e)
		}
	}
	list = append(list, entry{aclGroupObj, group, none})
	for _, e := range named {
		if e.tag == aclGroup {
			list = append(list, e)
		}
	}
	return acl(append(list, entry{aclMask, mask, none}, entry{aclOther, 4, none})...)
}

// A list that lets a stranger write is refused, though the mode looks like that
// of a file which one's own group may write.
func TestTrustAccessControl(t *testing.T) {
	const stranger = 65534
	me := uint32(os.Geteuid())
	for _, test := range []struct {
		name string
		list []byte
		err  string
	}{
		{"a user who reads", rules(4, 6, entry{aclUser, 4, stranger}), ""},
		{"a user who writes", rules(4, 6, entry{aclUser, 6, stranger}), "may be written by user 65534"},
		{"a user whom the mask keeps from it", rules(4, 4, entry{aclUser, 6, stranger}), ""},
		{"myself and root", rules(4, 6, entry{aclUser, 6, me}, entry{aclUser, 6, 0}), ""},
		{"a group that writes", rules(4, 6, entry{aclGroup, 6, stranger}), "may be written by group 65534"},
		{"a group that reads", rules(4, 6, entry{aclGroup, 5, stranger}), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := sandbox(t)
			path := write(t, filepath.Join(dir, "top/.msrc"), "store b")
			setAttribute(t, path, "system.posix_acl_access", test.list)
			_, err := resolve(t)
			if test.err == "" {
				if err != nil {
					t.Error(err)
				}
			} else {
				wantError(t, err, path+": "+test.err, "-config")
			}
			if s, err := resolve(t, "-config", path); err != nil || s.Store != "b" {
				t.Errorf("named: %v", err)
			}
		})
	}
}

// A list that a file has got from its folder counts.
func TestTrustInherited(t *testing.T) {
	dir := sandbox(t)
	top := filepath.Join(dir, "top")
	setAttribute(t, top, "system.posix_acl_default", rules(5, 7, entry{aclUser, 7, 65534}))
	path := filepath.Join(top, ".msrc")
	if err := os.WriteFile(path, []byte("store b"), 0o664); err != nil {
		t.Fatal(err)
	}
	_, err := resolve(t)
	wantError(t, err, path+": may be written by user 65534", "-config")
}

func setAttribute(t *testing.T, path, name string, value []byte) {
	t.Helper()
	err := unix.Setxattr(path, name, value, 0)
	if errors.Is(err, unix.ENOTSUP) {
		t.Skip("this file system has no access control lists")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A link that a stranger has made does not count, whatever it leads to, and
// neither does one further on.
func TestTrustLinkOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives links away")
	}
	for _, of := range []string{".msrc", "further"} {
		t.Run(of, func(t *testing.T) {
			dir := sandbox(t)
			top := filepath.Join(dir, "top")
			target := write(t, filepath.Join(dir, "xdg/dotfile"), "store b")
			for link, to := range map[string]string{".msrc": "further", "further": target} {
				if err := os.Symlink(to, filepath.Join(top, link)); err != nil {
					t.Fatal(err)
				}
			}
			if s := mustResolve(t); s.Store != "b" {
				t.Errorf("%+v", s)
			}
			if err := os.Lchown(filepath.Join(top, of), 65534, -1); err != nil {
				t.Fatal(err)
			}
			_, err := resolve(t)
			wantError(t, err, filepath.Join(top, ".msrc")+": is a link that belongs to user 65534", "chown", "-config")
		})
	}
}

// FuzzWriters takes any attribute: what cannot be read is refused, and whoever is
// said to write is named as able to.
func FuzzWriters(f *testing.F) {
	f.Add([]byte{})
	f.Add(acl())
	f.Add(rules(6, 6))
	f.Add(rules(4, 6, entry{aclUser, 6, 65534}, entry{aclGroup, 6, 100}))
	f.Add(rules(4, 4, entry{aclUser, 7, 65534}))
	f.Add(acl(entry{0x40, 7, 1}))
	f.Add(rules(4, 6)[:20])
	f.Fuzz(func(t *testing.T, list []byte) {
		users, groups, group, err := writers(list)
		if err != nil {
			if users != nil || groups != nil || group {
				t.Fatalf("%v, %v, %v beside %v", users, groups, group, err)
			}
			return
		}
		named := map[uint16][]int{}
		for e := list[aclHeader:]; len(e) > 0; e = e[aclEntry:] {
			tag := binary.LittleEndian.Uint16(e)
			named[tag] = append(named[tag], int(binary.LittleEndian.Uint32(e[4:])))
		}
		for tag, ids := range map[uint16][]int{aclUser: users, aclGroup: groups} {
			for _, id := range ids {
				if !slices.Contains(named[tag], id) {
					t.Fatalf("%d is not in the list", id)
				}
			}
		}
	})
}
