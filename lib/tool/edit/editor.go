package edit

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"microsecrets/lib/environ"
	"microsecrets/lib/tool"
)

// An editor is the command line of one, and what is known of its program.
type editor struct {
	from    string // the variable that it is from; empty: none
	command string // for sh
	kind    kind
}

// A kind is what a program does with its arguments.
type kind int

const (
	unknown  kind = iota
	vim           // vi, vim, nvim: it takes flags to leave nothing behind
	vi            // another vi
	busybox       // its vi
	plus          // +LINE before a file
	colon         // FILE:LINE
	gotoFlag      // -g FILE:LINE
)

// kinds are the programs that can be told the line, by name.
var kinds = map[string]kind{
	"vim": vim, "nvim": vim, "gvim": vim, "mvim": vim, "vimx": vim,
	"nvi": vi, "vis": vi, "elvis": vi, "vile": vi, "busybox": busybox,
	"nano": plus, "rnano": plus, "pico": plus, "emacs": plus, "emacsclient": plus, "mg": plus, "zile": plus, "joe": plus, "jmacs": plus, "jstar": plus, "jpico": plus,
	"ne": plus, "mcedit": plus, "micro": plus, "kak": plus, "gedit": plus,
	"hx": colon, "helix": colon, "subl": colon, "zed": colon,
	"code": gotoFlag, "code-insiders": gotoFlag, "codium": gotoFlag, "vscodium": gotoFlag, "cursor": gotoFlag,
}

// findEditor returns what the variables name, of which empty ones do not count, or vi.
func findEditor(getenv func(string) string) editor {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if command := getenv(name); strings.TrimSpace(command) != "" {
			return newEditor(name, command)
		}
	}
	return newEditor("", "vi")
}

func newEditor(from, command string) editor {
	e := editor{from: from, command: command}
	word := program(command)
	if word == "" {
		return e
	}
	if e.kind = kindOf(word); e.kind != unknown {
		return e
	}
	if name := filepath.Base(word); name != "vi" && name != "view" && name != "ex" {
		return e
	}
	e.kind = vi
	path, err := tool.FindCommand(word)
	if err != nil {
		return e
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if k := kindOf(path); k != unknown {
		e.kind = k
	} else if isVim(path) {
		e.kind = vim
	}
	return e
}

// stems are names after which anything but a letter may follow: vim.tiny, emacs-nox.
var stems = []string{"vim", "nvim", "emacs"}

// kindOf is the kind of a program by its name.
func kindOf(program string) kind {
	name := filepath.Base(program)
	if k := kinds[name]; k != unknown {
		return k
	}
	for _, stem := range stems {
		if rest, ok := strings.CutPrefix(name, stem); ok && rest != "" && (rest[0] < 'A' || rest[0] > 'z') {
			return kinds[stem]
		}
	}
	return unknown
}

// isVim reports whether a program that is called vi is a small Vim, or a script that
// runs one, as some distributions have it. It is not run to find out.
func isVim(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 16<<20))
	if err != nil {
		return false
	}
	if bytes.HasPrefix(text, []byte("#!")) {
		return namesVim(text)
	}
	return bytes.Contains(text, []byte("Vi IMproved"))
}

// namesVim reports whether a script has vim or nvim as a word.
func namesVim(script []byte) bool {
	return slices.ContainsFunc(bytes.FieldsFunc(script, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}),
		func(word []byte) bool { return string(word) == "vim" || string(word) == "nvim" })
}

// isAssignment reports whether a word sets a variable for the command after it.
func isAssignment(word string) bool {
	name, _, ok := strings.Cut(word, "=")
	return ok && environ.ValidName(name)
}

// before are programs that run the program that follows them.
var before = []string{"env", "exec", "nice", "command"}

// program is the word of a command line that names its program, without its quotes, or
// empty if that takes more of a shell than this to find.
func program(command string) string {
	for rest := strings.TrimLeft(command, " \t\n"); rest != ""; {
		var word strings.Builder
		var quote byte
		i := 0
	scan:
		for ; i < len(rest); i++ {
			c := rest[i]
			switch {
			case quote != '\'' && (c == '$' || c == '`'):
				return ""
			case quote == '\'' && c != '\'', quote == '"' && c != '"' && c != '\\':
				word.WriteByte(c)
			case quote != 0 && c == quote:
				quote = 0
			case c == '"', c == '\'':
				quote = c
			case c == '\\' && i+1 < len(rest):
				i++
				word.WriteByte(rest[i])
			case c == ' ', c == '\t', c == '\n':
				break scan
			case strings.IndexByte(";&|<>()", c) >= 0:
				return ""
			default:
				word.WriteByte(c)
			}
		}
		if quote != 0 {
			return ""
		}
		if w := word.String(); !isAssignment(w) && !slices.Contains(before, filepath.Base(w)) {
			return w
		}
		rest = strings.TrimLeft(rest[i:], " \t\n")
	}
	return ""
}

// isPlain reports whether a command line holds nothing that a shell must interpret but
// white space.
func isPlain(command string) bool {
	return !strings.ContainsFunc(command, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("_./+@%,:= \t-", r)
	})
}

// script is what sh -c runs; the arguments follow. Where it can be told that one program
// is run, that takes the place of the shell, so that it is the one that gets signals.
func (e editor) script() string {
	if isPlain(e.command) {
		word := strings.Fields(e.command)[0]
		if _, err := tool.FindCommand(word); err == nil && !isAssignment(word) {
			return "exec " + e.command + ` "$@"`
		}
	}
	return e.command + ` "$@"`
}

// leaveNothing are the flags of Vim by which it keeps no text elsewhere than in the
// file: no swap file, no .viminfo, which has what was deleted and copied, and, after
// the user's own settings, no backup and no undo file. A small Vim lacks some.
var leaveNothing = []string{
	"-n", "-i", "NONE",
	"-c", "silent! set noswapfile nobackup nowritebackup patchmode=",
	"-c", "silent! set noundofile",
	"-c", "silent! set viminfo=",
}

// args are the arguments that open a file, at a line unless that is 0.
func (e editor) args(file string, line int) []string {
	var args []string
	if e.kind == vim {
		args = slices.Clone(leaveNothing)
		if name := filepath.Base(program(e.command)); strings.HasPrefix(name, "gvim") || strings.HasPrefix(name, "mvim") {
			args = append(args, "-f") // it would not be waited for
		}
	}
	at := strconv.Itoa(line)
	switch {
	case line == 0:
	case e.kind == vim, e.kind == vi, e.kind == plus:
		args = append(args, "+"+at)
	case e.kind == busybox:
		args = append(args, "-c", at)
	case e.kind == colon:
		return append(args, file+":"+at)
	case e.kind == gotoFlag:
		return append(args, "-g", file+":"+at)
	}
	return append(args, file)
}

// private reports whether the program makes its temporary files in TMPDIR and needs
// that for nothing else, so that they can be beside the file.
func (e editor) private() bool {
	return e.kind == vim || e.kind == vi || e.kind == busybox || slices.Contains([]string{"nano", "rnano", "pico"}, filepath.Base(program(e.command)))
}

// String is the editor in messages. What the variable holds is not shown.
func (e editor) String() string {
	if e.from == "" {
		return "vi"
	}
	return "the editor in " + e.from
}
