// Package defaults has what holds where nobody has said otherwise.
package defaults

import (
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Key is the KMS key of a secret: the alias that is named after its service.
const Key = "alias/microsecrets-{service}"

// Timeout is the longest wait without progress.
const Timeout = 30 * time.Second

// ByMax is how many bytes the claim of who writes has at most.
const ByMax = 256

// By is who writes, user@host. It is empty where that would not be a valid claim.
func By() string {
	name := strconv.Itoa(os.Geteuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if by := name + "@" + host; err == nil && ValidBy(by) {
		return by
	}
	return ""
}

// ValidBy reports whether text can be a claim of who writes: UTF-8 without control
// characters, of at most ByMax bytes.
func ValidBy(text string) bool {
	return len(text) <= ByMax && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}
