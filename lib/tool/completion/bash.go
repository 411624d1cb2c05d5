package completion

import "strings"

// bashLine is the command line of bash up to the cursor, taken apart.
type bashLine struct {
	words    []string // before the one under the cursor
	current  string   // the word under the cursor
	kept     int      // how many of its bytes stay: readline completes what follows them
	quote    byte     // the quote that is open at the cursor, or 0
	toFile   bool     // the word names a file: input or output is redirected
	computed bool     // the word holds what only the shell can expand
}

// parseBash takes a simple command apart as bash does, and expands nothing. Breaks
// are the characters after which readline begins a word anew: COMP_WORDBREAKS.
func parseBash(line, breaks string) bashLine {
	var l bashLine
	var word strings.Builder
	begun, afterBreak, afterQuote := false, 0, 0
	end := func() {
		if begun && !l.toFile {
			l.words = append(l.words, word.String())
		}
		l.toFile = l.toFile && !begun
		word.Reset()
		begun, l.computed, afterBreak = false, false, 0
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case l.quote != 0 && c == l.quote:
			l.quote = 0
		case l.quote == '\'':
			word.WriteByte(c)
		case c == '\\':
			begun = true
			if i++; i == len(line) {
				break
			}
			if l.quote != 0 && strings.IndexByte("$`\"\\", line[i]) < 0 {
				word.WriteByte('\\')
			}
			word.WriteByte(line[i])
		case c == '$' || c == '`':
			begun, l.computed = true, true
			word.WriteByte(c)
		case l.quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			begun, l.quote, afterQuote = true, c, word.Len()
		case c == '<' || c == '>':
			begun = strings.Trim(word.String(), "0123456789") != "" // but for 2>FILE
			end()
			l.toFile = true
		case strings.IndexByte(" \t\n;|&()", c) >= 0:
			end()
		default:
			begun = true
			word.WriteByte(c)
			if strings.IndexByte(breaks, c) >= 0 {
				afterBreak = word.Len()
			}
			if c == '@' { // a part of what follows, which may be a host's name
				afterBreak = min(afterBreak, word.Len()-1)
			}
		}
	}
	l.current, l.kept = word.String(), afterBreak
	if l.quote != 0 {
		l.kept = afterQuote
	}
	return l
}

// replace returns what readline is to put in the place of the bytes of the word that
// do not stay, for the word to become text. It is literal to bash, whatever it
// holds: names of secrets have no control characters. Readline ends the quote that is
// open; where none is, a space ends a word that does not go on.
func (l bashLine) replace(text string) string {
	text = text[l.kept:]
	switch l.quote {
	case '\'':
		return strings.ReplaceAll(text, "'", `'\''`)
	case '"':
		return inDoubleQuotes.Replace(text)
	}
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		plain := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= 0x80 || strings.IndexByte("/._-+:=@%,", c) >= 0
		if !plain {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	if !goesOn(text) {
		b.WriteByte(' ')
	}
	return b.String()
}

// inDoubleQuotes quotes what has a meaning between double quotes. A "!" has one that
// a backslash takes away only outside of them.
var inDoubleQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`", "!", `"\!"`)

// goesOn reports whether more follows in the same word.
func goesOn(text string) bool { return strings.HasSuffix(text, "/") || strings.HasSuffix(text, "=") }
