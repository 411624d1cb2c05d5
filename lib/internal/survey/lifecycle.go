package survey

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Lifecycle is the lifecycle configuration of a bucket.
type Lifecycle struct {
	Rules       []Rule
	MinimumSize string // of objects that rules move, as S3 says it beside them
}

// A Rule is one of a Lifecycle.
type Rule struct {
	ID     string
	Raw    string // what S3 has between <Rule> and </Rule>, byte for byte
	Active bool
	Prefix string // of the keys that it is about

	AbortDays      int // uploads in parts end after so many days; 0: they do not
	NoncurrentDays int // old versions go after so many days; 0: they do not

	simple   bool // there is nothing in it but the above
	filtered bool // it is about some of the keys only, by more than their prefix
}

// The first part of the IDs of the rules that ms-init makes.
const (
	uploadsID  = "microsecrets-uploads"
	versionsID = "microsecrets-versions"
)

// UploadsRule is the rule that ends unfinished uploads below a prefix after days.
func UploadsRule(prefix string, days int) Rule {
	return Rule{ID: ruleID(uploadsID, prefix), Active: true, Prefix: prefix, AbortDays: days, simple: true}
}

// VersionsRule is the rule that removes old versions below a prefix after days.
func VersionsRule(prefix string, days int) Rule {
	return Rule{ID: ruleID(versionsID, prefix), Active: true, Prefix: prefix, NoncurrentDays: days, simple: true}
}

// maxID is the longest ID of a rule, in bytes.
const maxID = 255

func ruleID(first, prefix string) string {
	id := strings.TrimSuffix(first+"-"+prefix, "-")
	if len(id) > maxID {
		id = fmt.Sprintf("%s-%x", first, sha256.Sum256([]byte(prefix)))
	}
	return id
}

// Ours reports whether ms-init has made a rule, for any prefix, so that it can be
// written again without a loss.
func (r Rule) Ours() bool {
	return r.simple && (r.ID == ruleID(uploadsID, r.Prefix) || r.ID == ruleID(versionsID, r.Prefix))
}

// Others reports whether there is a rule that ms-init has not made.
func (l Lifecycle) Others() bool {
	for _, r := range l.Rules {
		if !r.Ours() {
			return true
		}
	}
	return false
}

// covers reports whether a rule is at work for every key below a prefix.
func (r Rule) covers(prefix string) bool {
	return r.Active && !r.filtered && strings.HasPrefix(prefix, r.Prefix)
}

// EndsUploads reports whether unfinished uploads below a prefix end after at most so
// many days.
func (l Lifecycle) EndsUploads(prefix string, days int) bool {
	for _, r := range l.Rules {
		if r.covers(prefix) && r.AbortDays > 0 && r.AbortDays <= days {
			return true
		}
	}
	return false
}

// RemovesVersions reports whether old versions below a prefix are removed after so
// many days, and no sooner.
func (l Lifecycle) RemovesVersions(prefix string, days int) bool {
	least := 0
	for _, r := range l.Rules {
		if r.covers(prefix) && r.NoncurrentDays > 0 && (least == 0 || r.NoncurrentDays < least) {
			least = r.NoncurrentDays
		}
	}
	return least == days
}

// With is the rules with another one, in the place of that of its ID.
func (l Lifecycle) With(r Rule) Lifecycle {
	rules := make([]Rule, 0, len(l.Rules)+1)
	for _, each := range l.Rules {
		if each.ID != r.ID {
			rules = append(rules, each)
		}
	}
	return Lifecycle{append(rules, r), l.MinimumSize}
}

// element is a rule as S3 writes it.
type element struct {
	Raw    string `xml:",innerxml"`
	ID     string
	Status string
	Prefix *string // as it was before there were filters
	Filter *struct {
		Prefix *string
		Others []any `xml:",any"`
	}
	Abort *struct {
		Days   int   `xml:"DaysAfterInitiation"`
		Others []any `xml:",any"`
	} `xml:"AbortIncompleteMultipartUpload"`
	Noncurrent *struct {
		Days   int   `xml:"NoncurrentDays"`
		Others []any `xml:",any"`
	} `xml:"NoncurrentVersionExpiration"`
	Others []any `xml:",any"`
}

var errNoLifecycle = errors.New("not a lifecycle configuration")

func parseLifecycle(data []byte) (Lifecycle, error) {
	var doc struct {
		XMLName xml.Name
		Rules   []element `xml:"Rule"`
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&doc); err != nil {
		return Lifecycle{}, err
	}
	if doc.XMLName.Local != "LifecycleConfiguration" {
		return Lifecycle{}, errNoLifecycle
	}
	var l Lifecycle
	for _, e := range doc.Rules {
		l.Rules = append(l.Rules, e.rule())
	}
	return l, nil
}

func (e element) rule() Rule {
	r := Rule{ID: e.ID, Raw: e.Raw, Active: e.Status == "Enabled", simple: len(e.Others) == 0}
	if e.Prefix != nil {
		r.Prefix, r.simple = *e.Prefix, false
	}
	if f := e.Filter; f != nil {
		r.filtered = len(f.Others) > 0
		if f.Prefix != nil {
			r.Prefix = *f.Prefix
		}
	}
	if a := e.Abort; a != nil {
		r.AbortDays, r.simple = a.Days, r.simple && len(a.Others) == 0
	}
	if n := e.Noncurrent; n != nil {
		// What keeps a number of versions besides removes none of those.
		if r.simple = r.simple && len(n.Others) == 0; len(n.Others) == 0 {
			r.NoncurrentDays = n.Days
		}
	}
	r.simple = r.simple && !r.filtered
	return r
}

// Same reports whether two configurations are the same, byte for byte.
func (l Lifecycle) Same(other Lifecycle) bool {
	return l.MinimumSize == other.MinimumSize &&
		slices.EqualFunc(l.Rules, other.Rules, func(a, b Rule) bool { return a.Raw == b.Raw })
}
