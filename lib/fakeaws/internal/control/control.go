// Package control parses the lines of the emulator's control language.
package control

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrVerb is the error of Run for a verb that is not in the table.
var ErrVerb = errors.New("unknown verb")

// Run runs the verb that the first word names, on the other words, and returns
// what it prints. Relative file names are relative to dir ("": the working
// directory).
func Run[S any](verbs map[string]func(S, *Line), s S, dir string, words []string) (printed string, err error) {
	if len(words) == 0 {
		return "", nil
	}
	l := &Line{Dir: dir, Verb: words[0], Words: slices.Clone(words[1:])}
	verb := verbs[l.Verb]
	if verb == nil {
		return "", fmt.Errorf("%w %q (see help)", ErrVerb, l.Verb)
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
			printed = l.printed.String()
		case mistake:
			err = fmt.Errorf("%s: %w", l.Verb, r.error)
		default:
			panic(r)
		}
	}()
	verb(s, l)
	return
}

// Split splits a line at white space. Within single quotes everything is
// literal, within double quotes and outside of quotes a backslash takes the
// next character literally.
func Split(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	inWord, escaped := false, false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			inWord, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			inWord, quote = true, r
		case r == '#' && !inWord:
			return words, nil
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			inWord = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("the line ends within quotes")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// A Line is what a verb is given. Its methods take words and options off it; the
// first mistake that they find ends the verb, as do Fail and Check.
type Line struct {
	Dir   string // that file names are relative to
	Verb  string
	Words []string

	printed strings.Builder
}

// A mistake is what a verb panics with, and Run returns.
type mistake struct{ error }

// Fail ends the verb with an error that is made as fmt.Errorf makes it.
func (l *Line) Fail(format string, args ...any) { panic(mistake{fmt.Errorf(format, args...)}) }

// Check ends the verb with err unless that is nil.
func (l *Line) Check(err error) {
	if err != nil {
		panic(mistake{err})
	}
}

// Printf adds to what the verb prints.
func (l *Line) Printf(format string, args ...any) { fmt.Fprintf(&l.printed, format, args...) }

// Next takes the next word, which must be there.
func (l *Line) Next(what string) string {
	if len(l.Words) == 0 {
		l.Fail("%s is missing (see help)", what)
	}
	word := l.Words[0]
	l.Words = l.Words[1:]
	return word
}

// Maybe takes the next word, if any, or returns otherwise.
func (l *Line) Maybe(otherwise string) string {
	if len(l.Words) == 0 {
		return otherwise
	}
	return l.Next("")
}

// Option takes name=VALUE off the line, wherever it stands.
func (l *Line) Option(name, otherwise string) string {
	for i, word := range l.Words {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			l.Words = slices.Delete(l.Words, i, i+1)
			return value
		}
	}
	return otherwise
}

// Options takes every name=VALUE off the line.
func (l *Line) Options(name string) (values []string) {
	l.Words = slices.DeleteFunc(l.Words, func(word string) bool {
		value, ok := strings.CutPrefix(word, name+"=")
		if ok {
			values = append(values, value)
		}
		return ok
	})
	return values
}

// Unescape replaces escapes as Go has them in strings: \n, \x1b, \u202e, \\.
func (l *Line) Unescape(text string) string {
	var b strings.Builder
	for rest := text; rest != ""; {
		r, multibyte, tail, err := strconv.UnquoteChar(rest, 0)
		if err != nil {
			l.Fail("%q: %w", text, err)
		}
		if rest = tail; multibyte {
			b.WriteRune(r)
		} else {
			b.WriteByte(byte(r))
		}
	}
	return b.String()
}

// Flag takes a word off the line and reports whether it was there.
func (l *Line) Flag(name string) bool {
	i := slices.Index(l.Words, name)
	if i >= 0 {
		l.Words = slices.Delete(l.Words, i, i+1)
	}
	return i >= 0
}

// Number reads word as a number, which it calls what in an error.
func (l *Line) Number(what, word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		l.Fail("%s: %q is not a number", what, word)
	}
	return n
}

// AtLeast takes a number off the line that is not less than least.
func (l *Line) AtLeast(least int64) int64 {
	n := int64(l.Number("N", l.Next("N")))
	if n < least {
		l.Fail("%d is less than %d", n, least)
	}
	return n
}

// Duration takes a duration off the line.
func (l *Line) Duration() time.Duration {
	d, err := time.ParseDuration(l.Next("a duration"))
	l.Check(err)
	return d
}

// End fails if words are left.
func (l *Line) End() {
	if len(l.Words) > 0 {
		l.Fail("too many words: %q", l.Words)
	}
}

// Path returns the path of a file that the line names.
func (l *Line) Path(name string) string {
	if filepath.IsAbs(name) || l.Dir == "" {
		return name
	}
	return filepath.Join(l.Dir, name)
}

// ReadFile reads a file that the line names.
func (l *Line) ReadFile(name string) []byte {
	data, err := os.ReadFile(l.Path(name))
	l.Check(err)
	return data
}
