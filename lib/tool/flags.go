package tool

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"

	"microsecrets/lib/environ"
	"microsecrets/lib/internal/hint"
)

// Parse parses the flags of a program, whose name is that of fs. The errors of
// package flag hold the values that it refuses, and a value may be a secret in
// the wrong place: these say which argument it was instead.
func Parse(ctx context.Context, fs *flag.FlagSet, args []string) error {
	if d := described(ctx); d != nil {
		d.Flags = fs
		return flag.ErrHelp
	}
	err := fs.Parse(args)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return err
	}
	at := len(args) - fs.NArg() - 1
	for ; at >= 0; at-- {
		name, given, ok := flagName(args[at])
		f := fs.Lookup(name)
		switch {
		case !ok:
			continue
		case f == nil:
			return Usagef("argument %d is not a flag of %s (%s -h lists them)", at+1, fs.Name(), fs.Name())
		case !given && at == len(args)-1:
			return Usagef("flag -%s needs a value", name)
		}
		_, value, _ := strings.Cut(args[at], "=")
		if !given {
			value = args[at+1]
		}
		// Package flag keeps only the text of the reason, with the value in it.
		var refused *Refusal
		if errors.As(f.Value.Set(value), &refused) {
			return Usagef("flag -%s: %s", name, refused.Reason)
		}
		return Usagef("flag -%s: not a value for it", name)
	}
	return Usagef("the flags cannot be parsed (%s -h lists them)", fs.Name())
}

// flagName returns the name of the flag in an argument, and whether a value
// stands in the same one.
func flagName(arg string) (name string, given, ok bool) {
	if len(arg) < 2 || arg[0] != '-' {
		return "", false, false
	}
	name, _, given = strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
	return name, given, true
}

// Variables is a flag of variables' names with white space between them, which
// may be given again. With Patterns a trailing "*" matches.
type Variables struct {
	Names    []string
	Patterns bool
}

// Register adds the flag to fs.
func (v *Variables) Register(fs *flag.FlagSet, name string) { fs.Func(name, "", v.add) }

func (v *Variables) add(s string) error {
	for name := range strings.FieldsSeq(s) {
		prefix, isPattern := strings.CutSuffix(name, "*")
		switch {
		case v.Patterns && isPattern && (prefix == "" || environ.ValidName(prefix)), environ.ValidName(name):
			v.Names = append(v.Names, name)
		case v.Patterns:
			return &Refusal{"names are [A-Za-z_][A-Za-z0-9_]*, with spaces between them; only a \"*\" at the end of one matches others"}
		default:
			return &Refusal{"a variable's name is [A-Za-z_][A-Za-z0-9_]*"}
		}
	}
	if v.Names == nil {
		v.Names = []string{}
	}
	return nil
}

// Again registers a flag that may be given again; its values are kept in order.
func Again(fs *flag.FlagSet, values *[]string, name string) {
	fs.Func(name, "", func(s string) error { *values = append(*values, s); return nil })
}

// NonEmpty registers a flag whose value must not be empty: a script whose variable
// is unset must not get another version, or a secret on standard output, instead.
func NonEmpty(fs *flag.FlagSet, value *string, name string) {
	fs.Func(name, "", func(s string) error { return setNonEmpty(value, s) })
}

func setNonEmpty(value *string, s string) error {
	if s == "" {
		return &Refusal{"an empty value"}
	}
	*value = s
	return nil
}

// Exclusive refuses flags that do not go together: of each list, the first with
// any of the others.
func Exclusive(flags *flag.FlagSet, lists [][]string) error {
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = f.Value.String() != "false" })
	for _, list := range lists {
		for _, other := range list[1:] {
			if given[list[0]] && given[other] {
				return Usagef("flags -%s and -%s do not go together", list[0], other)
			}
		}
	}
	return nil
}

// FilterFlags are the flags -only, -need, -drop-others and -allow-unsafe.
type FilterFlags struct {
	only, need Variables
	filter     environ.Filter
}

// Register adds the flags to fs.
func (f *FilterFlags) Register(fs *flag.FlagSet) {
	f.only.Register(fs, "only")
	f.need.Register(fs, "need")
	fs.BoolVar(&f.filter.DropOthers, "drop-others", false, "")
	fs.BoolVar(&f.filter.AllowUnsafe, "allow-unsafe", false, "")
}

// Given reports whether any of the flags was given.
func (f *FilterFlags) Given() bool {
	return f.only.Names != nil || f.need.Names != nil || f.filter.DropOthers || f.filter.AllowUnsafe
}

// Filter returns what the flags say, or that they do not go together.
func (f *FilterFlags) Filter() (environ.Filter, error) {
	switch {
	case f.filter.DropOthers && f.only.Names == nil && f.need.Names == nil:
		return environ.Filter{}, Usagef("flag -drop-others goes with -only or -need")
	case f.need.Names != nil && len(f.need.Names) == 0: // as of a script's unset variable
		return environ.Filter{}, Usagef("flag -need names no variable")
	}
	filter := f.filter
	filter.Only, filter.Need = f.only.Names, f.need.Names
	return filter, nil
}

// Missing is the error of variables that -need names. What says who lacks them:
// "flag -need: no source sets". It is nil if there are none.
func Missing(what string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	return hint.With(fmt.Errorf("%s %s", what, strings.Join(names, ", ")), "ms-get -f names NAME lists the variables of an environment")
}

// Format registers a flag that takes the name of one of some formats of
// environments. That it is one of them is for the caller to check.
func Format(fs *flag.FlagSet, value *string, name string, formats []environ.Format) {
	words := make([]string, len(formats))
	for i, f := range formats {
		words[i] = string(f)
	}
	OneOf(fs, name, words, func(s string) error { return setNonEmpty(value, s) })
}

// OneOf registers a flag that takes one of a few words, which completion offers. Set
// refuses all others.
func OneOf(fs *flag.FlagSet, name string, words []string, set func(string) error) {
	fs.Var(oneOf{words, set}, name, "")
}

type oneOf struct {
	words []string
	set   func(string) error
}

func (f oneOf) String() string     { return "" }
func (f oneOf) Set(s string) error { return f.set(s) }

// Words are the values that the flag takes.
func (f oneOf) Words() []string { return f.words }
