// Package environ parses, checks, merges and renders environments: sets of
// variables that a secret holds and a program inherits.
//
// No error of this package contains any part of a value or of an input line. A
// name is shown only if it is a valid one and is where a name must be. Errors
// name the flags of ms-put, ms-get and ms-exec that help.
package environ

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxSize is the length in bytes of the longest input that [Parse] accepts. It is
// more than any kernel passes to a program.
const MaxSize = 16 << 20

// An Env maps the names of variables to their values. A name is
// [A-Za-z_][A-Za-z0-9_]*; a value is any bytes except NUL. [Parse] returns
// nothing else, and [Env.Marshal] and [Env.Render] refuse anything else.
type Env map[string]string

var (
	errName    = errors.New("a variable's name is not [A-Za-z_][A-Za-z0-9_]*")
	errNUL     = errors.New("its value contains a NUL byte, which an environment cannot hold")
	errNotUTF8 = errors.New("its value is not valid UTF-8")
)

// ValidName reports whether s is [A-Za-z_][A-Za-z0-9_]*.
func ValidName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || '9' < c) {
			return false
		}
	}
	return s != ""
}

// Names returns the names in e, sorted by their bytes.
func (e Env) Names() []string {
	return slices.Sorted(maps.Keys(e))
}

// Merge returns the variables of both e and over. For those in both, whose sorted
// names it returns as well, the value is that of over. It changes neither.
func (e Env) Merge(over Env) (merged Env, overridden []string) {
	merged = make(Env, len(e)+len(over))
	maps.Copy(merged, e)
	for _, name := range over.Names() {
		if _, ok := merged[name]; ok {
			overridden = append(overridden, name)
		}
		merged[name] = over[name]
	}
	return merged, overridden
}

// Marshal returns e as it is stored: a JSON object of strings on one line, sorted
// by name, without a newline at the end. It refuses values that are not valid
// UTF-8, which JSON cannot represent.
func (e Env) Marshal() ([]byte, error) {
	if err := e.check(func(_, value string) error {
		if !utf8.ValidString(value) {
			return fmt.Errorf("%w, as JSON requires, in which an environment is stored: put the value without -e, as a secret of its own, and pass it to a command with VAR=NAME", errNotUTF8)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if e == nil {
		e = Env{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// maxShown is the number of bytes of a long name that an error shows.
const maxShown = 64

// check returns the first error, in the order of the names, for an invalid name,
// a NUL in a value, or from refuse.
func (e Env) check(refuse func(name, value string) error) error {
	for _, name := range e.Names() {
		if !ValidName(name) {
			return errName
		}
		value := e[name]
		err := refuse(name, value)
		if strings.IndexByte(value, 0) >= 0 {
			err = errNUL
		}
		if err != nil {
			if len(name) > maxShown {
				name = name[:maxShown] + "…"
			}
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func requireUTF8(_, value string) error {
	if !utf8.ValidString(value) {
		return errNotUTF8
	}
	return nil
}
