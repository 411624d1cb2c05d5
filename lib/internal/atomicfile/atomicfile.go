// Package atomicfile writes files that appear under their names when they are
// whole, and never outside the folder that they are for.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// ErrCollides is the error of two names that are one file on a file system that
// ignores case, or where one is the other's folder.
var ErrCollides = errors.New("collides with another name on this file system")

// ErrNotRegular is the error of a folder, a device or the like where a file is to
// be, and of a link that leads to one, or to what a process has open.
var ErrNotRegular = errors.New("not a regular file, so not replaced")

// Refused reports whether an error is about a file, and not one of what was to be
// written to it.
func Refused(err error) bool {
	return errors.Is(err, ErrCollides) || errors.Is(err, ErrNotRegular) || errors.Is(err, fs.ErrExist) ||
		errors.As(err, new(*fs.PathError)) || errors.As(err, new(*os.LinkError))
}

// Folder is where files appear under their names when they are whole. No name,
// and no link that is there, leads out of it.
type Folder struct {
	root  *os.Root
	force bool
	above []string // the folders that were made for it, the outermost first

	mu    sync.Mutex
	files map[string]fs.FileInfo // what was written, by name
	made  []string               // the folders in it, likewise
}

// Open opens a folder to write files into, made with mode 0700 if it is
// absent and create is set. With force a regular file that exists is replaced, and
// a link to one, but not what the link leads to.
func Open(dir string, create, force bool) (*Folder, error) {
	d := &Folder{force: force, files: map[string]fs.FileInfo{}}
	var err error
	if create {
		d.above = missing(filepath.Clean(dir), os.Lstat)
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		d.root, err = os.OpenRoot(dir)
	}
	if err != nil {
		removeEmpty(d.above, os.Remove)
		return nil, err
	}
	return d, nil
}

// Close closes the folder, and removes the folders that were made and into which
// nothing was written.
func (d *Folder) Close() error {
	removeEmpty(d.made, d.root.Remove)
	err := d.root.Close()
	removeEmpty(d.above, os.Remove)
	return err
}

// missing are a folder and those above it that are not there, the outermost first.
func missing(dir string, lstat func(string) (fs.FileInfo, error)) []string {
	var absent []string
	for above := ""; dir != above; dir = filepath.Dir(dir) {
		if _, err := lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		absent, above = append(absent, dir), dir
	}
	slices.Reverse(absent)
	return absent
}

// removeEmpty removes folders that are empty, the innermost first.
func removeEmpty(dirs []string, remove func(string) error) {
	for _, dir := range slices.Backward(dirs) {
		remove(dir)
	}
}

// inTheWay is an ErrNotRegular where nothing was to be replaced: an fs.ErrExist as well.
type inTheWay struct{ error }

func (e inTheWay) Unwrap() error        { return e.error }
func (e inTheWay) Is(target error) bool { return target == fs.ErrExist }

// Check returns early what Write would: fs.ErrExist for whatever exists, unless a
// regular file is to be replaced.
func (d *Folder) Check(name string) error {
	at, err := d.root.Lstat(filepath.FromSlash(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case at.Mode()&fs.ModeSymlink != 0:
		err = Follow(filepath.Join(d.root.Name(), filepath.FromSlash(name)))
	case !at.Mode().IsRegular():
		err = ErrNotRegular
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && d.force:
		return ErrNotRegular
	case errors.Is(err, ErrNotRegular) && !d.force:
		return inTheWay{err}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case !d.force:
		return fs.ErrExist
	}
	return nil
}

// linksMax is how many links in a row are followed, as Linux does.
const linksMax = 40

// Follow follows the links of a path, which are only looked at. It returns nil if
// it leads to a regular file; an fs.ErrNotExist if to nothing; and an ErrNotRegular
// if to anything else. What stands in /dev or /proc, such as /dev/stdout, leads to
// whatever a process has open.
func Follow(path string) error {
	for range linksMax {
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return err
		}
		if dir, err = filepath.Abs(dir); err != nil {
			return err
		}
		if dir == "/dev" || dir == "/dev/fd" || strings.HasPrefix(dir, "/proc/") {
			return ErrNotRegular
		}
		path = filepath.Join(dir, filepath.Base(path))
		at, err := os.Lstat(path)
		switch {
		case err != nil:
			return err
		case at.Mode().IsRegular():
			return nil
		case at.Mode()&fs.ModeSymlink == 0:
			return ErrNotRegular
		}
		to, err := os.Readlink(path)
		if err != nil {
			return err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(dir, to)
		}
		path = to
	}
	return ErrNotRegular
}

// Write makes the file name with what fill writes: in a temporary file beside
// it, 0600, that gets its name when fill has succeeded and the bytes are on
// disk. If anything fails, nothing is left. Folders on the way are
// made with mode 0700.
func (d *Folder) Write(name string, fill func(io.Writer) error) (err error) {
	file := filepath.FromSlash(name)
	if folder := path.Dir(name); folder != "." {
		if err := d.mkdirAll(filepath.FromSlash(folder)); err != nil {
			return err
		}
	}
	temporary := filepath.Join(filepath.Dir(file), fmt.Sprintf(".ms-%016x.tmp", rand.Uint64()))
	f, err := d.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if left := d.root.Remove(temporary); err == nil && left != nil && !errors.Is(left, fs.ErrNotExist) {
			err = left
		}
	}()
	if err := fill(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	written, err := f.Stat()
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return d.appear(temporary, file, written)
}

// mkdirAll makes a folder in the folder, and those on the way.
func (d *Folder) mkdirAll(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, absent := range missing(dir, d.root.Lstat) {
		if !slices.Contains(d.made, absent) {
			d.made = append(d.made, absent)
		}
	}
	return d.root.MkdirAll(dir, 0o700)
}

// appear gives a temporary file its name. Without force a file that came there
// meanwhile is not replaced either, where the file system has hard links.
func (d *Folder) appear(temporary, file string, written fs.FileInfo) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.Check(file)
	if err == nil && !d.force {
		err = d.root.Link(temporary, file)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			err = d.root.Rename(temporary, file)
		}
	} else if err == nil {
		err = d.root.Rename(temporary, file)
	}
	if errors.Is(err, fs.ErrExist) {
		if at, err := d.root.Lstat(file); err == nil && d.wrote(at) {
			return ErrCollides
		}
	}
	if err == nil {
		d.files[file] = written
	}
	return err
}

func (d *Folder) wrote(at fs.FileInfo) bool {
	for _, w := range d.files {
		if os.SameFile(w, at) {
			return true
		}
	}
	return false
}

// Verify finds the names that another name of the same call has replaced: with
// force, what collides is noticed when all is written.
func (d *Folder) Verify(name string) error {
	file := filepath.FromSlash(name)
	written, ok := d.files[file]
	if !ok {
		return nil
	}
	at, err := d.root.Lstat(file)
	if err == nil && !os.SameFile(at, written) {
		err = ErrCollides
	}
	return err
}
