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
	others := "-"
	if a.kind == "alias" {
		others = "-_/"
	}
	return a, isLower(a.partition) && isLower(a.region) && len(a.account) == 12 && strings.Trim(a.account, "0123456789") == "" &&
		printable.Word(a.id, arnMax, others)
}

func isLower(s string) bool { return printable.Word(s, arnMax, "-") && s == strings.ToLower(s) }

// replicaOf reports whether two ARNs are of one multi-region key: only the region
// differs.
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
	if printable.Word(s, 256, "-_/") {
		return s
	}
	return printable.Quote(s)
}
