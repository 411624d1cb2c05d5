package service

import (
	"errors"
	"io"
	"os"
)

// ReplaceFile replaces a file of dir in one step by what write writes, and
// returns it, open for more to be written. It goes through NAME.new, which must
// not be somebody's link, and is there only after a crash.
func ReplaceFile(dir *os.Root, name string, write func(io.Writer) error) (*os.File, error) {
	if err := dir.Remove(name + ".new"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := dir.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err = errors.Join(write(f), f.Sync()); err == nil {
		err = dir.Rename(name+".new", name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
