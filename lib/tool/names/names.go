// Package names keeps names of secrets that were listed, for a minute, so that
// completion has them at once. It keeps no values.
package names

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"microsecrets/lib/internal/settings"
	"microsecrets/lib/secret"
)

const (
	// lifetime is how long a listing is used again.
	lifetime = time.Minute

	// Max is how many names of a level are kept at most.
	Max = 5000

	// levelsMax is how many levels of one listing are kept at most.
	levelsMax = 64

	fileMax   = 4 << 20 // bytes of a file of the cache
	fileStart = "names-"
)

// A Cache keeps listings of names, in files that none but the user can write. Each
// is of one prefix, one level of a store, and one identity.
type Cache struct {
	root *os.Root
	of   string // the store and the identity
}

var errNotPrivate = errors.New("belongs to others, or can be written by them")

// Open opens the folder ms of $XDG_CACHE_HOME, or else of ~/.cache. With create it is
// made if it is absent.
func Open(s *settings.Settings, create bool) (*Cache, error) {
	dir := os.Getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		if !filepath.IsAbs(home) {
			return nil, errors.New("the home folder is not an absolute path")
		}
		dir = filepath.Join(home, ".cache")
	}
	dir = filepath.Join(dir, "ms")
	if create {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err == nil && !private(info) {
		err = errNotPrivate
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return &Cache{root, identity(s)}, nil
}

// Close closes the folder.
func (c *Cache) Close() error { return c.root.Close() }

// file is the name of the file with the listing of a prefix.
func (c *Cache) file(prefix string) string {
	sum := sha256.Sum256([]byte(c.of + "\x00" + prefix))
	return fileStart + hex.EncodeToString(sum[:])
}

// Get returns what a listing of one level of prefix would, if one that has it is kept.
func (c *Cache) Get(prefix string) (names []string, ok bool) {
	for end := strings.LastIndex(prefix, "/") + 1; end <= len(prefix); end++ {
		b, err := c.read(c.file(prefix[:end]))
		if err != nil {
			continue
		}
		if names, ok := parseNames(b, prefix[:end]); ok {
			return slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, prefix) }), true
		}
	}
	return nil, false
}

func (c *Cache) read(name string) ([]byte, error) {
	f, err := c.root.OpenFile(name, openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	age := time.Since(info.ModTime())
	switch {
	case !info.Mode().IsRegular(), !private(info):
		return nil, errNotPrivate
	case age < 0, age > lifetime, info.Size() > fileMax:
		return nil, fs.ErrNotExist
	}
	return io.ReadAll(io.LimitReader(f, fileMax))
}

// PutAll keeps each level of a listing of all names that begin with prefix; of very
// many levels only the first.
func (c *Cache) PutAll(prefix string, names []string) error {
	levels := map[string][]string{prefix: nil}
	for _, name := range names {
		level := prefix
		for rest := name[len(prefix):]; ; {
			segment, more, isGroup := strings.Cut(rest, "/")
			if !isGroup {
				break
			}
			group := name[:len(name)-len(rest)+len(segment)+1]
			levels[level] = append(levels[level], group)
			level, rest = group, more
		}
		levels[level] = append(levels[level], name)
	}
	var errs []error
	for level, names := range levels {
		if level == prefix || len(levels) <= levelsMax {
			errs = append(errs, c.Put(level, names))
		}
	}
	return errors.Join(errs...)
}

// Put keeps a listing of one level of prefix, and removes those that are too old.
func (c *Cache) Put(prefix string, names []string) error {
	c.sweep()
	name := c.file(prefix)
	part := name + "-" + rand.Text()
	err := c.root.WriteFile(part, formatNames(prefix, names), 0o600)
	if err == nil {
		err = c.root.Rename(part, name)
	}
	if err != nil {
		return errors.Join(err, c.root.Remove(part))
	}
	return nil
}

func (c *Cache) sweep() {
	entries, err := fs.ReadDir(c.root.FS(), ".")
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), fileStart) && time.Since(info.ModTime()) > lifetime {
			_ = c.root.Remove(e.Name()) // another may have done so
		}
	}
}

// A file of the cache is a line that says what it is, one with the prefix, a line for
// each name or group, sorted, and a last line.
const (
	firstLine = "ms names 1"
	lastLine  = "." // no name
)

func formatNames(prefix string, names []string) []byte {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	lines := slices.Concat([]string{firstLine, prefix}, names, []string{lastLine, ""})
	return []byte(strings.Join(lines, "\n"))
}

// parseNames reads a file of the cache. It takes nothing that a listing of prefix
// could not have.
func parseNames(b []byte, prefix string) (names []string, ok bool) {
	text, ok := bytes.CutSuffix(b, []byte("\n"+lastLine+"\n"))
	if !ok || len(b) > fileMax {
		return nil, false
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 2 || len(lines)-2 > Max || lines[0] != firstLine || lines[1] != prefix || secret.CheckPrefix(prefix) != nil {
		return nil, false
	}
	names = lines[2:]
	for i, n := range names {
		if !Fits(n, prefix) || i > 0 && n <= names[i-1] {
			return nil, false
		}
	}
	return names, true
}

// Fits reports whether a listing of one level of prefix can have a name, or a group,
// which ends in a slash.
func Fits(name, prefix string) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	return ok && (rest != "" || !strings.HasSuffix(prefix, "/")) && !strings.Contains(strings.TrimSuffix(rest, "/"), "/") && secret.CheckName(strings.TrimSuffix(name, "/")) == nil
}
