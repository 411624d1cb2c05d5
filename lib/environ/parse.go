package environ

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// asciiSpace is the white space that is stripped from both ends of a line.
const asciiSpace = " \t\v\f\r"

// Parse parses an environment of at most [MaxSize] bytes in the format f, one of
// [InputFormats]. It skips a UTF-8 byte order mark at the beginning, which editors
// on Windows write. An input without variables is an empty environment.
//
// Errors give the number of the line, and the name of the variable if it is a
// valid one. They never contain any part of a value.
func Parse(data []byte, f Format) (Env, error) {
	return parse(data, f, asIs)
}

func asIs(name string) string { return name }

// ParseUpper is [Parse] for names as chamber stores them: each is put in upper case,
// with "_" for "-". Two that become one are an error.
func ParseUpper(data []byte, f Format) (Env, error) { return parse(data, f, upper) }

// upper is a name in upper case, with "_" for "-". It changes ASCII only: no other
// letter must become a valid one.
func upper(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case r == '-':
			return '_'
		}
		return r
	}, name)
}

// parse parses data, in which rename is applied to each name before anything is made
// of it.
func parse(data []byte, f Format, rename func(string) string) (Env, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("the environment has %d bytes, more than %d", len(data), MaxSize)
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, errors.New("the input is UTF-16: convert it to UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	switch f {
	case Auto:
		if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
			return parseJSON(data, rename)
		}
		return parseLines(data, true, rename)
	case Lines:
		return parseLines(data, false, rename)
	case JSON:
		return parseJSON(data, rename)
	case Dotenv:
		return parseDotenv(data, rename)
	}
	return nil, errors.New("this format of an environment cannot be parsed")
}

// A builder collects variables from numbered lines.
type builder struct {
	env   Env
	lines map[string]int // of the first variable of each name
}

func newBuilder() builder {
	return builder{make(Env), make(map[string]int)}
}

func (b *builder) add(line int, name, value string) error {
	if strings.IndexByte(value, 0) >= 0 {
		return fmt.Errorf("line %d: %s: %w", line, name, errNUL)
	}
	if first, ok := b.lines[name]; ok {
		return fmt.Errorf("line %d: %s: already given on line %d", line, name, first)
	}
	b.env[name], b.lines[name] = value, line
	return nil
}

// A ParseError is the error for lines that [Parse] may accept in another format.
type ParseError struct {
	Reason string // what is wrong in which line, without the text of the line
	Format string // the format that may accept it, as a flag, and what it does
}

func (e *ParseError) Error() string { return e.Reason + " (" + e.Format + ")" }

func parseLines(data []byte, guessed bool, rename func(string) string) (Env, error) {
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
			return nil, &ParseError{fmt.Sprintf("line %d: no \"=\": a line is NAME=VALUE", n), "-f dotenv reads values that span lines"}
		}
		if name = rename(name); !ValidName(name) {
			return nil, &ParseError{fmt.Sprintf("line %d: the text before \"=\" is not [A-Za-z_][A-Za-z0-9_]*", n), "-f dotenv accepts \"export\" and spaces"}
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

// quoted reports whether s is enclosed in quotes of one kind.
func quoted(s string) bool {
	last := len(s) - 1
	return last > 0 && s[0] == s[last] && (s[0] == '"' || s[0] == '\'')
}
