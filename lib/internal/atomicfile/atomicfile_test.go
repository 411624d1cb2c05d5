package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func write(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func open(t *testing.T, dir string, force bool) *Folder {
	t.Helper()
	d, err := Open(dir, true, force)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// files lists every file below dir, temporary ones too.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			path, err = filepath.Rel(dir, path)
			found = append(found, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFolderWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	d := open(t, dir, false)
	if err := d.Write("a/b", write("text")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{".": 0o700, "a": 0o700, "a/b": 0o600} {
		at, err := os.Stat(filepath.Join(dir, path))
		if err != nil || at.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, at.Mode(), err)
		}
	}
	if err := d.Write("a/b", write("other")); !errors.Is(err, ErrCollides) {
		t.Errorf("twice in one call: %v", err)
	}
	if err := open(t, dir, false).Write("a/b", write("other")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("existing: %v", err)
	}
	if err := open(t, dir, true).Write("a/b", write("forced")); err != nil {
		t.Errorf("forced: %v", err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "a/b")); string(got) != "forced" {
		t.Errorf("%q", got)
	}
	if got := files(t, dir); !slices.Equal(got, []string{"a/b"}) {
		t.Errorf("files %q", got)
	}
}

// TestFolderLeavesNothing has a filling fail, and a file come there meanwhile.
func TestFolderLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, false)
	broken := errors.New("broken")
	err := d.Write("a", func(w io.Writer) error {
		io.WriteString(w, "half")
		return broken
	})
	if !errors.Is(err, broken) || len(files(t, dir)) != 0 {
		t.Errorf("%v, %q", err, files(t, dir))
	}
	err = d.Write("a", func(io.Writer) error {
		return os.WriteFile(filepath.Join(dir, "a"), []byte("theirs"), 0o600)
	})
	if !errors.Is(err, fs.ErrExist) || !slices.Equal(files(t, dir), []string{"a"}) {
		t.Errorf("%v, %q", err, files(t, dir))
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "a")); string(got) != "theirs" {
		t.Errorf("%q", got)
	}
}

// TestFolderLinks has links in the folder that lead out of it, and one in the
// place of a file.
func TestFolderLinks(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	for link, target := range map[string]string{"out": outside, "up": "../" + filepath.Base(outside), "file": filepath.Join(outside, "f")} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	if err := open(t, dir, false).Write("file", write("text")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a link to nothing in the way: %v", err)
	}
	if err := open(t, dir, true).Write("file", write("text")); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a link to nothing in the way, forced: %v", err)
	}
	if err := os.WriteFile(filepath.Join(outside, "f"), []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, force := range []bool{false, true} {
		d := open(t, dir, force)
		for _, name := range []string{"out/a", "up/a"} {
			if err := d.Write(name, write("text")); err == nil {
				t.Errorf("%s: written", name)
			}
		}
	}
	if err := open(t, dir, false).Write("file", write("text")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a link in the way: %v", err)
	}
	if err := open(t, dir, true).Write("file", write("text")); err != nil {
		t.Errorf("a link in the way, forced: %v", err)
	}
	if got := files(t, outside); !slices.Equal(got, []string{"f"}) {
		t.Errorf("outside: %q", got)
	}
	if got, _ := os.ReadFile(filepath.Join(outside, "f")); string(got) != "theirs" {
		t.Errorf("outside: %q", got)
	}
	if at, err := os.Lstat(filepath.Join(dir, "file")); err != nil || !at.Mode().IsRegular() {
		t.Errorf("the link is not replaced: %v, %v", at, err)
	}
}

// TestFolderVerify has one name's file replaced by another's, as a file system
// that ignores case would do.
func TestFolderVerify(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, true)
	for _, name := range []string{"env", "ENV"} {
		if err := d.Write(name, write(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(filepath.Join(dir, "ENV"), filepath.Join(dir, "env")); err != nil {
		t.Fatal(err)
	}
	if err := d.Verify("env"); !errors.Is(err, ErrCollides) {
		t.Errorf("%v", err)
	}
}

// Folders that were made for files that did not appear are not left; others are.
func TestFolderLeavesNoFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "mine"), 0o700); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("no more")
	fail := func(io.Writer) error { return failure }
	for _, c := range []struct {
		folder  string
		written []string
		failed  []string
		left    []string
	}{
		{"a/b", nil, []string{"c/d/e"}, []string{"mine"}},
		{"mine", nil, []string{"c/d/e", "f"}, []string{"mine"}},
		{"a/b", []string{"c/x"}, []string{"c/d/e", "g/h"}, []string{"a", "a/b", "a/b/c", "a/b/c/x", "mine"}},
	} {
		d, err := Open(filepath.Join(dir, filepath.FromSlash(c.folder)), true, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range c.failed {
			if err := d.Write(name, fail); err != failure {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, name := range c.written {
			if err := d.Write(name, write("text")); err != nil {
				t.Error(err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		var left []string
		fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
			if path != "." {
				left = append(left, path)
			}
			return err
		})
		if !slices.Equal(left, c.left) {
			t.Errorf("%s: %v is left", c.folder, left)
		}
	}
}
