package exec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"microsecrets/lib/internal/atomicfile"
	"microsecrets/lib/internal/hint"
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
		wrong = append(wrong, o.at(i, f, (*atomicfile.Folder).Check))
	}
	return wrong.Err()
}

// at calls do with the folder of a -file and the name there.
func (o *options) at(i int, f file, do func(folder *atomicfile.Folder, name string) error) error {
	dir, name := filepath.Split(f.path)
	var err error
	if name == "" || name == "." || name == ".." {
		err = syscall.EISDIR
	} else if folder, opened := atomicfile.Open(filepath.Clean(dir), false, o.force); opened != nil {
		err = opened
	} else {
		defer folder.Close()
		err = do(folder, name)
		if !atomicfile.Refused(err) {
			return err
		}
	}
	err = tool.FileError(o.place(i), err)
	if errors.Is(err, fs.ErrExist) && !errors.Is(err, atomicfile.ErrNotRegular) {
		return hint.With(err, "-force replaces it")
	}
	return err
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
func (o *options) write(got map[string]*secret.Reader) (remove func(), err error) {
	var made []string
	var wrong tool.Failures
	remove = func() {
		for _, path := range made {
			os.Remove(path)
		}
	}
	for i, f := range o.files {
		err := o.at(i, f, func(folder *atomicfile.Folder, name string) error {
			return folder.Write(name, func(w io.Writer) error { return copyTo(w, got[f.name]) })
		})
		if err == nil {
			made = append(made, f.path)
		}
		wrong = append(wrong, err)
	}
	if err := wrong.Err(); err != nil {
		remove()
		return nil, err
	}
	return remove, nil
}
