//go:build unix

package edit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// supported says that the program runs on this system.
const supported = true

// folderPrefix begins the names of the folders that hold what is edited.
const folderPrefix = "ms-edit-"

// A folder holds what is edited, and whatever the editor leaves beside it. The lock says
// to every other ms-edit that it is in use: the kernel drops it with the process, however
// that ends.
type folder struct {
	path string
	root *os.Root
	lock *os.File
}

// errUnsafe is the error of a folder in which others could put something else in the
// place of what is made there.
var errUnsafe = errors.New("others may replace what is in it")

// checkParent refuses a folder that is not fit to hold the folder of a secret.
func checkParent(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if owner != 0 && int(owner) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return errUnsafe
	}
	return nil
}

// makeFolder makes a new folder in another one, for its owner alone.
func makeFolder(parent string) (*folder, error) {
	parent, err := filepath.Abs(parent)
	if err != nil {
		return nil, err
	}
	// Another ms-edit may take it for abandoned until it is locked.
	for try := 1; ; try++ {
		f, err := tryFolder(parent)
		if err == nil || !errors.Is(err, errTaken) || try == 100 {
			return f, err
		}
	}
}

var errTaken = errors.New("another ms-edit has removed the folder")

func tryFolder(parent string) (*folder, error) {
	path, err := os.MkdirTemp(parent, folderPrefix+"*")
	if err != nil {
		return nil, err
	}
	lock, err := os.Open(path)
	if err != nil {
		os.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = errTaken
		}
		return nil, err
	}
	f := &folder{path: path, lock: lock}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		os.Remove(path)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errTaken
		}
		return nil, &fs.PathError{Op: "lock", Path: path, Err: err}
	}
	f.root, err = os.OpenRoot(path)
	switch {
	case err == nil && f.isOpen():
		return f, nil
	case err == nil:
		f.root.Close()
		err = errTaken
	case errors.Is(err, fs.ErrNotExist):
		err = errTaken
	}
	lock.Close()
	os.Remove(path)
	return nil, err
}

// isOpen reports whether what is open is the very folder that was locked, and this
// user's.
func (f *folder) isOpen() bool {
	locked, err := f.lock.Stat()
	if err != nil {
		return false
	}
	opened, err := f.root.Stat(".")
	if err != nil {
		return false
	}
	return os.SameFile(locked, opened) && isOwn(opened)
}

func isOwn(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && info.IsDir()
}

// write makes a file in place of the one that may be there.
func (f *folder) write(name string, text []byte) error {
	if err := f.root.RemoveAll(name); err != nil {
		return err
	}
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// errNoFile is the error of a file that the editor has put something else in the place
// of, or has removed.
var errNoFile = errors.New("the editor has left no file under the name that it was given")

// read reads a file, which may be another than the one that was written: many editors
// write a new one and rename it. It reads at most limit bytes and one more.
func (f *folder) read(name string, limit int64) ([]byte, error) {
	info, err := f.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !info.Mode().IsRegular():
		return nil, errNoFile
	case err != nil:
		return nil, err
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit+1))
}

// remove removes the folder with all that is in it.
func (f *folder) remove() error {
	f.root.Close()
	defer f.lock.Close()
	var err error
	for range 5 { // an editor that was killed may leave a process that still writes
		if err = removeTree(filepath.Dir(f.path), filepath.Base(f.path)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s cannot be removed, and holds the secret: %w", f.path, err)
}

// removeTree removes a folder in another one, and follows no link.
func removeTree(parent, name string) error {
	root, err := os.OpenRoot(parent)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.RemoveAll(name); err == nil {
		return nil
	}
	// A folder without rights keeps what is in it.
	fs.WalkDir(root.FS(), name, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			root.Chmod(path, 0o700)
		}
		return nil
	})
	return root.RemoveAll(name)
}

// sweep removes the folders of this user's that an ms-edit has left which was killed,
// and returns how many. Nobody else's are touched, and none that is in use.
func sweep(parent string) int {
	root, err := os.OpenRoot(parent)
	if err != nil {
		return 0
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return 0
	}
	removed := 0
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), folderPrefix) && entry.IsDir() && removeAbandoned(root, parent, entry.Name()) {
			removed++
		}
	}
	return removed
}

// removeAbandoned removes a folder if it is this user's and locked by nobody. It holds the
// lock until it is gone: whoever has just made it, and has no lock yet, makes another.
func removeAbandoned(root *os.Root, parent, name string) bool {
	info, err := root.Lstat(name)
	if err != nil || !isOwn(info) {
		return false
	}
	dir, err := root.Open(name)
	if err != nil {
		return false
	}
	defer dir.Close()
	opened, err := dir.Stat()
	return err == nil && os.SameFile(info, opened) && unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil &&
		removeTree(parent, name) == nil
}
