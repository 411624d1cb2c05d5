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
		return atLine(line, fmt.Errorf("%s: %w", name, errNUL))
	}
	if first, ok := b.lines[name]; ok {
		return atLine(line, fmt.Errorf("%s: already given on line %d", name, first))
	}
	b.env[name], b.lines[name] = value, line
	return nil
}

// Line returns the number of the line, from 1, at which [Parse] found what its error
// tells, or 0 if that is in no one line.
func Line(err error) int {
	var line *lineError
	var other *ParseError
	switch {
	case errors.As(err, &line):
		return line.line
	case errors.As(err, &other):
		return other.Line
	}
	return 0
}

// lineError is an error in a line.
type lineError struct {
	line int
	err  error // its text names the line where people count lines
}

func (e *lineError) Error() string { return e.err.Error() }
func (e *lineError) Unwrap() error { return e.err }

// atLine returns the error of a line, which its text names first.
func atLine(line int, err error) error {
	return &lineError{line, fmt.Errorf("line %d: %w", line, err)}
}

// A ParseError is the error for lines that [Parse] may accept in another format.
type ParseError struct {
	Line   int    // from 1
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
			return nil, &ParseError{n, fmt.Sprintf("line %d: no \"=\": a line is NAME=VALUE", n), "-f dotenv reads values that span lines"}
		}
		if name = rename(name); !ValidName(name) {
			return nil, &ParseError{n, fmt.Sprintf("line %d: the text before \"=\" is not [A-Za-z_][A-Za-z0-9_]*", n), "-f dotenv accepts \"export\" and spaces"}
		}
		if guessed && quoted(value) {
			return nil, &ParseError{n, fmt.Sprintf("line %d: %s: its value is in quotes", n, name), "-f dotenv removes them, -f lines keeps them"}
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
