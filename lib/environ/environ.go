// Package environ parses, checks, merges and renders environments: sets of
// variables that a secret holds and a program inherits.
//
// No error of this package holds any part of a value or of an input line. A
// variable's name is shown only where it has the form of a name and stands
// where a name must stand.
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

// MaxSize bounds, in bytes, what [Parse] reads. No kernel passes as much to a
// program.
const MaxSize = 16 << 20

// Env maps the names of variables to their values. A name is
// [A-Za-z_][A-Za-z0-9_]*, a value any bytes but NUL; [Parse] returns nothing
// else, and what writes an Env refuses anything else.
type Env map[string]string

var (
	errName    = errors.New("a variable's name is not [A-Za-z_][A-Za-z0-9_]*")
	errNUL     = errors.New("its value holds a NUL byte, which no environment can")
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

// Merge returns the variables of e and over together, and the sorted names of
// those in both, whose value is over's. Neither e nor over is changed.
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

// Marshal returns the form in which an environment is stored: a JSON object of
// strings on one line, sorted by name, with no newline at its end. JSON carries
// Unicode text alone: a value that is not valid UTF-8 is refused.
func (e Env) Marshal() ([]byte, error) {
	if err := e.check(func(_, value string) error {
		if !utf8.ValidString(value) {
			return fmt.Errorf("%w, and an environment is stored as JSON, which is: put the value without -e, as a secret of its own, and give it to a command with VAR=NAME", errNotUTF8)
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

// maxShown is how much of a long name an error shows, in bytes.
const maxShown = 64

// check returns the first error, in the order of the names, of an invalid
// name, a NUL in a value, or refuse.
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
