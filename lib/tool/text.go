package tool

import (
	"unicode"
	"unicode/utf8"
)

// NotText reports whether a character, as package utf8 decodes it from size bytes, is
// none of a text: no UTF-8, or one that would move a terminal's cursor or change what
// is shown. Tab, newline and carriage return are text.
func NotText(r rune, size int) bool {
	return r == utf8.RuneError && size == 1 ||
		unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' || unicode.Is(unicode.Bidi_Control, r)
}

// IsText reports whether bytes are text and nothing else.
func IsText(b []byte) bool {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if NotText(r, size) {
			return false
		}
		b = b[size:]
	}
	return true
}
