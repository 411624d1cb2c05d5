package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/printable"
)

const (
	maxFile = 64 << 10 // bytes of a file
	maxLine = 4 << 10  // bytes of a line of .msrc

	msrc     = ".msrc"
	lazycred = ".lazycred"
)

// line is one setting as a file gives it.
type line struct{ name, value, source string }

// lines returns what comes after flags and variables: the lines of the file that
// is named or found, or, where there is none, what the variables of lazycred say.
func (f *Flags) lines() (file string, lines []line, err error) {
	if path, source := f.config(); path != "" {
		b, err := read(path, false)
		if err != nil {
			return "", nil, &Error{source, err} // not the path: it may be a slip
		}
		lines, err := parse(path, b)
		return path, lines, err
	}
	if _, ok := f.given["store"]; ok || os.Getenv("MS_STORE") != "" {
		return "", nil, nil
	}
	old := !slices.ContainsFunc(table, func(s setting) bool { return os.Getenv(s.variable()) != "" })
	paths, err := candidates(old)
	if err != nil {
		return "", nil, err
	}
	for _, path := range paths {
		b, err := read(path, true)
		if absent(path, err) {
			continue
		}
		if err != nil {
			return "", nil, &Error{printable.Path(path), err}
		}
		lines, err := parse(path, b)
		return path, lines, err
	}
	if !old {
		return "", nil, nil
	}
	lines, err = lazycredVariables()
	return "", lines, err
}

// absent reports whether reading a file failed because there is none: a link that
// leads nowhere is there, and may be meant to choose the store.
func absent(path string, err error) bool {
	if errors.Is(err, syscall.ENOTDIR) { // HOME=/dev/null
		return true
	}
	_, at := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist) && errors.Is(at, fs.ErrNotExist)
}

// config returns the file that is named, and what names it.
func (f *Flags) config() (path, source string) {
	if v, ok := f.given["config"]; ok {
		return v, "-config"
	}
	return os.Getenv("MS_CONFIG"), "MS_CONFIG"
}

// candidates are the files to look for, in order: in every folder from the
// working directory up, then where a user keeps what holds everywhere. The files
// of lazycred follow if old is set: any .msrc comes before them.
func candidates(old bool) ([]string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, &Error{"", hint.With(errors.New("the working directory is unknown, so no .msrc can be looked for"), "give -store or -config")}
	}
	var paths, olds []string
	for {
		paths = append(paths, filepath.Join(dir, msrc))
		olds = append(olds, filepath.Join(dir, lazycred))
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	own, ownOld := ownFiles()
	paths = append(paths, own...)
	if old {
		paths = slices.Concat(paths, olds, ownOld)
	}
	return paths, nil
}

// ownFiles are where a user keeps what holds everywhere, and lazycred's.
func ownFiles() (paths, olds []string) {
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		home = ""
	}
	if config := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(config) {
		paths = append(paths, filepath.Join(config, "ms", "msrc"))
	} else if home != "" {
		paths = append(paths, filepath.Join(home, ".config", "ms", "msrc"))
	}
	if home != "" {
		paths = append(paths, filepath.Join(home, msrc))
		olds = append(olds, filepath.Join(home, lazycred))
	}
	return paths, olds
}

// isOwn reports whether a file is one of ownFiles, by whatever path.
func isOwn(file string) bool {
	folder, err := os.Stat(filepath.Dir(file))
	if err != nil {
		return false
	}
	own, olds := ownFiles()
	return slices.ContainsFunc(slices.Concat(own, olds), func(own string) bool {
		at, err := os.Stat(filepath.Dir(own))
		return err == nil && os.SameFile(at, folder) && filepath.Base(own) == filepath.Base(file)
	})
}

// pipeTimeout is how long a file that is a pipe may take to be written.
const pipeTimeout = 30 * time.Second

// read returns the bytes of a file, having checked the very file that it reads:
// path may lead to another one at any moment. Its errors do not hold the path. A file
// that was named may also be a pipe, which is not empty, or the null device, which is.
func read(path string, found bool) ([]byte, error) {
	open := openTrusted
	if !found {
		open = func(path string) (*os.File, error) { return os.OpenFile(path, openFlags, 0) }
	}
	f, err := open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, reason(err)
	}
	pipe := !found && info.Mode()&fs.ModeNamedPipe != 0
	switch {
	case info.Mode().IsRegular(), !found && isNull(info):
	case !pipe:
		return nil, errors.New("not a regular file")
	default:
		f.SetReadDeadline(time.Now().Add(pipeTimeout))
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, reason(err)
	}
	if pipe && len(b) == 0 {
		return nil, errors.New("a pipe that holds nothing: did the command that writes it fail?")
	}
	if len(b) > maxFile {
		return nil, errors.New("larger than 64 KiB")
	}
	return b, nil
}

func isNull(info fs.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}

// reason is err without the path that package os puts before it.
func reason(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return fmt.Errorf("cannot be read: %w", e.Err)
	}
	return err
}

// parse reads a file: its name says which format.
func parse(path string, b []byte) ([]line, error) {
	if filepath.Base(path) == lazycred {
		return parseLazycred(printable.Path(path), b)
	}
	return parseMsrc(printable.Path(path), b)
}

// parseMsrc reads ff's plain syntax: a setting a line, its name, spaces, its
// value; blank lines and those that begin with "#" are skipped, and " #" ends a
// value; a switch needs no value. Beyond that it is
// strict, where ff takes anything.
func parseMsrc(path string, b []byte) ([]line, error) {
	var lines []line
	for i, text := range strings.Split(string(b), "\n") {
		source := fmt.Sprintf("%s:%d", path, i+1)
		l, err := parseLine(text)
		if err != nil {
			return nil, &Error{source, err}
		}
		if l.name == "" {
			continue
		}
		if slices.ContainsFunc(lines, func(m line) bool { return m.name == l.name }) {
			return nil, &Error{source, fmt.Errorf("%s is set a second time", l.name)}
		}
		lines = append(lines, line{l.name, l.value, source})
	}
	return lines, nil
}

// Line returns what a line of a file says, without the spaces around it: nothing
// if it is blank or a comment. The errors do not show the line.
func Line(text string) (string, error) {
	switch {
	case len(text) > maxLine:
		return "", errors.New("the line is longer than 4096 bytes")
	case !utf8.ValidString(text):
		return "", errors.New("the line is not valid UTF-8")
	case strings.ContainsFunc(text, unicode.IsControl):
		return "", errors.New("the line holds a tab or another control character")
	}
	text, _, _ = strings.Cut(" "+text, " #")
	return strings.Trim(text, " "), nil
}

// parseLine reads a line, which may hold no setting.
func parseLine(text string) (line, error) {
	text, err := Line(text)
	if err != nil || text == "" {
		return line{}, err
	}
	name, v, _ := strings.Cut(text, " ")
	if name == "config" {
		return line{}, errors.New("config cannot be set in a file")
	}
	setting, ok := find(name)
	if !ok {
		return line{}, hint.With(errors.New("not a setting"), "a line is a name ("+fileNames()+"), a space and the value\nsuch as: store s3://BUCKET/PREFIX")
	}
	v = strings.Trim(v, " ")
	if v == "" {
		if setting.metavar != "" {
			return line{}, fmt.Errorf("%s has no value", name)
		}
		v = "true"
	}
	return line{name: name, value: v}, nil
}

// fileNames lists what a file can set.
func fileNames() string {
	var names []string
	for _, s := range table {
		if s.name != "config" {
			names = append(names, s.name)
		}
	}
	return strings.Join(names, ", ")
}

// parseLazycred reads the file of lazycred: a JSON object of strings with s3_path
// and perhaps region and key_alias.
func parseLazycred(path string, b []byte) ([]line, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	fail := func(err error) ([]line, error) {
		end := min(int(d.InputOffset()), len(b))
		return nil, &Error{fmt.Sprintf("%s:%d", path, 1+bytes.Count(b[:end], []byte("\n"))), err}
	}
	if !utf8.Valid(b) {
		return nil, &Error{path, errors.New("not valid UTF-8")}
	}
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fail(errors.New("not a JSON object"))
	}
	var lines []line
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return fail(errors.New("not JSON"))
		}
		v, err := d.Token()
		if err != nil {
			return fail(errors.New("not JSON"))
		}
		text, ok := v.(string)
		if !ok {
			return fail(errors.New("a value that is not a string"))
		}
		l, err := fromLazycred(name.(string), text)
		if err != nil {
			return fail(err)
		}
		if l.value == "" {
			continue
		}
		if slices.ContainsFunc(lines, func(m line) bool { return m.name == l.name }) {
			return fail(fmt.Errorf("%s is set a second time", name))
		}
		l.source = fmt.Sprintf("%s:%d", path, 1+bytes.Count(b[:d.InputOffset()], []byte("\n")))
		lines = append(lines, l)
	}
	if _, err := d.Token(); err != nil {
		return fail(errors.New("not JSON"))
	}
	if _, err := d.Token(); err != io.EOF {
		return fail(errors.New("more than one JSON object"))
	}
	if !slices.ContainsFunc(lines, func(m line) bool { return m.name == "store" }) {
		return nil, &Error{path, errors.New("s3_path is missing")}
	}
	return lines, nil
}

// fromLazycred turns one of lazycred's settings into ours. Its s3_path is a
// bucket, a slash and perhaps a folder with another slash; its key_alias is
// without the "alias/", or with it.
func fromLazycred(name, v string) (line, error) {
	switch name {
	case "s3_path":
		v = strings.TrimSuffix(v, "/")
		if v == "" {
			return line{}, errors.New("s3_path is empty")
		}
		return line{name: "store", value: v}, nil
	case "key_alias":
		v = strings.TrimPrefix(v, "alias/")
		if v == "" || strings.ContainsFunc(v, notInAlias) {
			return line{}, errors.New("key_alias is not the name of an alias")
		}
		return line{name: "key", value: "alias/" + v}, nil
	case "region":
		return line{name: "region", value: v}, nil
	}
	return line{}, hint.With(errors.New("not a setting"), "s3_path, region and key_alias are all there is")
}

// notInAlias reports what no alias of KMS has: a comma or a brace would have a
// meaning of its own in the setting key.
func notInAlias(r rune) bool {
	return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_-", r)
}

// lazycredVariables reads the variables of lazycred. The alias counts only
// beside the path: for another store it was not meant.
func lazycredVariables() ([]line, error) {
	path := os.Getenv("LAZYCRED_S3_PATH")
	if path == "" {
		return nil, nil
	}
	var lines []line
	for _, v := range [...]struct{ variable, name, value string }{
		{"LAZYCRED_S3_PATH", "s3_path", path},
		{"LAZYCRED_KEY_ALIAS", "key_alias", os.Getenv("LAZYCRED_KEY_ALIAS")},
	} {
		if v.value == "" {
			continue
		}
		l, err := fromLazycred(v.name, v.value)
		if err != nil {
			return nil, &Error{v.variable, err}
		}
		l.source = v.variable
		lines = append(lines, l)
	}
	return lines, nil
}
