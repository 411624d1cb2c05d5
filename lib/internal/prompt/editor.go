//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package prompt

import (
	"bytes"
	"slices"
	"unicode"
	"unicode/utf8"
)

// The keys that edit a line besides those that the terminal has for it, as
// shells have them.
const (
	ctrlA     = 0x01 // to the beginning
	ctrlB     = 0x02 // back
	ctrlE     = 0x05 // to the end
	ctrlF     = 0x06 // forward
	backspace = 0x08
	ctrlK     = 0x0b // erase what follows
	escape    = 0x1b
	del       = 0x7f
)

// editor is a line that is being typed.
type editor struct {
	erase, word, kill, end byte // keys of the terminal; noKey: none

	line     []byte
	at       int    // where the next byte goes
	sequence []byte // an escape sequence that is not whole yet
}

// key takes a byte that was typed, and reports whether it ends the line.
func (e *editor) key(c byte) (done bool, err error) {
	switch {
	case len(e.sequence) > 0:
		return false, e.escaped(c)
	case c == '\n', c == '\r', c == e.end && c != noKey:
		if bytes.ContainsFunc(e.line, unicode.IsControl) { // of two bytes or more
			return false, ErrKey
		}
		return true, nil
	case c == e.erase && c != noKey, c == backspace, c == del:
		e.delete(e.back(), e.at)
	case c == e.word && c != noKey:
		from := bytes.TrimRight(e.line[:e.at], " ")
		e.delete(bytes.LastIndexByte(from, ' ')+1, e.at)
	case c == e.kill && c != noKey:
		e.delete(0, len(e.line))
	case c == ctrlK:
		e.delete(e.at, len(e.line))
	case c == ctrlA:
		e.at = 0
	case c == ctrlE:
		e.at = len(e.line)
	case c == ctrlB:
		e.at = e.back()
	case c == ctrlF:
		e.at = e.forward()
	case c == escape:
		e.sequence = append(e.sequence, c)
	case c < ' ':
		return false, ErrKey
	default:
		e.line = slices.Insert(e.line, e.at, c)
		e.at++
	}
	return false, nil
}

// escaped takes a byte of an escape sequence.
func (e *editor) escaped(c byte) error {
	e.sequence = append(e.sequence, c)
	switch string(e.sequence[1:]) {
	case "[", "O", "[1", "[3", "[4", "[7", "[8":
		return nil // there is more to come
	case "[D", "OD": // Left
		e.at = e.back()
	case "[C", "OC": // Right
		e.at = e.forward()
	case "[H", "OH", "[1~", "[7~": // Home
		e.at = 0
	case "[F", "OF", "[4~", "[8~": // End
		e.at = len(e.line)
	case "[3~": // Delete
		e.delete(e.at, e.forward())
	case "[A", "OA", "[B", "OB": // Up and Down: there is one line
	default:
		return ErrKey
	}
	e.sequence = e.sequence[:0]
	return nil
}

// back is where the character before the cursor begins, forward where the one
// after it ends.
func (e *editor) back() int {
	_, size := utf8.DecodeLastRune(e.line[:e.at])
	return e.at - size
}

func (e *editor) forward() int {
	_, size := utf8.DecodeRune(e.line[e.at:])
	return e.at + size
}

func (e *editor) delete(from, to int) {
	e.line = slices.Delete(e.line, from, to)
	e.at = from
}
