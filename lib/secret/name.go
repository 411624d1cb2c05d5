package secret

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// keyMax is S3's bound on an object's key, in bytes.
const keyMax = 1024

// ErrBadName is wrapped by the errors of names and stores that are refused
// before anything is sent.
var ErrBadName = errors.New("refused")

// CheckName tells whether a secret can have this name: a path of one or more
// segments with a slash between them, none empty, "." or "..", valid UTF-8
// without control characters, line and paragraph separators and bidirectional
// controls, which would make a line of a listing look like other lines, at most
// 1,024 bytes together with the store's prefix. The error is an ErrBadName.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("an empty name is %w", ErrBadName)
	case len(name) > keyMax:
		return fmt.Errorf("a name of over %d bytes is %w", keyMax, ErrBadName)
	case !utf8.ValidString(name):
		return fmt.Errorf("name %+q is %w: not valid UTF-8", name, ErrBadName)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("name %+q is %w: a control character", name, ErrBadName)
	case strings.ContainsFunc(name, isSeparatorOrBidi):
		return fmt.Errorf("name %+q is %w: a line separator or a bidirectional control", name, ErrBadName)
	}
	for segment := range strings.SplitSeq(name, "/") {
		switch segment {
		case "":
			return fmt.Errorf("name %q is %w: an empty segment, or a slash at an end", name, ErrBadName)
		case ".", "..":
			return fmt.Errorf("name %q is %w: a segment %q", name, ErrBadName, segment)
		}
	}
	return nil
}

// isSeparatorOrBidi reports whether a character ends a line, or changes the
// direction of its text, although it is not a control character.
func isSeparatorOrBidi(r rune) bool {
	return unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// Service returns the service that a name belongs to: its first segment, or
// "default" where it has one only.
func Service(name string) string {
	if service, _, ok := strings.Cut(name, "/"); ok {
		return service
	}
	return "default"
}

// Location is where a store keeps its secrets: s3://BUCKET or
// s3://BUCKET/PREFIX.
type Location struct {
	Bucket string
	Prefix string // under the rules of names, or empty
}

// ParseLocation takes a store apart, written with or without s3://, with or
// without a slash at its end. The error is an ErrBadName, and does not
// show the store.
func ParseLocation(store string) (Location, error) {
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(store, "s3://"), "/")
	doubled := prefix == "/"
	prefix = strings.TrimSuffix(prefix, "/")
	if !validBucket(bucket) {
		return Location{}, fmt.Errorf("the store is %w: write s3://BUCKET or s3://BUCKET/PREFIX", ErrBadName)
	}
	if doubled || prefix != "" && CheckName(prefix) != nil {
		return Location{}, fmt.Errorf("the store is %w: its prefix breaks the rules of names", ErrBadName)
	}
	return Location{bucket, prefix}, nil
}

// String is the canonical form: s3://BUCKET[/PREFIX], no slash at the end.
func (l Location) String() string {
	if l.Prefix == "" {
		return "s3://" + l.Bucket
	}
	return "s3://" + l.Bucket + "/" + l.Prefix
}

// CheckName is the function CheckName, with the bound on the length that the
// store's prefix leaves.
func (l Location) CheckName(name string) error {
	_, err := l.key(name)
	return err
}

// key is the key of the object that holds a secret.
func (l Location) key(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	key := l.prefix() + name
	if len(key) > keyMax {
		return "", fmt.Errorf("name %q is %w: its key has over %d bytes", name, ErrBadName, keyMax)
	}
	return key, nil
}

// prefix is what every key of the store begins with.
func (l Location) prefix() string {
	if l.Prefix == "" {
		return ""
	}
	return l.Prefix + "/"
}

// validBucket is looser than S3's rule for new buckets, since old ones have
// upper case and underscores; it keeps what could change a URL's meaning out.
func validBucket(s string) bool {
	if len(s) < 3 || len(s) > 255 || s[0] == '.' || s[0] == '-' || strings.Contains(s, "..") {
		return false
	}
	for _, c := range []byte(s) {
		ok := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_'
		if !ok {
			return false
		}
	}
	return true
}
