// Package whoami says who a writer is where nobody has said it otherwise.
package whoami

import (
	"os"
	"os/user"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Max is how many bytes the claim of who writes has at most.
const Max = 256

// UserAtHost is user@host. It is empty where that would not be a valid claim.
func UserAtHost() string {
	name := strconv.Itoa(os.Geteuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if by := name + "@" + host; err == nil && Valid(by) {
		return by
	}
	return ""
}

// Valid reports whether text can be a claim of who writes: UTF-8 without control
// characters, of at most Max bytes.
func Valid(text string) bool {
	return len(text) <= Max && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}
