package environ

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
)

// Filter says which variables an environment may set.
type Filter struct {
	// Only lists the names that may be set, those that steer among them; nil
	// allows all but those that steer, and an empty list none.
	Only []string
	// DropOthers leaves out what Only does not name, where it would be an
	// error. It means nothing without Only.
	DropOthers bool
	// AllowUnsafe allows the names that steer.
	AllowUnsafe bool
}

// Apply returns the variables of e that f allows; e is not changed. The error
// lists every name that is refused, sorted, and why.
//
// A name in Only that e does not have is no error: Only says what may be set.
func (f Filter) Apply(e Env) (Env, error) {
	allowed := make(Env, len(e))
	only := make(map[string]bool, len(f.Only))
	for _, name := range f.Only {
		only[fold(name)] = true
	}
	var refused []string
	for _, name := range e.Names() {
		reason, steers := Steers(name)
		switch {
		case f.Only != nil && !only[fold(name)]:
			if !f.DropOthers {
				refused = append(refused, name)
			}
		case f.Only == nil && steers && !f.AllowUnsafe:
			refused = append(refused, fmt.Sprintf("%s (%s)", name, reason))
		default:
			allowed[name] = e[name]
		}
	}
	if len(refused) == 0 {
		return allowed, nil
	}
	list := strings.Join(refused, ", ")
	if f.Only != nil {
		return nil, fmt.Errorf("not named by -only: %s: name them too, or leave them out with -drop-others", list)
	}
	return nil, errors.New("names that steer the program that inherits them: " + list + ": name them by -only, or give -allow-unsafe")
}

// fold maps the names that are one variable to the operating system to one.
func fold(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}
