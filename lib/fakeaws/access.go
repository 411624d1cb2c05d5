package fakeaws

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"sync"
)

// The default principal's credentials are those of AWS's own documentation,
// which secret scanners know to ignore.
const (
	defaultName      = "dev"
	defaultAccessKey = "AKIAIOSFODNN7EXAMPLE"
	defaultSecretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

// A principal is somebody who signs requests.
type principal struct {
	name      string
	accessKey string
	secretKey string
	token     string // the session token that goes with the key; "" for a long-term key
	account   string
	expired   bool
	closed    bool // may do only what a rule allows
	rules     []rule
}

// A rule allows or denies actions, a pattern like s3:Get*, on resources. As in
// IAM a denial is final, wherever it stands.
type rule struct {
	deny     bool
	action   string
	resource string
}

type access struct {
	mu         sync.Mutex
	principals map[string]*principal // by access key
}

func newAccess() *access {
	return &access{principals: map[string]*principal{
		defaultAccessKey: {name: defaultName, accessKey: defaultAccessKey, secretKey: defaultSecretKey, account: DefaultAccount},
	}}
}

// principal returns a copy, so that a request sees one state.
func (a *access) principal(accessKey string) *principal {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.principals[accessKey]
	if p == nil {
		return nil
	}
	c := *p
	c.rules = slices.Clone(p.rules)
	return &c
}

func (a *access) add(p *principal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.principals[p.accessKey] = p
}

// change calls f with the principal of that name; it reports whether there is
// one.
func (a *access) change(name string, f func(*principal)) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(a.principals)) {
		if p := a.principals[key]; p.name == name {
			f(p)
			return true
		}
	}
	return false
}

func (a *access) allowed(p *principal, action string, names []string) bool {
	allowed := !p.closed
	for _, r := range p.rules {
		if !glob(r.action, action) || !slices.ContainsFunc(names, func(name string) bool { return glob(r.resource, name) }) {
			continue
		}
		if r.deny {
			return false
		}
		allowed = true
	}
	return allowed
}

// glob reports whether s matches pattern, in which "*" stands for any
// characters, slashes too, and "?" for one.
func glob(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return len(s) == len(pattern) && globPrefix(pattern, s)
	}
	if !globPrefix(head, s) {
		return false
	}
	s = s[len(head):]
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return len(s) >= len(part) && globPrefix(part, s[len(s)-len(part):])
		}
		for !globPrefix(part, s) {
			if s == "" {
				return false
			}
			s = s[1:]
		}
		s, rest = s[len(part):], more
	}
}

// globPrefix reports whether s begins with pattern, in which "?" stands for any
// byte.
func globPrefix(pattern, s string) bool {
	if len(s) < len(pattern) {
		return false
	}
	for i := range len(pattern) {
		if pattern[i] != '?' && pattern[i] != s[i] {
			return false
		}
	}
	return true
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
