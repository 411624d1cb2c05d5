package environ

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// asciiSpace is the white space that is stripped around a line.
const asciiSpace = " \t\v\f\r"

// Parse reads an environment of at most [MaxSize] bytes in the form f, one of
// [InputFormats]. A UTF-8 byte order mark at the start, as editors on Windows
// write it, is skipped. An input without variables is an empty environment.
//
// Errors name the line, and the variable where its name is valid; they never
// hold any part of a value.
func Parse(data []byte, f Format) (Env, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("an environment of %d bytes: the limit is %d", len(data), MaxSize)
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, errors.New("the input is UTF-16: convert it to UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	switch f {
	case Auto:
		if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
			return parseJSON(data)
		}
		return parseLines(data, true)
	case Lines:
		return parseLines(data, false)
	case JSON:
		return parseJSON(data)
	case Dotenv:
		return parseDotenv(data)
	}
	return nil, errors.New("this form of an environment cannot be read")
}

// builder collects an environment from numbered lines.
type builder struct {
	env   Env
	lines map[string]int // where each name was first given
}

func newBuilder() builder {
	return builder{make(Env), make(map[string]int)}
}

func (b *builder) add(line int, name, value string) error {
	if strings.IndexByte(value, 0) >= 0 {
		return fmt.Errorf("line %d: %s: %w", line, name, errNUL)
	}
	if first, ok := b.lines[name]; ok {
		return fmt.Errorf("line %d: %s: given before, on line %d", line, name, first)
	}
	b.env[name], b.lines[name] = value, line
	return nil
}

// ParseError is the error of lines that another format may read.
type ParseError struct {
	Reason string // with the line's number, and never its text
	Format string // which format may read it, as the flag -f of the programs has it
}

func (e *ParseError) Error() string { return e.Reason + " (" + e.Format + ")" }

func parseLines(data []byte, guessed bool) (Env, error) {
	b := newBuilder()
	n := 0
	for line := range strings.SplitSeq(string(data), "\n") {
		n++
		line = strings.Trim(line, asciiSpace)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, &ParseError{fmt.Sprintf("line %d: no \"=\": a line is NAME=VALUE", n), "-f dotenv reads values of several lines"}
		}
		if !ValidName(name) {
			return nil, &ParseError{fmt.Sprintf("line %d: what stands before \"=\" is not [A-Za-z_][A-Za-z0-9_]*", n), "-f dotenv reads \"export\" and spaces"}
		}
		if guessed && quoted(value) {
			return nil, &ParseError{fmt.Sprintf("line %d: %s: its value is in quotes", n, name), "-f dotenv removes them, -f lines keeps them"}
		}
		if err := b.add(n, name, value); err != nil {
			return nil, err
		}
	}
	return b.env, nil
}

// quoted reports whether s stands between two quotes of one kind.
func quoted(s string) bool {
	last := len(s) - 1
	return last > 0 && s[0] == s[last] && (s[0] == '"' || s[0] == '\'')
}
