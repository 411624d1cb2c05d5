package environ

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"

	"github.com/hashicorp/go-envparse"
)

// parseDotenv parses what readers of .env files agree about, and expands nothing. A
// value without quotes ends at the end of the line or at a # after white space. A
// value in single quotes is literal. A value in double quotes has the escapes of
// JSON. Quoted values may span lines. What readers interpret in different ways is
// an error, since a guess would sometimes store another value than was meant.
func parseDotenv(data []byte, rename func(string) string) (Env, error) {
	b := newBuilder()
	rest := bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	for line := 1; len(rest) > 0; {
		statement, size, err := scan(rest, rename)
		if err != nil {
			return nil, atLine(line, err)
		}
		name, value, err := unquote(statement)
		if err != nil {
			return nil, atLine(line, err)
		}
		if name != "" {
			if err := b.add(line, name, value); err != nil {
				return nil, err
			}
		}
		line += bytes.Count(rest[:size], []byte("\n"))
		rest = rest[size:]
	}
	return b.env, nil
}

var (
	errDollar     = errors.New(`a "$" outside single quotes, which some readers of .env files expand: put the value in single quotes`)
	errHash       = errors.New(`a "#" right after text, which only some readers of .env files treat as a comment: put the value in quotes`)
	errInnerQuote = errors.New("a quote inside a value that is not in quotes: put the whole value in quotes")
	errBackslash  = errors.New(`a "\" before the closing single quote, which some readers of .env files treat as an escape: use double quotes`)
	errAfterQuote = errors.New("text after the closing quote")
	errUnclosed   = errors.New("a quote that is never closed")
	errLongLine   = errors.New("a value of nearly 64 KiB or more: -f json and -f lines read it")
	errDotenv     = errors.New(`not NAME=VALUE with a plain or quoted VALUE (in double quotes, one of n r t b f " \ / uXXXX must follow "\")`)
)

// scan returns the statement at the beginning of src, on one line for the library
// and without a comment, and its size in src, including the newline.
func scan(src []byte, rename func(string) string) (statement []byte, size int, err error) {
	end := lineEnd(src, 0)
	line := bytes.TrimSpace(src[:end])
	eq := bytes.IndexByte(src[:end], '=')
	if eq < 0 || line[0] == '#' {
		return line, end, nil
	}
	head := bytes.TrimSpace(src[:eq])
	// The library accepts exactly one space after "export".
	if words := bytes.FieldsFunc(head, func(r rune) bool { return r == ' ' || r == '\t' }); len(words) == 2 {
		head = fmt.Appendf(nil, "%s %s", words[0], rename(string(words[1])))
	} else {
		head = []byte(rename(string(head)))
	}
	bare := bytes.TrimSpace(src[eq+1 : end])
	if len(bare) == 0 || bare[0] != '"' && bare[0] != '\'' {
		value, err := cutComment(src[eq+1 : end])
		return fmt.Appendf(nil, "%s=%s", head, value), end, err
	}
	start := eq + 1 + bytes.IndexByte(src[eq+1:], bare[0])
	value, err := cutQuoted(src[start:])
	if err != nil {
		return nil, 0, err
	}
	stop := start + len(value)
	end = lineEnd(src, stop)
	if after := bytes.TrimSpace(src[stop:end]); len(after) > 0 && after[0] != '#' {
		return nil, 0, errAfterQuote
	}
	return fmt.Appendf(nil, "%s=%s", head, escapeControls(value)), end, nil
}

// lineEnd returns the index after the first newline of src[from:], in src.
func lineEnd(src []byte, from int) int {
	if i := bytes.IndexByte(src[from:], '\n'); i >= 0 {
		return from + i + 1
	}
	return len(src)
}

// cutComment returns a value that is not quoted, given the text after "=", without
// a comment and the white space around it.
func cutComment(text []byte) ([]byte, error) {
	for i, c := range text {
		switch c {
		case '#':
			if i > 0 && text[i-1] != ' ' && text[i-1] != '\t' {
				return nil, errHash
			}
			return bytes.TrimSpace(text[:i]), nil
		case '$':
			return nil, errDollar
		case '"', '\'', '`':
			return nil, errInnerQuote
		}
	}
	return bytes.TrimSpace(text), nil
}

// cutQuoted returns the quoted value at the beginning of src, including the quotes.
func cutQuoted(src []byte) ([]byte, error) {
	double := src[0] == '"'
	for i := 1; i < len(src); i++ {
		switch {
		case src[i] == src[0] && !double && src[i-1] == '\\':
			return nil, errBackslash
		case src[i] == src[0]:
			if double && loneSurrogate(src[:i]) {
				return nil, errSurrogate
			}
			return src[:i+1], nil
		case double && src[i] == '$':
			return nil, errDollar
		case double && src[i] == '\\':
			i++
		}
	}
	return nil, errUnclosed
}

// unquote parses a statement with the library. The name is "" if the statement has
// no variable. The errors of the library may contain input and are not passed on.
func unquote(statement []byte) (name, value string, err error) {
	if len(statement) >= bufio.MaxScanTokenSize {
		return "", "", errLongLine
	}
	env, err := envparse.Parse(bytes.NewReader(statement))
	if err != nil {
		return "", "", errDotenv
	}
	for name, value = range env {
		if !ValidName(name) {
			return "", "", errDotenv
		}
	}
	return name, value, nil
}

// escapeControls replaces the control characters of a quoted value, newlines
// included, with escapes of JSON, as the library expects. In a value in single
// quotes the escapes are in double quotes.
func escapeControls(value []byte) []byte {
	escape := `\u%04x`
	if value[0] == '\'' {
		escape = `'"\u%04x"'`
	}
	var b bytes.Buffer
	for _, c := range value {
		if c < ' ' {
			fmt.Fprintf(&b, escape, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.Bytes()
}
