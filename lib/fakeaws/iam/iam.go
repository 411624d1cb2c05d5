// Package iam knows who may sign the emulated services' requests, and what they
// may do.
package iam

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"microsecrets/lib/fakeaws/sigv4"
)

// The principal that is there from the start may do everything.
const (
	DefaultPrincipal = "dev"
	DefaultAccount   = "111122223333"
)

// Errors of Authenticate besides those of package sigv4.
var (
	ErrAccessKey = errors.New("no principal has the access key")
	ErrToken     = errors.New("the session token is not that of the access key")
	ErrExpired   = errors.New("the credentials have expired")
)

// A Principal is somebody who signs requests.
type Principal struct {
	Name      string
	Account   string
	AccessKey string
	SecretKey string
	Token     string    // the session token that goes with the key; "" for a long-term key
	Closed    bool      // may do only what a rule allows
	Policies  []*Policy // if there are any, may do only what they allow
	Expired   bool      // the credentials are no longer valid
	Rules     []Rule
}

// A Rule allows or denies actions, a pattern like s3:Get*, on resources. As in
// IAM a denial is final, wherever it stands.
type Rule struct {
	Deny     bool
	Action   string
	Resource string
}

// Environ returns the principal's credentials as KEY=VALUE.
func (p Principal) Environ() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + p.AccessKey, "AWS_SECRET_ACCESS_KEY=" + p.SecretKey, "AWS_SESSION_TOKEN=" + p.Token}
}

// Principals are all that may sign requests. Its methods can be called side by
// side.
type Principals struct {
	mu   sync.Mutex
	list map[string]*Principal // by access key
}

// New returns DefaultPrincipal alone.
func New() *Principals {
	p := &Principals{list: map[string]*Principal{}}
	p.Add(Principal{Name: DefaultPrincipal})
	return p
}

// Add adds a principal and returns it. An account, an access key or a secret key
// that it does not have is set, the keys to random ones.
func (ps *Principals) Add(p Principal) Principal {
	var secret [30]byte
	rand.Read(secret[:])
	prefix := "AKIA"
	if p.Token != "" {
		prefix = "ASIA"
	}
	p.Account = cmp.Or(p.Account, DefaultAccount)
	p.AccessKey = cmp.Or(p.AccessKey, prefix+rand.Text()[:16])
	p.SecretKey = cmp.Or(p.SecretKey, base64.StdEncoding.EncodeToString(secret[:]))
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.list[p.AccessKey] = &p
	return p
}

// Find returns the principal of a name, as it is now.
func (ps *Principals) Find(name string) (p Principal, ok bool) {
	ok = ps.Change(name, func(found *Principal) { p = *found })
	return p, ok
}

// Change calls f with the principal of a name and reports whether there is one.
func (ps *Principals) Change(name string, f func(*Principal)) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(ps.list)) {
		if p := ps.list[key]; p.Name == name {
			f(p)
			return true
		}
	}
	return false
}

// Authenticate returns who signed r, as the principal is now. The signature's
// Payload must be set. It fails with an error of this package or of sigv4.
func (ps *Principals) Authenticate(r *http.Request, sig *sigv4.Signature, now time.Time) (Principal, error) {
	ps.mu.Lock()
	found := ps.list[sig.AccessKey]
	if found == nil {
		ps.mu.Unlock()
		return Principal{}, ErrAccessKey
	}
	p := *found
	ps.mu.Unlock()
	switch err := sig.Verify(r, p.SecretKey); {
	case err != nil:
		return Principal{}, err
	case subtle.ConstantTimeCompare([]byte(sig.Token), []byte(p.Token)) != 1:
		return Principal{}, ErrToken
	case p.Expired:
		return Principal{}, ErrExpired
	}
	return p, sig.CheckTime(now)
}

// ARN returns the principal's, which is a user's.
func (p Principal) ARN() string { return "arn:aws:iam::" + p.Account + ":user/" + p.Name }

// Allowed reports whether the principal's policies and rules allow the request.
// What a rule is about is matched against the resource's ARN and against names,
// which also denote it.
func (p Principal) Allowed(r Request, names []string) bool {
	allowed := !p.Closed && len(p.Policies) == 0
	r = p.context(r)
	for _, policy := range p.Policies {
		yes, no := policy.Decide(r)
		if no {
			return false
		}
		allowed = allowed || yes
	}
	names = append(slices.Clip(names), r.Resource)
	for _, rule := range p.Rules {
		if !Match(rule.Action, r.Action) || !slices.ContainsFunc(names, func(name string) bool { return Match(rule.Resource, name) }) {
			continue
		}
		if rule.Deny {
			return false
		}
		allowed = true
	}
	return allowed
}

// context returns the request with who asks among its condition keys.
func (p Principal) context(r Request) Request {
	r.Context = maps.Clone(r.Context)
	if r.Context == nil {
		r.Context = map[string][]string{}
	}
	r.Context["aws:username"], r.Context["aws:principalarn"], r.Context["aws:principalaccount"] = []string{p.Name}, []string{p.ARN()}, []string{p.Account}
	return r
}

// Match reports whether s matches pattern, in which "*" stands for any
// characters, slashes too, and "?" for one.
func Match(pattern, s string) bool {
	re := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return matches(re, s)
}

// matches reports whether a regular expression, a wrong one none, fits all of s.
func matches(expr, s string) bool {
	re, err := regexp.Compile("(?s)^" + expr + "$")
	return err == nil && re.MatchString(s)
}
