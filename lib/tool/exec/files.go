package exec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"microsecrets/lib/tool"
)

// checkPlaces refuses, before anything is fetched, the files that are there, and
// files in memory that COMMAND could not open.
func (o *options) checkPlaces() error {
	var wrong tool.Failures
	if len(o.mems) > 0 {
		wrong = append(wrong, checkMemory())
	}
	for _, f := range o.files {
		_, err := os.Lstat(f.path)
		switch {
		case err == nil:
			wrong = append(wrong, fmt.Errorf("flag -file: the PATH for %s: %w", f.name, fs.ErrExist))
		case !errors.Is(err, fs.ErrNotExist):
			wrong = append(wrong, tool.FileError("flag -file: the PATH for "+f.name, err))
		}
	}
	return wrong.Err()
}

// write writes the files, all or none, and returns how to remove them.
func (o *options) write(ctx context.Context, got map[string]*tool.Fetched) (remove func(), err error) {
	var made []string
	remove = func() {
		for _, path := range made {
			os.Remove(path)
		}
	}
	for _, f := range o.files {
		out, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			made = append(made, f.path)
			err = errors.Join(got[f.name].CopyTo(ctx, out), out.Close())
		}
		if errors.As(err, new(*fs.PathError)) {
			err = tool.FileError("flag -file: the PATH for "+f.name, err)
		}
		if err != nil {
			remove()
			return nil, err
		}
	}
	return remove, nil
}
