package environ

import (
	"cmp"
	_ "embed" // unsafe.txt
	"iter"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// An UnsafeRule is one row of the list of unsafe variables: those whose value
// makes a program that inherits them run, load, write or trust what it says.
type UnsafeRule struct {
	Names   []string // "*" matches any text, including none
	Program string   // the program that is subverted
	Effect  string   // what the program does with the value
	anyCase bool     // the program ignores the case of the name
}

//go:embed unsafe.txt
var unsafeText string

// unsafeRules parses the list when it is first used: most runs need none of it.
var unsafeRules = sync.OnceValue(func() []UnsafeRule {
	var rules []UnsafeRule
	for line := range strings.Lines(unsafeText) {
		names, indented := strings.CutPrefix(line, "\t")
		program, effect, ok := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case indented:
			last := &rules[len(rules)-1]
			last.Names = append(last.Names, strings.Fields(names)...)
		case ok && line[0] != '#':
			anyCase := runtime.GOOS == "windows" || strings.HasSuffix(program, "(any case)")
			rules = append(rules, UnsafeRule{nil, program, effect, anyCase})
		}
	}
	return rules
})

// UnsafeRules returns the rows of the list of unsafe variables, in order.
func UnsafeRules() iter.Seq[UnsafeRule] {
	return slices.Values(unsafeRules())
}

// Unsafe reports whether the value of the variable of that name can run code,
// write a file, choose whom to trust or turn off a protection in a program that
// inherits it. The reason names the program and says what it does with the
// value. On Windows case is ignored.
//
// The list is never complete: the protection is [Filter.Only], which lists the
// names that may be set.
func Unsafe(name string) (reason string, unsafe bool) {
	rule := unsafeIndex().find(name)
	if rule == nil {
		return "", false
	}
	return rule.Program + ": " + rule.Effect, true
}

var unsafeIndex = sync.OnceValue(func() *ruleIndex { return newRuleIndex(unsafeRules()) })

// A ruleIndex finds the rule for a name without a look at each: an environment
// of MaxSize has millions of names.
type ruleIndex struct {
	names    map[string]*UnsafeRule
	upper    map[string]*UnsafeRule // those that ignore case, in upper case
	patterns []rulePattern
}

type rulePattern struct {
	rule           *UnsafeRule
	pattern        string
	prefix, suffix string // before the first "*" and after the last
}

func newRuleIndex(rules []UnsafeRule) *ruleIndex {
	x := &ruleIndex{names: make(map[string]*UnsafeRule), upper: make(map[string]*UnsafeRule)}
	for i := range rules {
		rule := &rules[i]
		for _, name := range rule.Names {
			if rule.anyCase {
				name = strings.ToUpper(name)
			}
			prefix, _, wild := strings.Cut(name, "*")
			switch {
			case wild:
				suffix := name[strings.LastIndexByte(name, '*')+1:]
				x.patterns = append(x.patterns, rulePattern{rule, name, prefix, suffix})
			case rule.anyCase:
				x.upper[name] = rule
			default:
				x.names[name] = rule
			}
		}
	}
	return x
}

// find returns the rule for name, or nil.
func (x *ruleIndex) find(name string) *UnsafeRule {
	upper := strings.ToUpper(name)
	if rule := cmp.Or(x.names[name], x.upper[upper]); rule != nil {
		return rule
	}
	for _, p := range x.patterns {
		s := name
		if p.rule.anyCase {
			s = upper
		}
		if strings.HasPrefix(s, p.prefix) && strings.HasSuffix(s, p.suffix) {
			if ok, _ := path.Match(p.pattern, s); ok {
				return p.rule
			}
		}
	}
	return nil
}
