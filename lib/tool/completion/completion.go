// Package completion completes the command lines of the programs in a shell. What
// it knows of a program is its usage text, for what the values and arguments are,
// and its flags, for which there are: tests hold the two to each other, so that a
// new program is completed without a line here.
//
// The shell's script asks "ms completion SHELL" with the line so far, and gets a
// line that says how to complete, and a line for each word: data, which the shell
// is never to evaluate. Nothing is asked of a person, no program is run, nothing is
// written on standard error, and after a second there is no answer.
package completion

import (
	"context"
	"flag"
	"path/filepath"
	"slices"
	"strings"

	"microsecrets/lib/tool"
	"microsecrets/lib/tool/suite"
)

// A Word is what the word under the cursor can become. One that ends in "/" or "="
// goes on.
type Word struct {
	Text  string
	About string // for a person; may be empty
}

// How the shell is to complete.
const (
	words   = "words"   // by the words of the answer, of which there may be none
	files   = "files"   // by the names of files
	folders = "folders" // by the names of folders
	command = "command" // as the command line after "--" is completed
)

// An answer is how the word under the cursor can be completed.
type answer struct {
	how   string
	words []Word
}

// kinds says what the metavariables of the usage texts stand for. They mean the
// same in every program.
var kinds = map[string]string{
	"FILE": files, "PATH": files, "SEALED": files, "DIR": folders,

	// Names of secrets.
	"NAME": name, "NEWNAME": name, "OTHER": name, "SOURCE": name, "SERVICE/NAME": name,
	"PREFIX/": name, "PREFIX": name, "NEWPREFIX/": name, "OTHERPREFIX/": name, "SERVICE": service,

	// Those that the flag itself knows, as by tool.Format.
	"FORMAT": words, "SSE": words, "ROLE": words,

	// What nobody but the user knows.
	"DAYS": none, "DURATION": none, "HASH": none, "ID": none, "KEY": none, "KEYS": none, "LINE": none, "PROFILE": none,
	"REGION": none, "STORE": none, "TEXT": none, "TIME": none, "VAR": none, "VARS": none, "VERSION": none,
}

const (
	name    = "name"
	service = "service"
	none    = "none"
)

// complete completes the word current, which follows line: the words before it, of
// which the first is the command. Others are the programs that are not of the suite.
func complete(ctx context.Context, line []string, current string, others func() []Word) answer {
	if len(line) == 0 {
		return answer{how: words}
	}
	called, args := strings.TrimSuffix(filepath.Base(line[0]), ".exe"), line[1:]
	if called == "ms" {
		if len(args) == 0 || args[0] == "help" || args[0] == "completion" {
			return front(args, current, others)
		}
		called, args = "ms-"+args[0], args[1:]
	}
	p, ok := suite.Find(called)
	if !ok {
		return answer{how: files}
	}
	d := tool.Describe(p.Run)
	c := &call{usage: parseUsage(p.Usage), flags: d.Flags, tool: d.Tool}
	return c.complete(ctx, args, current)
}

// front completes what ms itself takes.
func front(args []string, current string, others func() []Word) answer {
	var programs []Word
	for _, p := range suite.Programs {
		programs = append(programs, Word{strings.TrimPrefix(p.Name, "ms-"), p.Purpose})
	}
	programs = append(programs, others()...)
	switch {
	case len(args) == 0 && strings.HasPrefix(current, "-"):
		return chosen(current, Word{"-h", "print the usage and the programs"}, Word{"-version", "print the version"})
	case len(args) == 0:
		return chosen(current, append(programs, Word{"help", "show the manual page of a program"}, Word{"completion", "print a script of completion for a shell"})...)
	case len(args) == 1 && args[0] == "help":
		return chosen(current, programs...)
	case len(args) == 1 && args[0] == "completion":
		var shells []Word
		for _, s := range Shells {
			shells = append(shells, Word{Text: s})
		}
		return chosen(current, shells...)
	}
	return answer{how: words}
}

// chosen answers with those of all that begin with current.
func chosen(current string, all ...Word) answer {
	return answer{words, slices.DeleteFunc(all, func(w Word) bool { return !strings.HasPrefix(w.Text, current) })}
}

// A call is the command line of a program.
type call struct {
	usage
	flags *flag.FlagSet
	tool  *tool.Tool // nil if the program has no settings
	ended bool       // "--" was given: what begins with "-" is no flag
}

func (c *call) complete(ctx context.Context, args []string, current string) answer {
	given, pending := 0, "" // arguments; the flag that current is the value of
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--" && c.command():
			return answer{how: command}
		case given > 0 || c.ended || len(arg) < 2 || arg[0] != '-':
			given++
		case arg == "--":
			c.ended = true
		default:
			name, value, ok := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
			f := c.flags.Lookup(name)
			switch {
			case f == nil:
				continue
			case !ok && isSwitch(f):
				value = "true"
			case !ok && i == len(args)-1:
				pending = name
				continue
			case !ok:
				i++
				value = args[i]
			}
			_ = f.Value.Set(value) // what it refuses is for the program to say
		}
	}
	switch {
	case pending != "":
		return c.value(ctx, pending, "", current)
	case given == 0 && !c.ended && strings.HasPrefix(current, "-"):
		if flag, value, ok := strings.Cut(current, "="); ok {
			return c.value(ctx, strings.TrimPrefix(flag[1:], "-"), flag+"=", value)
		}
		return c.names(current)
	}
	return c.argument(ctx, c.at(given), current)
}

func isSwitch(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// names completes the name of a flag, after one dash or two.
func (c *call) names(current string) answer {
	dashes := "-"
	if strings.HasPrefix(current, "--") {
		dashes = "--"
	}
	var all []Word
	for name, f := range c.usage.flags {
		all = append(all, Word{dashes + name, f.text})
	}
	slices.SortFunc(all, func(a, b Word) int { return strings.Compare(a.Text, b.Text) })
	return chosen(current, all...)
}

// value completes the value of a flag. Before is what stands before it in the same
// word.
func (c *call) value(ctx context.Context, name, before, current string) answer {
	f := c.flags.Lookup(name)
	if f == nil {
		return answer{how: words}
	}
	c.ended = true // a value may begin with "-"
	a := answer{how: words}
	if w, ok := f.Value.(interface{ Words() []string }); ok {
		for _, word := range w.Words() {
			a.words = append(a.words, Word{Text: word})
		}
		a = chosen(current, a.words...)
	}
	if len(a.words) == 0 {
		a = c.argument(ctx, strings.Split(c.usage.flags[name].metavar, "|"), current)
	}
	return a.after(before)
}

// after puts what stands before the words in the same word there.
func (a answer) after(before string) answer {
	for i := range a.words {
		a.words[i].Text = before + a.words[i].Text
	}
	return a
}

// argument completes what may be any of several metavariables.
func (c *call) argument(ctx context.Context, metavars []string, current string) answer {
	if slices.Contains(metavars, "SOURCE") {
		metavars = append(metavars, "VAR=SERVICE/NAME")
	}
	a := answer{how: words}
	seen := map[string]bool{}
	for _, m := range metavars {
		left, right, pair := strings.Cut(m, "=")
		before, value, typed := strings.Cut(current, "=")
		var of answer
		switch {
		case pair && typed && (left != "VAR" || !strings.Contains(before, "/")):
			of = c.single(ctx, right, value, true).after(before + "=")
		case seen[kinds[left]]:
			continue
		default:
			of = c.single(ctx, left, current, c.ended)
			seen[name] = seen[name] || kinds[left] == name
		}
		if of.how != words {
			a.how = of.how
		}
		a.words = append(a.words, of.words...)
	}
	return a
}

// single completes what one metavariable stands for.
func (c *call) single(ctx context.Context, metavar, current string, dash bool) answer {
	switch kind := kinds[metavar]; kind {
	case files, folders:
		return answer{how: kind}
	case name, service:
		if c.tool == nil {
			break
		}
		a := answer{how: words}
		for _, n := range list(ctx, c.tool, current) {
			switch {
			case n == "-", !dash && strings.HasPrefix(n, "-"): // names on standard input; a flag
				continue
			case metavar == "SOURCE" && isPair(n): // it would be taken for VAR=NAME
				continue
			case metavar == "SERVICE/NAME" && !strings.Contains(n, "/"):
				continue
			case kind == service && !strings.HasSuffix(n, "/"):
				continue
			case kind == service:
				n = strings.TrimSuffix(n, "/")
			}
			a.words = append(a.words, Word{Text: n})
		}
		return a
	}
	if metavar == strings.ToLower(metavar) { // a word, as it is written
		return chosen(current, Word{Text: metavar})
	}
	return answer{how: words}
}

// isPair reports whether ms-exec takes a SOURCE for VAR=NAME.
func isPair(source string) bool {
	before, _, ok := strings.Cut(source, "=")
	return ok && !strings.Contains(before, "/")
}
