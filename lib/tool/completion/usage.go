package completion

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// textColumn is where the texts of flags begin in a usage text.
const textColumn = 19

// A usage is what the usage text of a program says of its command line.
type usage struct {
	forms []form
	flags map[string]flagUsage
}

// A form is one of the ways to call a program.
type form struct {
	arguments []argument
	command   bool // "--" and a command follow
}

// An argument may be any of several things, each by its metavariable.
type argument struct {
	metavars []string
	repeated bool
}

type flagUsage struct {
	metavar string // empty: a switch
	text    string
}

var (
	synopsis = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:usage:|      ) (ms-\S+) (.*)`) })
	head     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^  -(\S+)(?: (\S+))? *$`) })
)

// parseUsage reads a usage text, which is aligned by hand as CONTRIBUTING.md says.
func parseUsage(text string) usage {
	u := usage{flags: map[string]flagUsage{}}
	lines := strings.Split(text, "\n")
	for _, line := range lines {
		m := synopsis().FindStringSubmatch(line)
		if m == nil {
			break
		}
		for each := range strings.SplitSeq(m[2], " | ") {
			u.forms = append(u.forms, parseForm(each))
		}
	}
	for i, line := range lines {
		text := ""
		if len(line) > textColumn && line[textColumn-1] == ' ' {
			line, text = line[:textColumn], line[textColumn:]
		}
		m := head().FindStringSubmatch(line)
		if m == nil {
			continue
		}
		for _, more := range lines[i+1:] {
			more, ok := strings.CutPrefix(more, strings.Repeat(" ", textColumn))
			if !ok {
				break
			}
			text += " " + more
		}
		u.flags[m[1]] = flagUsage{m[2], short(text)}
	}
	return u
}

// parseForm reads a line of the synopsis, after the program's name.
func parseForm(text string) form {
	var f form
	words := strings.Fields(text)
	for i := 0; i < len(words); i++ {
		word := strings.TrimLeft(words[i], "[")
		bare := strings.TrimRight(word, "]")
		switch {
		case bare == "--":
			f.command = true
			return f
		case bare == ">":
			return f
		case bare == "flags":
		case strings.HasPrefix(bare, "-"):
			if bare == word {
				i++ // its value
			}
		default:
			bare, repeated := strings.CutSuffix(bare, "...")
			f.arguments = append(f.arguments, argument{strings.Split(bare, "|"), repeated})
		}
	}
	return f
}

// at returns the metavariables of the argument at i, in any of the forms.
func (u usage) at(i int) []string {
	var all []string
	for _, f := range u.forms {
		last := len(f.arguments) - 1
		switch {
		case i <= last:
			all = append(all, f.arguments[i].metavars...)
		case last >= 0 && f.arguments[last].repeated:
			all = append(all, f.arguments[last].metavars...)
		}
	}
	return all
}

// command reports whether a command may follow "--".
func (u usage) command() bool {
	return slices.ContainsFunc(u.forms, func(f form) bool { return f.command })
}

// short is the first part of a flag's text.
func short(text string) string {
	text = strings.TrimSpace(text)
	for _, end := range []string{"; ", ": ", " ("} {
		if before, _, found := strings.Cut(text, end); found && before != "" {
			text = before
		}
	}
	return text
}
