package exec

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"microsecrets/lib/environ"
	"microsecrets/lib/tool"
)

// variables are an environment in the making: each name once, in the order in
// which they came, with where each came from.
type variables struct {
	names  []string
	values map[string]string
	from   map[string]string
}

// inherited is where a variable came from that ms-exec has inherited.
const inherited = "the inherited environment"

func (v *variables) set(name, value string) {
	if _, ok := v.values[name]; !ok {
		v.names = append(v.names, name)
	}
	v.values[name] = value
}

func (v *variables) list() []string {
	list := make([]string, len(v.names))
	for i, name := range v.names {
		list[i] = name + "=" + v.values[name]
	}
	return list
}

// environment puts together what COMMAND inherits. Everything that is wrong
// with the sources is told at once.
func (o *options) environment(t *tool.Tool, got map[string]*tool.Fetched) (*variables, error) {
	v := &variables{values: map[string]string{}, from: map[string]string{}}
	if !o.clean {
		o.inherit(v)
	}
	var wrong tool.Failures
	for _, s := range o.sources {
		env, err := o.read(s, got[s.name].Plaintext)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", s.name, err))
			continue
		}
		for _, name := range env.Names() {
			if before, ok := v.from[fold(name)]; ok {
				if o.strict {
					wrong = append(wrong, fmt.Errorf("%s: %s would override the one of %s (-strict)", s.name, name, before))
					continue
				}
				t.Debugf("%s: %s overrides the one of %s", s.name, name, before)
			}
			v.from[fold(name)] = s.name
			v.set(fold(name), env[name])
		}
	}
	return v, wrong.Err()
}

// read returns the variables that a source sets.
func (o *options) read(s source, plaintext []byte) (environ.Env, error) {
	if s.variable != "" {
		if bytes.IndexByte(plaintext, 0) >= 0 {
			return nil, tool.WithHint(fmt.Errorf("holds a NUL byte, which the variable %s cannot", s.variable),
				"hand it over in a file, by -file")
		}
		return environ.Env{s.variable: string(plaintext)}, nil
	}
	env, err := environ.Parse(plaintext, environ.Auto)
	if err != nil {
		return nil, fmt.Errorf("is no environment: %w", err)
	}
	return o.filter.Apply(env)
}

func (o *options) inherit(v *variables) {
	for _, entry := range os.Environ() {
		// Windows has names that begin with "=".
		i := strings.IndexByte(entry[1:], '=') + 1
		if i == 0 || slices.ContainsFunc(o.unset.Names, func(p string) bool { return matches(p, entry[:i]) }) {
			continue
		}
		v.from[fold(entry[:i])] = inherited
		v.set(fold(entry[:i]), entry[i+1:])
	}
}

// matches tells whether a variable's name is pattern, in which a trailing "*"
// stands for anything.
func matches(pattern, name string) bool {
	pattern, name = fold(pattern), fold(name)
	if begin, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, begin)
	}
	return pattern == name
}

// fold makes one of the names that are one variable to the operating system.
func fold(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}

// stringMax is Linux's bound on one argument or variable, "NAME=" and the NUL
// at its end included (MAX_ARG_STRLEN).
const stringMax = 128 << 10

// fits refuses what Linux would refuse, by name.
func fits(command, env []string) error {
	if runtime.GOOS != "linux" {
		return nil
	}
	var wrong tool.Failures
	for _, entry := range env {
		if len(entry) >= stringMax {
			name, _, _ := strings.Cut(entry, "=")
			wrong = append(wrong, tool.WithHint(
				fmt.Errorf("the variable %s is too large for the environment: %d bytes, and Linux takes %d", name, len(entry), stringMax-1),
				"hand it over in a file, by -file"))
		}
	}
	for _, arg := range command {
		if len(arg) >= stringMax {
			wrong = append(wrong, errors.New("an argument of COMMAND is too large"))
		}
	}
	return wrong.Err()
}
