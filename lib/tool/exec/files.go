package exec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// checkPlaces refuses, before anything is fetched, the files that are there, and
// files in memory that COMMAND could not open.
func (o *options) checkPlaces() error {
	var wrong tool.Failures
	if len(o.mems) > 0 {
		wrong = append(wrong, checkMemory())
	}
	for i, f := range o.files {
		_, err := os.Lstat(f.path)
		if errors.Is(err, fs.ErrNotExist) {
			_, err = os.Stat(filepath.Dir(f.path))
		} else if err == nil {
			err = fs.ErrExist
		}
		if err != nil {
			wrong = append(wrong, tool.FileError(o.place(i), err))
		}
	}
	return wrong.Err()
}

// place says which -file is meant: PATH may be a secret in the wrong place.
func (o *options) place(i int) string {
	flag := "flag -file"
	if len(o.files) > 1 {
		flag = fmt.Sprintf("flag -file %d", i+1)
	}
	return flag + ": the PATH for " + o.files[i].name
}

// write writes the files, all or none, and returns how to remove them.
func (o *options) write(ctx context.Context, got map[string]*secret.Reader) (remove func(), err error) {
	var made []string
	var wrong tool.Failures
	remove = func() {
		for _, path := range made {
			os.Remove(path)
		}
	}
	for i, f := range o.files {
		out, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			made = append(made, f.path)
			err = errors.Join(copyTo(out, got[f.name]), out.Close())
		}
		if errors.As(err, new(*fs.PathError)) {
			err = tool.FileError(o.place(i), err)
		}
		wrong = append(wrong, err)
	}
	if err := wrong.Err(); err != nil {
		remove()
		return nil, err
	}
	return remove, nil
}
