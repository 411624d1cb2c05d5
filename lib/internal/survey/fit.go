package survey

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"microsecrets/lib/internal/hint"
)

// A Thing is one of those that make a store fit, in the order in which they are made.
type Thing int

// The things of a bucket, and those of a key.
const (
	TheBucket Thing = iota
	Ownership
	PublicBlock
	TLS
	VersioningOn
	Uploads
	OldVersions
	TheKey
	Rotation
	TheAlias
)

// A State is how a Thing is.
type State int

// The states. Missing is what is made, Unfit what is mended; what is Left only a
// person can decide; what is Unknown could not be looked at.
const (
	Fit State = iota
	Missing
	Unfit
	Inapplicable
	Left
	Unknown
)

// An Item is a Thing and how it is.
type Item struct {
	Thing Thing
	What  string // for people, in words that are safe to show
	State State
	Err   error // why it is Left or Unknown, with a hint
}

// Refused is how an Item is that is Unfit, where the server has refused to have it
// mended: what only tidies up does not apply there, and what protects, or was asked for,
// is Left. Err is the refusal.
func (i Item) Refused(err error) Item {
	remedy := map[Thing]string{
		Ownership:    "see to it by the server's own means that access control lists open nothing",
		PublicBlock:  "see to it by the server's own means that nobody reads the bucket without credentials",
		TLS:          "have the server refuse requests without TLS by its own means",
		VersioningOn: "go on without history, or turn versioning on by the server's own means",
		OldVersions:  "have old versions removed by the server's own means",
	}[i.Thing]
	if i.Err = err; remedy == "" {
		i.State = Inapplicable
		return i
	}
	i.State, i.Err = Left, hint.With(fmt.Errorf("%s: this server refuses it: %w", i.What, err), remedy)
	return i
}

// UploadDays is after how many days unfinished uploads end.
const UploadDays = 7

// Wanted is what a store is to be.
type Wanted struct {
	Under string // what its keys begin with: PREFIX and a slash, or empty
	Keep  int    // days after which old versions are removed; 0: as it is
}

// item judges a fact.
func item[T any](thing Thing, what string, f Fact[T], fit func(T) bool) Item {
	i := Item{Thing: thing, What: what, Err: f.Err}
	switch {
	case f.Err == nil && fit(f.Value):
		i.State = Fit
	case f.Err == nil:
		i.State = Unfit
	case errors.Is(f.Err, ErrInapplicable):
		i.State, i.Err = Inapplicable, nil
	case errors.Is(f.Err, ErrOtherStatement):
		i.State, i.Err = Left, hint.With(f.Err, "give yours another Sid, or remove it, and run ms-init again")
	default:
		i.State = Unknown
	}
	return i
}

func isTrue(b bool) bool { return b }

// Items judges a bucket. Nothing of one that is Unknown is judged but that.
func (b *Bucket) Items(w Wanted) []Item {
	bucket := item(TheBucket, "bucket s3://"+b.Name, b.Exists, isTrue)
	if bucket.State == Unknown || bucket.State == Inapplicable {
		bucket.State, bucket.Err = Unknown, b.Exists.Err
		return []Item{bucket}
	}
	items := []Item{
		bucket,
		item(Ownership, "owner enforced, no access control lists", b.OwnerEnforced, isTrue),
		item(PublicBlock, "public access blocked", b.PublicAccess, PublicAccess.All),
		item(TLS, "TLS only", b.TLSOnly, isTrue),
		b.versioningItem(),
		b.ruleItem(Uploads, fmt.Sprintf("unfinished uploads ended after %d days", UploadDays), UploadsRule(w.Under, UploadDays),
			func(l Lifecycle) bool { return l.EndsUploads(w.Under, UploadDays) }),
	}
	if w.Keep > 0 {
		items = append(items, b.ruleItem(OldVersions, fmt.Sprintf("old versions removed after %d days", w.Keep), VersionsRule(w.Under, w.Keep),
			func(l Lifecycle) bool { return l.RemovesVersions(w.Under, w.Keep) }))
	}
	if !b.Exists.Value {
		for i := range items {
			if items[i].State == Unfit {
				items[i].State = Missing
			}
		}
	}
	return items
}

func (b *Bucket) versioningItem() Item {
	i := item(VersioningOn, "versioning", b.Versioning, func(v Versioning) bool { return v.Enabled })
	if i.State == Unfit && b.Versioning.Value.MFADelete {
		i.State = Left
		i.Err = hint.With(errors.New("versioning is off, and MFA delete keeps everybody from changing that without the MFA device of the account's root user"),
			"with it: aws s3api put-bucket-versioning --mfa 'SERIAL CODE' --versioning-configuration Status=Enabled,MFADelete=Enabled --bucket "+b.Name)
	}
	return i
}

// ruleItem judges the lifecycle rules. Those of others are not written again: S3 takes
// all or none, and may know more of theirs than this program does.
func (b *Bucket) ruleItem(thing Thing, what string, r Rule, fit func(Lifecycle) bool) Item {
	i := item(thing, what, b.Lifecycle, fit)
	if i.State == Unfit && b.Lifecycle.Value.Others() {
		i.State = Left
		i.Err = hint.With(errors.New("the bucket has lifecycle rules of others, which are left as they are"),
			"add this rule to them, by get- and put-bucket-lifecycle-configuration of aws s3api: "+r.JSON())
	}
	return i
}

// JSON is a rule as the AWS CLI takes it.
func (r Rule) JSON() string {
	type days struct {
		Abort      int `json:"DaysAfterInitiation,omitempty"`
		Noncurrent int `json:"NoncurrentDays,omitempty"`
	}
	rule := struct {
		ID, Status string
		Filter     struct{ Prefix string }
		Abort      *days `json:"AbortIncompleteMultipartUpload,omitempty"`
		Noncurrent *days `json:"NoncurrentVersionExpiration,omitempty"`
	}{ID: r.ID, Status: "Enabled"}
	rule.Filter.Prefix = r.Prefix
	if r.AbortDays > 0 {
		rule.Abort = &days{Abort: r.AbortDays}
	}
	if r.NoncurrentDays > 0 {
		rule.Noncurrent = &days{Noncurrent: r.NoncurrentDays}
	}
	text, _ := json.Marshal(rule) // of strings and numbers
	return string(text)
}

// Items judges a key for a service. Account is the caller's own; empty if it is not
// known.
func (s *Surveyor) Items(k Key, service, account string) []Item {
	name := showKey(k.ID)
	alias, _, owner, isAlias := s.Alias(k.ID)
	key := item(TheKey, "key "+name+" of "+service, k.Found, func(m *Metadata) bool { return m != nil })
	if key.State == Inapplicable {
		key.State, key.Err = Unknown, k.Found.Err
	}
	if key.State == Unknown {
		return []Item{key}
	}
	m := k.Found.Value
	if m == nil {
		switch {
		case !isAlias:
			return []Item{left(key, "KMS knows no key "+name, "a key is made for an alias only: set key to an alias, or to the ARN of a key")}
		case owner != "" && account != "" && owner != account:
			return []Item{left(key, "KMS knows no alias "+name, "the alias is in another account, whose own ms-init makes it")}
		case strings.HasPrefix(alias, "alias/aws/"):
			return []Item{left(key, "KMS knows no alias "+name, "only AWS makes aliases that begin with alias/aws/")}
		}
		return []Item{{TheKey, "key of " + service, Missing, nil}, {Rotation, "rotation of the key of " + service, Missing, nil}, {TheAlias, name, Missing, nil}}
	}
	key.What = "key " + m.ARN + " of " + service
	switch {
	case m.State == types.KeyStateDisabled:
		key = left(key, "the key "+m.ARN+" is disabled", "aws kms enable-key --key-id "+m.ARN)
	case m.State == types.KeyStatePendingDeletion, m.State == types.KeyStatePendingReplicaDeletion:
		key = left(key, "the key "+m.ARN+" is pending deletion", "aws kms cancel-key-deletion --key-id "+m.ARN+"; then enable-key")
	case m.State != types.KeyStateEnabled:
		key = left(key, "the key "+m.ARN+" is not enabled", "aws kms describe-key --key-id "+m.ARN+" shows its state")
	case !m.Symmetric():
		key = left(key, "the key "+m.ARN+" cannot make data keys", "a symmetric key for encryption is needed: set key to another, or the alias")
	}
	rotation := item(Rotation, "rotation of "+m.ARN, k.Rotation, isTrue)
	if account != "" && m.Account != account || rotation.State == Unfit && key.State == Left {
		rotation.State, rotation.Err = Inapplicable, nil
	}
	items := []Item{key, rotation}
	if isAlias {
		items = append(items, Item{TheAlias, name, Fit, nil})
	}
	return items
}

// left makes an item one that a person must decide.
func left(i Item, why, remedy string) Item {
	i.State, i.Err = Left, hint.With(errors.New(why), remedy)
	return i
}
