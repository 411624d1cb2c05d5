package environ

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/go-envparse"
)

// parseDotenv reads what the readers of .env files agree about, and nothing is
// expanded: a value is bare, up to the end of its line or a # after white
// space; or in single quotes, literal; or in double quotes, with the escapes of
// JSON. Quoted values may go over several lines. Where the readers differ (a $
// outside single quotes, a # or a quote inside a bare value) it is an error,
// since whichever was meant, some reader would store another value.
func parseDotenv(data []byte) (Env, error) {
	b := newBuilder()
	rest := bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	for line := 1; len(rest) > 0; {
		size, err := statement(rest)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		name, value, err := unquote(rest[:size])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
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
	errHash       = errors.New(`a "#" right after text, which only some readers of .env files take for a comment: put the value in quotes`)
	errBareQuote  = errors.New("a quote inside a value that is not in quotes: put the whole value in quotes")
	errAfterQuote = errors.New("text after the closing quote")
	errUnclosed   = errors.New("a quote that is never closed")
	errDotenv     = errors.New(`not NAME=VALUE with a plain, quoted or escaped VALUE as .env files have it (in double quotes only \n \r \t \b \f \" \\ \/ \uXXXX)`)
)

// statement returns the length of the first line of src, with all lines that a
// quoted value goes over and the newline at its end.
func statement(src []byte) (int, error) {
	end := lineEnd(src, 0)
	trimmed := bytes.TrimLeft(src[:end], asciiSpace)
	eq := bytes.IndexByte(src[:end], '=')
	if eq < 0 || bytes.HasPrefix(trimmed, []byte("#")) {
		return end, nil
	}
	start := eq + 1
	for start < end && strings.IndexByte(asciiSpace, src[start]) >= 0 {
		start++
	}
	if start == end || src[start] != '"' && src[start] != '\'' {
		return end, checkBare(src[eq+1 : end])
	}
	size := closingQuote(src[start:])
	if size < 0 {
		return 0, errUnclosed
	}
	if src[start] == '"' && bytes.IndexByte(src[start:start+size], '$') >= 0 {
		return 0, errDollar
	}
	end = lineEnd(src, start+size)
	after := bytes.TrimLeft(src[start+size:end], asciiSpace+"\n")
	if len(after) > 0 && after[0] != '#' {
		return 0, errAfterQuote
	}
	return end, nil
}

// lineEnd returns the index after the first newline in src at or after from.
func lineEnd(src []byte, from int) int {
	if i := bytes.IndexByte(src[from:], '\n'); i >= 0 {
		return from + i + 1
	}
	return len(src)
}

// closingQuote returns the length of the quoted text that src begins with,
// both quotes included, or -1.
func closingQuote(src []byte) int {
	for i := 1; i < len(src); i++ {
		switch {
		case src[i] == src[0]:
			return i + 1
		case src[i] == '\\' && src[0] == '"':
			i++
		}
	}
	return -1
}

// checkBare checks a value without quotes, which may have a comment.
func checkBare(value []byte) error {
	for i, c := range value {
		switch c {
		case '#':
			if i == 0 || value[i-1] == ' ' || value[i-1] == '\t' {
				return nil
			}
			return errHash
		case '$':
			return errDollar
		case '"', '\'', '`':
			return errBareQuote
		}
	}
	return nil
}

// unquote takes a statement apart with the library, whose errors can hold text
// of the input and are not passed on. A line without a variable gives "".
//
// The library reads single lines of at most 64 KiB without control characters.
// It joins quoted parts that touch, so that one can be put as an escape.
func unquote(statement []byte) (name, value string, err error) {
	line := bytes.TrimSpace(statement)
	quote := byte('"')
	if eq := bytes.IndexByte(line, '='); eq >= 0 && bytes.HasPrefix(bytes.TrimLeft(line[eq+1:], asciiSpace), []byte("'")) {
		quote = '\''
	}
	env, err := envparse.Parse(bytes.NewReader(escapeControls(line, quote)))
	if err != nil {
		return "", "", errDotenv
	}
	for name, value = range env {
		if !ValidName(name) {
			return "", "", errDotenv
		}
		// An unpaired surrogate comes out as U+FFFD.
		if strings.ContainsRune(value, utf8.RuneError) && bytes.Contains(line, []byte(`\u`)) {
			return "", "", errDotenv
		}
	}
	return name, value, nil
}

// escapeControls writes the control characters inside a quoted value as JSON
// escapes.
func escapeControls(line []byte, quote byte) []byte {
	format := `\u%04x`
	if quote == '\'' {
		format = `'"\u%04x"'`
	}
	var b bytes.Buffer
	for _, c := range line {
		if c < ' ' {
			fmt.Fprintf(&b, format, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.Bytes()
}
