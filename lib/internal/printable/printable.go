// Package printable makes text that others wrote safe to show: nothing that a
// server or the writer of an object sends may move a terminal's cursor, add a
// line, or pass for another text.
package printable

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// The bounds on what others can put on the user's terminal, in bytes.
const (
	lineMax  = 400
	quoteMax = 256
	tokenMax = 1024
)

// Line returns text as one printable line of at most 400 bytes.
func Line(text string) string {
	if len(text) > lineMax {
		text = text[:lineMax] + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// Quote returns text as a Go string of ASCII, cut after 256 bytes.
func Quote(text string) string {
	if len(text) > quoteMax {
		return strconv.QuoteToASCII(text[:quoteMax]) + "…"
	}
	return strconv.QuoteToASCII(text)
}

// Word reports whether text is 1 to max ASCII letters, digits and others.
func Word(text string, max int, others string) bool {
	for _, c := range []byte(text) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(others, c) >= 0) {
			return false
		}
	}
	return text != "" && len(text) <= max
}

// Path returns a path as it is, or quoted if not all of it can be printed.
func Path(path string) string {
	if utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return path
	}
	return strconv.Quote(path)
}

// Token reports whether text can be an ETag, a version id, an upload id or the
// like: 1 to 1,024 characters of printable ASCII without a space.
func Token(text string) bool {
	return text != "" && len(text) <= tokenMax && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// JSON returns JSON in ASCII: what a terminal might take for a command, or a reader
// for another character, is escaped.
func JSON(text []byte) []byte {
	var b []byte
	for _, r := range string(text) {
		switch {
		case r < 0x7f:
			b = append(b, byte(r))
		case r <= 0xffff:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		}
	}
	return b
}
