package environ

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	errNotObject = errors.New("the JSON is not an object of strings")
	errSurrogate = errors.New("half of a surrogate pair, which is not a character")
)

// parseJSON parses an object of strings according to RFC 8259. encoding/json keeps
// the last of several members with one name and replaces invalid Unicode with
// U+FFFD; here both are errors.
func parseJSON(data []byte, rename func(string) string) (Env, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("the JSON is not valid UTF-8")
	}
	var syntax *json.SyntaxError
	if err := json.Unmarshal(data, new(json.RawMessage)); errors.As(err, &syntax) {
		return nil, &lineError{lineAt(data, syntax.Offset), fmt.Errorf("not valid JSON at byte %d", syntax.Offset)}
	} else if err != nil {
		return nil, errNotObject
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotObject
	}
	env := make(Env)
	for member := 1; d.More(); member++ {
		if err := parseMember(d, data, member, env, rename); err != nil {
			return nil, &lineError{lineAt(data, d.InputOffset()), err}
		}
	}
	return env, nil
}

// lineAt is the number of the line, from 1, that holds the byte before an offset.
func lineAt(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:max(0, min(offset, int64(len(data)))-1)], []byte("\n"))
}

// parseMember parses one member of the object that d reads from data. The first
// has number 1.
func parseMember(d *json.Decoder, data []byte, number int, env Env, rename func(string) string) error {
	t, err := d.Token()
	name, ok := t.(string)
	if err != nil || !ok {
		return errNotObject
	}
	if name = rename(name); !ValidName(name) {
		return fmt.Errorf("member %d: its name is not [A-Za-z_][A-Za-z0-9_]*", number)
	}
	if _, ok := env[name]; ok {
		return fmt.Errorf("%s: given twice", name)
	}
	start := d.InputOffset()
	t, err = d.Token()
	if err != nil {
		return fmt.Errorf("%s: its value is not a string", name)
	}
	value, ok := t.(string)
	switch {
	case !ok:
		return fmt.Errorf("%s: its value is not a string: put it in quotes%s", name, nested(t))
	case loneSurrogate(data[start:d.InputOffset()]):
		return fmt.Errorf("%s: its value contains %w", name, errSurrogate)
	case strings.IndexByte(value, 0) >= 0:
		return fmt.Errorf("%s: %w", name, errNUL)
	}
	env[name] = value
	return nil
}

// nested says what may be done about a value that is JSON itself.
func nested(t json.Token) string {
	if _, ok := t.(json.Delim); ok {
		return ", as a text that holds JSON (jq tojson)"
	}
	return ""
}

// loneSurrogate reports whether s contains an escape \uXXXX of a surrogate that is
// not part of a pair. The last byte of s must not be a backslash.
func loneSurrogate(s []byte) bool {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return false
		}
		r, size := escape(s[i:])
		if utf16.IsSurrogate(r) {
			low, lowSize := escape(s[i+size:])
			if utf16.DecodeRune(r, low) == utf8.RuneError {
				return true
			}
			size += lowSize
		}
		s = s[i+size:]
	}
}

// escape returns the code unit of the escape at the beginning of s if that is
// \uXXXX, otherwise -1, and the length of the escape.
func escape(s []byte) (unit rune, size int) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1, 2
	}
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	if err != nil {
		return -1, 2
	}
	return rune(n), 6
}
