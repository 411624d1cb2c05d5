//go:build unix

package settings

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestTrust(t *testing.T) {
	const nobody = 65534
	own := os.Geteuid()
	for _, test := range []struct {
		name     string
		uid, gid int // -1: as it is
		mode     os.FileMode
		err      string
	}{
		{"mine alone", -1, -1, 0o600, ""},
		{"read by all", -1, -1, 0o644, ""},
		{"written by all", -1, -1, 0o646, "chmod go-w"},
		{"written by group and all", -1, -1, 0o666, "chmod go-w"},
		{"written by a group", -1, nobody, 0o660, "chmod g-w"},
		{"read by a group", -1, nobody, 0o640, ""},
		{"of another user", nobody, -1, 0o600, "chown"},
		{"of another user, open", nobody, nobody, 0o666, "chown"},
	} {
		for _, name := range []string{".msrc", ".lazycred"} {
			t.Run(test.name+name, func(t *testing.T) {
				dir := sandbox(t)
				text := "store b"
				if name == ".lazycred" {
					text = `{"s3_path": "b"}`
				}
				path := write(t, filepath.Join(dir, "top", name), text)
				if test.uid >= 0 || test.gid >= 0 {
					if own != 0 {
						t.Skip("only root gives files away")
					}
					if err := os.Chown(path, test.uid, test.gid); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.Chmod(path, test.mode); err != nil {
					t.Fatal(err)
				}
				_, err := resolve(t)
				if test.err == "" {
					if err != nil {
						t.Error(err)
					}
				} else {
					wantError(t, err, path+": ", test.err, "-config")
				}
				if s, err := resolve(t, "-config", path); err != nil || s.Store != "b" {
					t.Errorf("named: %v", err)
				}
			})
		}
	}
}

// What a link leads to is checked, and who made the link.
func TestTrustLink(t *testing.T) {
	dir := sandbox(t)
	target := write(t, filepath.Join(dir, "xdg/dotfile"), "store b")
	link := filepath.Join(dir, "top/.msrc")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if s := mustResolve(t); s.Store != "b" || s.File != link {
		t.Errorf("store %q from %s", s.Store, s.File)
	}
	if err := os.Chmod(target, 0o602); err != nil {
		t.Fatal(err)
	}
	_, err := resolve(t)
	wantError(t, err, link+": ", "chmod go-w")
}

func TestFIFO(t *testing.T) {
	dir := sandbox(t)
	path := filepath.Join(dir, "top/.msrc")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := resolve(t)
	wantError(t, err, path+": not a regular file")
	_, err = resolve(t, "-config", path)
	wantError(t, err, "-config: a pipe that holds nothing")
}

// A file that is there and cannot be read is not passed over for another one.
func TestDenied(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := sandbox(t)
	write(t, filepath.Join(dir, "home/.msrc"), "store b")
	path := write(t, filepath.Join(dir, "top/.msrc"), "store b")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := resolve(t)
	wantError(t, err, path+": ", "permission denied")
}

func TestWorkingDirectoryGone(t *testing.T) {
	dir := sandbox(t)
	write(t, filepath.Join(dir, "home/.msrc"), "store b")
	if err := os.Remove(filepath.Join(dir, "top/mid/low")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Getwd(); err == nil {
		t.Skip("the system still tells where it was")
	}
	_, err := resolve(t)
	wantError(t, err, "-store")
	mustResolve(t, "-store", "b")
}

func TestShared(t *testing.T) {
	const (
		passwd = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n"
		group  = "root:x:0:\nann:x:1000:\nbob:x:1001:ann\ncy:x:1002:ann\n"
	)
	for _, test := range []struct {
		name          string
		passwd, group string
		user, gid     string
		want          bool
	}{
		{"alone", passwd, group, "ann", "1000", false},
		{"lists the user too", passwd, strings.Replace(group, "ann:x:1000:", "ann:x:1000:ann", 1), "ann", "1000", false},
		{"another member", passwd, group, "bob", "1001", true},
		{"two members", passwd, strings.Replace(group, "ann:x:1000:", "ann:x:1000:ann,bob", 1), "ann", "1000", true},
		{"primary to another", passwd + "eve:x:1003:1000::/:/bin/sh\n", group, "ann", "1000", true},
		{"no newline at the end", passwd, strings.TrimSuffix("ann:x:1000:eve\n", "\n"), "ann", "1000", true},
	} {
		if got := shared(test.passwd, test.group, test.user, test.gid); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestPrivateGroup(t *testing.T) {
	if !privateGroup(strconv.Itoa(os.Geteuid()), strconv.Itoa(os.Getegid())) {
		t.Skip("the user who runs this has no private group")
	}
	dir := sandbox(t)
	path := write(t, filepath.Join(dir, "top/.msrc"), "store b")
	if err := os.Chmod(path, 0o660); err != nil {
		t.Fatal(err)
	}
	if s := mustResolve(t); s.File != path {
		t.Errorf("read %q", s.File)
	}
	if err := os.Chmod(path, 0o662); err != nil {
		t.Fatal(err)
	}
	_, err := resolve(t)
	wantError(t, err, "chmod go-w")
}
