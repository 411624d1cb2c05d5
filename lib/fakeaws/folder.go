package fakeaws

import (
	"errors"
	"fmt"
	"os"
)

// A folder is where a server keeps its data; nil is none.
type folder struct {
	dir  *os.Root
	lock *os.File
}

// openFolder opens dir, which it makes if need be, unless it is somebody else's,
// others may write to it, or another server uses it.
func openFolder(dir string) (*folder, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	f := &folder{dir: root}
	info, err := root.Stat(".")
	if err == nil {
		err = private(info)
	}
	if err == nil {
		f.lock, err = root.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600)
	}
	if err == nil {
		err = lockFile(f.lock)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, err), f.close())
	}
	return f, nil
}

func (f *folder) root() *os.Root {
	if f == nil {
		return nil
	}
	return f.dir
}

func (f *folder) close() error {
	if f == nil {
		return nil
	}
	err := f.dir.Close()
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	return err
}
