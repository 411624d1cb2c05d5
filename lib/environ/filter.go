package environ

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
)

// A Filter says which variables an environment may set.
type Filter struct {
	// Only lists the names that may be set, unsafe ones included. If it is
	// nil, every name that is not [Unsafe] may be set; if it is empty, none.
	Only []string
	// DropOthers leaves out the variables that Only does not name, instead of
	// refusing them. It has no effect if Only is nil.
	DropOthers bool
	// AllowUnsafe allows unsafe names if Only is nil.
	AllowUnsafe bool
}

// Apply returns the variables of e that f allows. It does not change e. The
// error lists the refused names in sorted order, unsafe ones with the reason.
//
// It is not an error if e lacks a name of Only, which says what may be set.
func (f Filter) Apply(e Env) (Env, error) {
	allowed := make(Env, len(e))
	only := make(map[string]bool, len(f.Only))
	for _, name := range f.Only {
		only[Fold(name)] = true
	}
	var refused []string
	for _, name := range e.Names() {
		if f.Only != nil && !only[Fold(name)] {
			if !f.DropOthers {
				refused = append(refused, name)
			}
			continue
		}
		if f.Only == nil && !f.AllowUnsafe {
			if reason, unsafe := Unsafe(name); unsafe {
				refused = append(refused, fmt.Sprintf("%s (%s)", name, reason))
				continue
			}
		}
		allowed[name] = e[name]
	}
	if len(refused) == 0 {
		return allowed, nil
	}
	list := strings.Join(refused, ", ")
	if f.Only != nil {
		return nil, fmt.Errorf("not named with -only: %s: name them as well, or leave them out with -drop-others", list)
	}
	return nil, errors.New("unsafe variables: " + list + ": name them with -only, or use -allow-unsafe")
}

// Fold returns the key by which to compare variables' names: names with the
// same key are one variable to the operating system. Windows ignores case.
func Fold(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}
