package check

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/printable"
	"microsecrets/lib/internal/survey"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// The states of a row.
const (
	fit          = "ok"
	bad          = "no"
	unknown      = "?" // not allowed to look, or cannot tell
	inapplicable = "-"
)

// A row is one thing that was looked at.
type row struct {
	State  string `json:"state"`
	What   string `json:"what"`
	Detail string `json:"detail,omitempty"`
	Remedy string `json:"remedy,omitempty"` // a command, or advice; lines
	Action string `json:"action,omitempty"` // of IAM, that is not allowed
	Role   string `json:"role,omitempty"`   // of ms-init -policy, that allows it
}

// add prints a row. Its texts may be anybody's.
func (c *checker) add(r row) {
	c.bad = c.bad || r.State == bad
	if c.failed != nil {
		return
	}
	var text string
	if c.json {
		line, err := json.Marshal(r)
		if err != nil {
			c.failed = err
			return
		}
		text = string(printable.JSON(line)) + "\n"
	} else {
		text = fmt.Sprintf("%-2s  %s", r.State, printable.Line(r.What))
		if r.Detail != "" {
			text += ": " + printable.Line(r.Detail)
		}
		text += "\n"
		for line := range strings.Lines(r.Remedy) {
			text += "    " + printable.Line(strings.TrimSuffix(line, "\n")) + "\n"
		}
	}
	if _, err := fmt.Fprint(c.t.Stdout, text); err != nil {
		c.failed = tool.FileError("standard output", err)
	}
}

// A right is an action of IAM's, and the role of ms-init -policy that has it.
type right struct{ action, role string }

// rights are what operations need.
var rights = map[string]right{
	"HeadBucket":                      {"s3:ListBucket", "admin"},
	"GetBucketLocation":               {"s3:GetBucketLocation", "admin"},
	"GetBucketOwnershipControls":      {"s3:GetBucketOwnershipControls", "admin"},
	"GetPublicAccessBlock":            {"s3:GetBucketPublicAccessBlock", "admin"},
	"GetBucketPolicy":                 {"s3:GetBucketPolicy", "admin"},
	"GetBucketVersioning":             {"s3:GetBucketVersioning", "admin"},
	"GetBucketLifecycleConfiguration": {"s3:GetLifecycleConfiguration", "admin"},
	"DescribeKey":                     {"kms:DescribeKey", "admin"},
	"GetKeyRotationStatus":            {"kms:GetKeyRotationStatus", "admin"},
	"ListObjectsV2":                   {"s3:ListBucket", "lister"},
	"ListObjectVersions":              {"s3:ListBucketVersions", "lister"},
	"GenerateDataKey":                 {"kms:GenerateDataKey", "writer"},
	"Encrypt":                         {"kms:Encrypt", "writer"},
	"PutObject":                       {"s3:PutObject", "writer"},
	"GetObject":                       {"s3:GetObject", "reader"},
	"HeadObject":                      {"s3:GetObject", "remover"},
	"Decrypt":                         {"kms:Decrypt", "reader"},
	"DeleteObject":                    {"s3:DeleteObject", "remover"},
}

// failure is the row of what has failed, in the state otherwise unless the error says
// what it is. Scope is what a policy would be for.
func (c *checker) failure(what string, err error, otherwise, scope string) row {
	r := row{State: otherwise, What: what, Detail: err.Error(), Remedy: tool.Advice(err)}
	if named, ok := errors.AsType[*secret.Error](err); ok {
		r.Detail = named.Err.Error() // what has the name
	}
	var e *awsclient.Error
	errors.As(err, &e)
	switch {
	case errors.Is(err, survey.ErrInapplicable):
		return row{State: inapplicable, What: what, Detail: err.Error()}
	case errors.Is(err, context.DeadlineExceeded) && e == nil:
		return row{State: unknown, What: what, Detail: "no answer in time"}
	case errors.Is(err, secret.ErrUnreachable):
		r.State = unknown
	case e == nil:
	case e.Kind == awsclient.ErrDenied && notAllowed(e):
		r.State = unknown
		op, _, _ := strings.Cut(e.Op, " ")
		if need, ok := rights[op]; ok {
			r.Action, r.Role = need.action, need.role
			r.Remedy = strings.TrimSuffix(fmt.Sprintf("needs %s: %s\n%s", need.action, c.policyCommand(need.role, scope), r.Remedy), "\n")
		}
	case e.Kind == awsclient.ErrDenied, e.Kind == awsclient.ErrConfig, e.Status/100 == 3 || elsewhere[e.Code]:
		r.State = bad
	}
	return r
}

// notAllowed reports whether credentials that are good do not allow something.
func notAllowed(e *awsclient.Error) bool {
	return e.Code == "AccessDenied" || e.Code == "AccessDeniedException" || e.Code == "Forbidden" || e.Code == "" && e.Status == http.StatusForbidden
}

// elsewhere are the codes of a bucket in another region.
var elsewhere = map[string]bool{
	"PermanentRedirect": true, "TemporaryRedirect": true, "AuthorizationHeaderMalformed": true, "IllegalLocationConstraintException": true,
}

// initCommand is how ms-init is called for the same store. A store or an origin that
// cannot be used is not shown: it may be a slip.
func (c *checker) initCommand(args ...string) string {
	words := []string{"ms-init"}
	for _, s := range c.settings.Describe() {
		if c.bucket == "" && (s.Name == "store" || s.Name == "origin") {
			continue
		}
		if s.Source == "-"+s.Name && initSettings[s.Name] {
			words = append(words, "-"+s.Name, s.Value)
		}
	}
	words = append(words, args...)
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

// quote is a word as a shell takes it.
func quote(word string) string {
	if printable.Word(word, len(word), "-_./:,=@") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// initSettings are those that a command must be given again.
var initSettings = map[string]bool{"store": true, "key": true, "origin": true, "region": true, "profile": true, "bucket-owner": true, "config": true}

func (c *checker) policyCommand(role, scope string) string {
	args := []string{"-policy", role}
	if c.exact && role != "admin" {
		args = append(args, "-exact")
	}
	return c.initCommand(append(args, cmp.Or(scope, "SERVICE"))...)
}
