package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// A Policy is a policy in IAM's JSON.
type Policy struct{ statements []statement }

type statement struct {
	Sid         string
	Effect      string
	Principal   principal
	Action      list
	NotAction   list
	Resource    list
	NotResource list
	Condition   map[string]map[string]list

	conditions []condition
}

// A principal is whom a statement of a bucket's policy is about: ARNs and accounts,
// or "*".
type principal []string

func (p *principal) UnmarshalJSON(data []byte) error {
	var all string
	if json.Unmarshal(data, &all) == nil {
		*p = principal{all}
		return nil
	}
	var by struct{ AWS, Service, Federated, CanonicalUser list }
	if err := strict(data, &by); err != nil {
		return err
	}
	*p = slices.Concat(principal(by.AWS), principal(by.Service), principal(by.Federated), principal(by.CanonicalUser))
	return nil
}

// names reports whether the statement is about who.
func (p principal) names(who Principal) bool {
	return slices.ContainsFunc(p, func(each string) bool {
		return each == "*" || each == who.ARN() || each == who.Account || each == "arn:aws:iam::"+who.Account+":root"
	})
}

// A list is a JSON string, or an array of them; of booleans and numbers as well,
// as conditions have them.
type list []string

func (l *list) UnmarshalJSON(data []byte) error {
	var values []any
	if err := json.Unmarshal(array(data), &values); err != nil {
		return err
	}
	for _, v := range values {
		switch v.(type) {
		case string, bool, float64:
			*l = append(*l, fmt.Sprint(v))
		default:
			return fmt.Errorf("%v is not a string", v)
		}
	}
	return nil
}

// array makes a JSON value that is not an array one of one element.
func array(data []byte) []byte {
	if data[0] == '[' {
		return data
	}
	return slices.Concat([]byte("["), data, []byte("]"))
}

// A condition is one operator on one condition key.
type condition struct {
	set      string // ForAllValues, ForAnyValue, or ""
	operator string
	negated  bool
	ifExists bool
	key      string // in lower case: IAM ignores it
	values   list
}

// opposites are the operators that hold where another does not.
var opposites = map[string]string{"StringNotEquals": "StringEquals", "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
	"StringNotLike": "StringLike", "ArnNotEquals": "ArnEquals", "ArnNotLike": "ArnLike"}

// operators compare a value of the request with one of the policy.
var operators = map[string]func(pattern, value string, r Request) bool{
	"StringEquals":           func(p, v string, r Request) bool { return v == expand(p, r, false) },
	"StringEqualsIgnoreCase": func(p, v string, r Request) bool { return strings.EqualFold(v, expand(p, r, false)) },
	"StringLike":             like,
	"ArnEquals":              like,
	"ArnLike":                like,
	"Bool":                   func(p, v string, _ Request) bool { return strings.EqualFold(p, v) },
	"Null":                   nil, // see holds
}

// A Request is what a policy is asked about.
type Request struct {
	Action   string // s3:GetObject
	Resource string // an ARN, or "*"

	// Context has the values of condition keys, whose names are in lower case.
	Context map[string][]string
}

// ParsePolicy parses an identity-based policy. What it does not know of IAM's
// language is an error.
func ParsePolicy(data []byte) (*Policy, error) { return parsePolicy(data, false) }

// ParseBucketPolicy parses a bucket's policy, whose statements say whom they are
// about.
func ParseBucketPolicy(data []byte) (*Policy, error) { return parsePolicy(data, true) }

func parsePolicy(data []byte, ofBucket bool) (*Policy, error) {
	var doc struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if err := strict(data, &doc); err != nil {
		return nil, err
	}
	if doc.Version != "2012-10-17" {
		return nil, fmt.Errorf("the version is %q, not 2012-10-17", doc.Version)
	}
	if len(doc.Statement) == 0 {
		return nil, errors.New("it has no statement")
	}
	p := &Policy{}
	if err := strict(array(doc.Statement), &p.statements); err != nil {
		return nil, err
	}
	sids := map[string]bool{"": true}
	for i := range p.statements {
		s := &p.statements[i]
		err := s.check()
		switch {
		case err != nil:
		case (len(s.Principal) > 0) != ofBucket:
			err = errors.New("a Principal is for the policy of a bucket, which needs one")
		case sids[s.Sid] && s.Sid != "":
			err = errors.New("its Sid is another's")
		}
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		sids[s.Sid] = true
	}
	return p, nil
}

func strict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more after its end")
	}
	return nil
}

func (s *statement) check() error {
	switch {
	case s.Effect != "Allow" && s.Effect != "Deny":
		return fmt.Errorf("the effect is %q", s.Effect)
	case (len(s.Action) == 0) == (len(s.NotAction) == 0):
		return errors.New("it needs either Action or NotAction")
	case (len(s.Resource) == 0) == (len(s.NotResource) == 0):
		return errors.New("it needs either Resource or NotResource")
	}
	for name, keys := range s.Condition {
		c := condition{}
		c.operator, c.ifExists = strings.CutSuffix(name, "IfExists")
		if set, operator, ok := strings.Cut(c.operator, ":"); ok {
			c.set, c.operator = set, operator
		}
		if positive, ok := opposites[c.operator]; ok {
			c.operator, c.negated = positive, true
		}
		_, known := operators[c.operator]
		if !known || c.set != "" && c.set != "ForAllValues" && c.set != "ForAnyValue" {
			return fmt.Errorf("the operator %s is not known", name)
		}
		for key, values := range keys {
			c.key, c.values = strings.ToLower(key), values
			s.conditions = append(s.conditions, c)
		}
	}
	return nil
}

// DeniedBy reports whether a bucket's policy denies the request to p.
func (p Principal) DeniedBy(policy *Policy, r Request) bool {
	r = p.context(r)
	return slices.ContainsFunc(policy.statements, func(s statement) bool {
		return s.Effect == "Deny" && s.Principal.names(p) && s.concerns(r)
	})
}

// Decide returns whether a statement allows the request and whether one denies
// it, which is final.
func (p *Policy) Decide(r Request) (allowed, denied bool) {
	for _, s := range p.statements {
		if s.concerns(r) {
			allowed = allowed || s.Effect == "Allow"
			denied = denied || s.Effect == "Deny"
		}
	}
	return allowed, denied
}

func (s *statement) concerns(r Request) bool {
	action := func(pattern string) bool { return Match(strings.ToLower(pattern), strings.ToLower(r.Action)) }
	resource := func(pattern string) bool { return like(pattern, r.Resource, r) }
	return slices.ContainsFunc(s.Action, action) == (s.NotAction == nil) && !slices.ContainsFunc(s.NotAction, action) &&
		slices.ContainsFunc(s.Resource, resource) == (s.NotResource == nil) && !slices.ContainsFunc(s.NotResource, resource) &&
		!slices.ContainsFunc(s.conditions, func(c condition) bool { return !c.holds(r) })
}

// holds evaluates a condition as IAM's reference has it: without a set operator
// one value must do, or all be other than those listed; ForAllValues is true of
// no values at all.
func (c condition) holds(r Request) bool {
	have := r.Context[c.key]
	if c.operator == "Null" {
		return slices.Contains(c.values, fmt.Sprint(len(have) == 0))
	}
	if len(have) == 0 {
		return c.ifExists || c.set == "ForAllValues" || c.negated && c.set == ""
	}
	does := func(value string) bool {
		return slices.ContainsFunc(c.values, func(pattern string) bool { return operators[c.operator](pattern, value, r) }) != c.negated
	}
	if c.set == "ForAllValues" || c.set == "" && c.negated {
		return !slices.ContainsFunc(have, func(value string) bool { return !does(value) })
	}
	return slices.ContainsFunc(have, does)
}

func like(pattern, value string, r Request) bool { return matches(expand(pattern, r, true), value) }

var policyVariable = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?s)\$\{[^}]*\}|.`)
})

// expand replaces policy variables: ${aws:username}, and ${*}, ${?} and ${$} for
// these characters. With wildcards it returns a regular expression. A variable
// that the request does not have fits nothing.
func expand(pattern string, r Request, wildcards bool) string {
	return policyVariable().ReplaceAllStringFunc(pattern, func(part string) string {
		switch {
		case wildcards && part == "*":
			return ".*"
		case wildcards && part == "?":
			return "."
		case len(part) == len("${*}") && strings.HasPrefix(part, "${"):
			part = part[2:3]
		case strings.HasPrefix(part, "${"):
			values := r.Context[strings.ToLower(part[2:len(part)-1])]
			if len(values) != 1 {
				part = "\xff" // in no name, nor in an ARN
			} else {
				part = values[0]
			}
		}
		if wildcards {
			return regexp.QuoteMeta(part)
		}
		return part
	})
}
