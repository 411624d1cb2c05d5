package exec

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"microsecrets/lib/environ"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// variables are an environment in the making: each name once, in the order in
// which they came, with where each came from. The maps are by folded name.
type variables struct {
	names  []string // as the last one that set it spells it
	values map[string]string
	from   map[string]string
}

// inherited is where a variable came from that ms-exec has inherited.
const inherited = "the inherited environment"

func (v *variables) set(from, name, value string) {
	key := fold(name)
	if _, ok := v.values[key]; ok {
		v.names[slices.IndexFunc(v.names, func(n string) bool { return fold(n) == key })] = name
	} else {
		v.names = append(v.names, name)
	}
	v.values[key], v.from[key] = value, from
}

func (v *variables) list() []string {
	list := make([]string, len(v.names))
	for i, name := range v.names {
		list[i] = name + "=" + v.values[fold(name)]
	}
	return list
}

// environment puts together what COMMAND inherits. Everything that is wrong is
// reported at once: wrong begins with the sources that could not be had. What they
// lack of -need is known only if all of them could be read.
func (o *options) environment(t *tool.Tool, got map[string]*secret.Reader, wrong tool.Failures) (*variables, error) {
	v := &variables{values: map[string]string{}, from: map[string]string{}}
	if !o.clean {
		o.inherit(v)
	}
	var read []environ.Env
	for _, s := range o.sources {
		r, ok := got[s.name]
		if !ok {
			continue
		}
		plaintext, err := readAll(r)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		env, err := o.read(t, s, plaintext)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", s.name, err))
			continue
		}
		read = append(read, env)
		if s.variable == "" {
			if env, err = o.filter.Apply(env); err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", s.name, err))
				continue
			}
		}
		for _, name := range env.Names() {
			wrong = append(wrong, o.override(t, v, s.name, name, env[name]))
		}
	}
	whole := len(read) == len(o.sources)
	for _, m := range o.mems {
		wrong = append(wrong, o.override(t, v, m.name, m.variable, ""))
		read = append(read, environ.Env{m.variable: ""})
	}
	if whole {
		wrong = append(wrong, tool.Missing("flag -need: no source sets", o.filter.Missing(read...)))
	}
	wrong = append(wrong, v.oversized()...)
	return v, wrong.Err()
}

// readAll returns a secret for the environment.
func readAll(r *secret.Reader) ([]byte, error) {
	if i := r.Info(); i.Size > 2*environ.MaxSize {
		return nil, hint.With(fmt.Errorf("%s: %d bytes are too large for the environment", i.Name, i.Size), "hand it over "+byFlags)
	}
	var b bytes.Buffer
	err := copyTo(&b, r)
	return b.Bytes(), err
}

// copyTo writes a secret to w, which others may be given as well.
func copyTo(w io.Writer, r *secret.Reader) error {
	defer r.Rewind()
	_, err := r.WriteTo(w)
	return err
}

// override sets a variable of a source, over what came before.
func (o *options) override(t *tool.Tool, v *variables, from, name, value string) error {
	if before, ok := v.from[fold(name)]; ok {
		if o.strict {
			return fmt.Errorf("%s: %s would override the one of %s (-strict)", from, name, before)
		}
		t.Debugf("%s: %s overrides the one of %s", from, name, before)
	}
	v.set(from, name, value)
	return nil
}

// read returns the variables of a source.
func (o *options) read(t *tool.Tool, s source, plaintext []byte) (environ.Env, error) {
	if s.variable != "" {
		if bytes.IndexByte(plaintext, 0) >= 0 {
			return nil, hint.With(fmt.Errorf("holds a NUL byte, which the variable %s cannot", s.variable), "hand it over "+byFlags)
		}
		if bytes.HasSuffix(plaintext, []byte("\n")) {
			t.Debugf("%s: ends in a newline, and so does %s (ms-put -chomp strips one)", s.name, s.variable)
		}
		return environ.Env{s.variable: string(plaintext)}, nil
	}
	env, err := environ.Parse(plaintext, environ.Auto)
	var other *environ.ParseError
	if errors.As(err, &other) { // ms-exec reads no other format
		err = errors.New(other.Reason)
	}
	if err != nil {
		return nil, hint.With(fmt.Errorf("is not an environment: %w", err),
			"ms-put -e checks one when it is stored; any other secret is given as VAR="+s.name+", or "+byFlags)
	}
	return env, nil
}

func (o *options) inherit(v *variables) {
	for _, entry := range os.Environ() {
		// Windows has names that begin with "=".
		i := strings.IndexByte(entry[1:], '=') + 1
		if i == 0 || slices.ContainsFunc(o.unset.Names, func(p string) bool { return matches(p, entry[:i]) }) {
			continue
		}
		v.set(inherited, entry[:i], entry[i+1:])
	}
}

// matches reports whether a variable's name is pattern, in which a trailing "*"
// stands for anything.
func matches(pattern, name string) bool {
	pattern, name = fold(pattern), fold(name)
	if begin, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, begin)
	}
	return pattern == name
}

// fold is environ.Fold, but for a test.
var fold = environ.Fold

// stringMax is Linux's bound on one argument or variable, "NAME=" and the NUL
// at its end included (MAX_ARG_STRLEN).
const stringMax = 128 << 10

// oversized finds the variables that Linux would refuse.
func (v *variables) oversized() (wrong tool.Failures) {
	for _, name := range v.names {
		if v.oversize(name) {
			wrong = append(wrong, hint.With(
				fmt.Errorf("%s: the variable %s is too large for the environment: %d bytes, and Linux takes %d", v.from[fold(name)], name, v.size(name), stringMax),
				"hand it over "+byFlags))
		}
	}
	return wrong
}

// size is what a variable takes of an environment, in bytes: NAME=VALUE and a
// NUL.
func (v *variables) size(name string) int { return len(name) + 1 + len(v.values[fold(name)]) + 1 }

func (v *variables) oversize(name string) bool {
	return runtime.GOOS == "linux" && v.size(name) > stringMax
}

// largest is how many of the largest variables an error names.
const largest = 5

// tooLarge is the error of an environment that the system refuses together with
// the arguments of COMMAND.
func (v *variables) tooLarge(command []string) error {
	arguments := len(command)
	for _, arg := range command {
		arguments += len(arg)
	}
	sizes := map[string]int{}
	for _, name := range v.names {
		sizes[v.from[fold(name)]] += v.size(name)
	}
	largestFirst := func(a, b string) int { return cmp.Or(sizes[b]-sizes[a], strings.Compare(a, b)) }
	parts := []string{fmt.Sprintf("%d bytes of arguments", arguments)}
	all := slices.SortedFunc(maps.Keys(sizes), largestFirst)
	for _, from := range all[:min(len(all), largest)] {
		parts = append(parts, fmt.Sprintf("%d of %s", sizes[from], from))
	}
	if more := len(all) - largest; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return hint.With(
		errors.New("the environment and the arguments are together too large for this system: "+strings.Join(parts, ", ")),
		"hand large secrets over "+byFlags)
}
