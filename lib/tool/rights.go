package tool

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/printable"
	"microsecrets/lib/internal/settings"
	"microsecrets/lib/secret"
)

// A Right is an action of IAM's, and the role of ms-init -policy that has it.
type Right struct{ Action, Role string }

// rights are what operations need.
var rights = map[string]Right{
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
	"AbortMultipartUpload":            {"s3:AbortMultipartUpload", "writer"},
	"GetObject":                       {"s3:GetObject", "reader"},
	"HeadObject":                      {"s3:GetObject", "remover"},
	"Decrypt":                         {"kms:Decrypt", "reader"},
	"DeleteObject":                    {"s3:DeleteObject", "remover"},
}

// RightFor is the right that was lacking, if it is known.
func RightFor(e *awsclient.Error) (Right, bool) {
	need, ok := rights[operation(e)]
	return need, ok
}

// operation is the operation that failed, as rights has it: those of an upload in parts
// need the right of PutObject.
func operation(e *awsclient.Error) string {
	switch op, _, _ := strings.Cut(e.Op, " "); op {
	case "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload":
		return "PutObject"
	default:
		return op
	}
}

// NotAllowed reports whether credentials that are good do not allow something.
func NotAllowed(e *awsclient.Error) bool {
	return e.Kind == awsclient.ErrDenied &&
		(e.Code == "AccessDenied" || e.Code == "AccessDeniedException" || e.Code == "Forbidden" || e.Code == "" && e.Status == http.StatusForbidden)
}

// roles are those of programs whose requests are more than each by itself.
var roles = map[string]map[string]string{
	"ms-put":    {"GetObject": "merger", "HeadObject": "merger", "Decrypt": "merger"},
	"ms-edit":   {"GetObject": "merger", "HeadObject": "merger", "PutObject": "merger", "AbortMultipartUpload": "merger", "Decrypt": "merger", "GenerateDataKey": "merger", "Encrypt": "merger"},
	"ms-rotate": {"GetObject": "rotator", "PutObject": "rotator", "AbortMultipartUpload": "rotator", "Decrypt": "rotator", "GenerateDataKey": "rotator", "Encrypt": "rotator"},
	"ms-rm":     {"GetObject": "remover", "HeadObject": "remover"},
}

// needs says which right an error is about, and how its policy is printed, or nothing.
func (t *Tool) needs(err error) string {
	var e *awsclient.Error
	if t.resolved == nil || !errors.As(err, &e) || !NotAllowed(e) {
		return ""
	}
	need, ok := RightFor(e)
	if !ok {
		return ""
	}
	failed, named := errors.AsType[*secret.Error](err)
	if named && failed.Store != canonical(t.resolved.Store) {
		return "needs " + need.Action + " in " + failed.Store // of which the settings say nothing
	}
	if e.Version {
		return "needs s3:GetObjectVersion"
	}
	role := cmp.Or(roles[t.Name][operation(e)], need.Role)
	if e.IfMatch && role == "writer" && need.Action == "s3:PutObject" {
		need.Action, role = "s3:PutObject and s3:GetObject", "merger" // as S3 has it for an If-Match
	}
	args := []string{"-policy", role}
	switch {
	case role == "admin" || !named || failed.Name == "":
		args = append(args, "SERVICE")
	case strings.Contains(failed.Name, "/"):
		service, _, _ := strings.Cut(failed.Name, "/")
		args = append(args, service)
	default:
		args = append(args, "-exact", failed.Name)
	}
	return "needs " + need.Action + ": " + InitCommand(t.resolved, true, args...)
}

// InitCommand is how ms-init is called under the same settings, as far as they were
// given as flags. Without usable, the store and the origin are not shown: what cannot be
// used as a store may be a slip. An origin goes with -policy only.
func InitCommand(s *settings.Settings, usable bool, args ...string) string {
	words := []string{"ms-init"}
	for _, each := range s.Describe() {
		if !usable && (each.Name == "store" || each.Name == "origin") {
			continue
		}
		if each.Name == "origin" && !slices.Contains(args, "-policy") {
			continue
		}
		if each.Source == "-"+each.Name && initSettings[each.Name] {
			words = append(words, "-"+each.Name, each.Value)
		}
	}
	words = append(words, args...)
	for i, w := range words {
		words[i] = Quote(w)
	}
	return strings.Join(words, " ")
}

// Quote is a word as a shell takes it.
func Quote(word string) string {
	if printable.Word(word, len(word), "-_./:,=@") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// initSettings are those that a command must be given again.
var initSettings = map[string]bool{"store": true, "key": true, "origin": true, "region": true, "profile": true, "bucket-owner": true, "config": true}
