package keyring

import (
	"strings"

	"microsecrets/lib/internal/printable"
)

// arn is the name of a KMS key or alias, taken apart:
// arn:PARTITION:kms:REGION:ACCOUNT:key/ID or …:alias/NAME.
type arn struct {
	partition, region, account string
	kind                       string // key or alias
	id                         string // without the kind
}

// arnMax bounds an ARN in bytes, as KMS bounds a key id.
const arnMax = 2048

// parseARN takes a well-formed ARN of a key or an alias apart. What it accepts
// is safe to print and to build a host name from.
func parseARN(s string) (arn, bool) {
	parts := strings.Split(s, ":")
	if len(s) > arnMax || len(parts) != 6 || parts[0] != "arn" || parts[2] != "kms" {
		return arn{}, false
	}
	a := arn{partition: parts[1], region: parts[3], account: parts[4]}
	var ok bool
	a.kind, a.id, ok = strings.Cut(parts[5], "/")
	if !ok || a.kind != "key" && a.kind != "alias" {
		return arn{}, false
	}
	if !consists(a.partition, isLowerDash) || !consists(a.region, isLowerDash) || len(a.account) != 12 || !consists(a.account, isDigit) {
		return arn{}, false
	}
	inID := func(c byte) bool { return isAlphanumeric(c) || c == '-' }
	if a.kind == "alias" {
		inID = func(c byte) bool { return isAlphanumeric(c) || strings.IndexByte("-_/", c) >= 0 }
	}
	return a, consists(a.id, inID)
}

// replicaOf tells whether two ARNs are of one multi-region key: they are the
// same but for the region.
func (a arn) replicaOf(b arn) bool {
	a.region = b.region
	return a == b && a.kind == "key" && strings.HasPrefix(a.id, "mrk-")
}

// Show returns s as it is if it is well-formed as the name of a KMS key, else
// quoted and cut: it may come from whoever wrote the object.
func Show(s string) string {
	if _, ok := parseARN(s); ok {
		return s
	}
	if len(s) <= 256 && consists(s, func(c byte) bool { return isAlphanumeric(c) || strings.IndexByte("-_/", c) >= 0 }) {
		return s
	}
	return printable.Quote(s)
}

func consists(s string, of func(byte) bool) bool {
	for i := range len(s) {
		if !of(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool        { return '0' <= c && c <= '9' }
func isLowerDash(c byte) bool    { return 'a' <= c && c <= 'z' || isDigit(c) || c == '-' }
func isAlphanumeric(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) }
