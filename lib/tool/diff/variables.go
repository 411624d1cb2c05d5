package diff

import (
	"crypto/subtle"
	"io"
	"strings"

	"microsecrets/lib/environ"
	"microsecrets/lib/secret"
)

// longest is the length in bytes of the longest stored message that may hold an
// environment: what is beside the content is a fraction of it.
const longest = environ.MaxSize + environ.MaxSize/64

// variables returns what differs between two environments, sorted by the variables'
// names, if that is what the two secrets are.
func (d *differ) variables(first, second *secret.Reader) (changes []change, areEnvironments bool, err error) {
	a, err := parse(first)
	if err != nil || a == nil {
		return nil, false, d.failed(d.first, err)
	}
	b, err := parse(second)
	if err != nil || b == nil {
		return nil, false, d.failed(d.second, err)
	}
	if (a.lines || b.lines) && !alike(a, b) {
		return nil, false, nil
	}
	all, _ := a.env.Merge(b.env)
	for _, name := range all.Names() {
		x, inFirst := a.env[name]
		y, inSecond := b.env[name]
		switch {
		case !inFirst:
			changes = append(changes, change{sign: added, variable: name})
		case !inSecond:
			changes = append(changes, change{sign: removed, variable: name})
		case subtle.ConstantTimeCompare([]byte(x), []byte(y)) == 0:
			changes = append(changes, change{sign: changed, variable: name})
		}
	}
	return changes, true, nil
}

// environment is a secret that can be one.
type environment struct {
	env   environ.Env
	lines bool // written as NAME=VALUE lines, not as JSON
}

// parse returns nil if a secret is no environment.
func parse(r *secret.Reader) (*environment, error) {
	if r.Info().Size > longest {
		return nil, nil
	}
	text, err := io.ReadAll(io.LimitReader(r, environ.MaxSize+1))
	defer clear(text)
	if err != nil {
		return nil, err
	}
	if env, err := environ.Parse(text, environ.JSON); err == nil {
		return &environment{env, false}, nil
	}
	if env, err := environ.Parse(text, environ.Auto); err == nil {
		return &environment{env, true}, nil
	}
	return nil, nil
}

// alike reports whether two secrets, of which one at least is written as lines, are
// taken for environments. A password or a token that has a "=" in it is such a line
// as well, and what stands before it is not a name that may be shown. Two environments
// have a variable in common, as two tokens do not; and what encodes bytes ends with
// "=", so that its line has nothing, or nothing else, after it.
func alike(a, b *environment) bool {
	for _, e := range []*environment{a, b} {
		for _, value := range e.env {
			if e.lines && strings.Trim(value, "=") == "" {
				return false
			}
		}
	}
	for name := range a.env {
		if _, both := b.env[name]; both {
			return true
		}
	}
	return false
}
