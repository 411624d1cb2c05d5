package environ

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// A Filter says which variables an environment may set.
type Filter struct {
	// Only lists the names that may be set, unsafe ones included. If it is
	// nil, every name that is not [Unsafe] may be set; if it is empty, none.
	Only []string
	// Need lists names that may be set as well, unsafe ones included. That
	// they are set is for the caller to ask: see Missing.
	Need []string
	// DropOthers leaves out the variables that neither Only nor Need names. It
	// has no effect if both are nil.
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
	named := make(map[string]bool, len(f.Only)+len(f.Need))
	for _, name := range slices.Concat(f.Only, f.Need) {
		named[Fold(name)] = true
	}
	drops := f.DropOthers && (f.Only != nil || f.Need != nil)
	var refused []string
	for _, name := range e.Names() {
		switch reason, unsafe := Unsafe(name); {
		case named[Fold(name)]:
			allowed[name] = e[name]
		case drops:
		case f.Only != nil:
			refused = append(refused, name)
		case unsafe && !f.AllowUnsafe:
			refused = append(refused, fmt.Sprintf("%s (%s)", name, reason))
		default:
			allowed[name] = e[name]
		}
	}
	if len(refused) == 0 {
		return allowed, nil
	}
	list, flags := strings.Join(refused, ", "), "-only"
	if f.Need != nil {
		flags = "-only or -need"
	}
	if f.Only != nil {
		return nil, fmt.Errorf("not named with %s: %s: name them as well, or leave them out with -drop-others", flags, list)
	}
	return nil, fmt.Errorf("unsafe variables: %s: name them with %s, or use -allow-unsafe", list, flags)
}

// Missing returns the names of Need that none of the environments has, each once,
// in the order of Need. An empty value counts.
func (f Filter) Missing(in ...Env) []string {
	seen := map[string]bool{}
	for _, e := range in {
		for name := range e {
			seen[Fold(name)] = true
		}
	}
	var missing []string
	for _, name := range f.Need {
		if key := Fold(name); !seen[key] {
			seen[key] = true
			missing = append(missing, name)
		}
	}
	return missing
}

// Fold returns the key by which to compare variables' names: names with the
// same key are one variable to the operating system. Windows ignores case.
func Fold(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}
