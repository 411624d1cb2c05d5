// Package control parses the lines of the emulator's control language.
package control

import (
	"errors"
	"fmt"
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
func Run[S any](verbs map[string]func(S, *Line) (string, error), s S, dir string, words []string) (string, error) {
	if len(words) == 0 {
		return "", nil
	}
	l := Line{Dir: dir, Verb: words[0], Words: words[1:]}
	verb := verbs[l.Verb]
	if verb == nil {
		return "", fmt.Errorf("%w %q (see help)", ErrVerb, l.Verb)
	}
	out, err := verb(s, &l)
	if l.err != nil {
		err = l.err
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", l.Verb, err)
	}
	return out, nil
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

// A Line is what a verb is given. Its methods take words and options off it;
// the first mistake is kept.
type Line struct {
	Dir   string // that file names are relative to
	Verb  string
	Words []string

	err error
}

// Fail keeps an error that is made as fmt.Errorf makes it, unless there is one.
func (l *Line) Fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

// Next takes the next word, which must be there.
func (l *Line) Next(what string) string {
	if len(l.Words) == 0 {
		l.Fail("%s is missing (see help)", what)
		return ""
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
			l.Words = slices.Delete(slices.Clone(l.Words), i, i+1)
			return value
		}
	}
	return otherwise
}

// Options takes every name=VALUE off the line.
func (l *Line) Options(name string) (values []string) {
	rest := []string{}
	for _, word := range l.Words {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			values = append(values, value)
		} else {
			rest = append(rest, word)
		}
	}
	l.Words = rest
	return values
}

// Unescape replaces escapes as Go has them in strings: \n, \x1b, \u202e, \\.
func (l *Line) Unescape(text string) string {
	var b strings.Builder
	for rest := text; rest != ""; {
		r, multibyte, tail, err := strconv.UnquoteChar(rest, 0)
		if err != nil {
			l.Fail("%q: %w", text, err)
			break
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
		l.Words = slices.Delete(slices.Clone(l.Words), i, i+1)
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
func (l *Line) AtLeast(least int) int {
	n := l.Number("N", l.Next("N"))
	if n < least {
		l.Fail("%d is less than %d", n, least)
	}
	return n
}

// Duration takes a duration off the line.
func (l *Line) Duration() time.Duration {
	d, err := time.ParseDuration(l.Next("a duration"))
	if err != nil {
		l.Fail("%w", err)
	}
	return d
}

// End fails if words are left; it reports whether all is well so far.
func (l *Line) End() bool {
	if len(l.Words) > 0 {
		l.Fail("too many words: %q", l.Words)
	}
	return l.err == nil
}

// Path returns the path of a file that the line names.
func (l *Line) Path(name string) string {
	if filepath.IsAbs(name) || l.Dir == "" {
		return name
	}
	return filepath.Join(l.Dir, name)
}

// JoinLines ends each line with a newline.
func JoinLines(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}
