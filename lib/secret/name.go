package secret

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/printable"
)

// CheckName reports whether a secret can have this name: a path of one or more
// segments with a slash between them, none empty, "." or "..", valid UTF-8
// without control characters, line and paragraph separators and bidirectional
// controls, which would make a line of a listing look like other lines, at most
// 1,024 bytes together with the store's prefix. The error is an ErrInvalid.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("an empty name is %w", ErrInvalid)
	case len(name) > bucket.KeyMax:
		return fmt.Errorf("a name of over %d bytes is %w", bucket.KeyMax, ErrInvalid)
	case !utf8.ValidString(name):
		return fmt.Errorf("name %+q is %w: not valid UTF-8", name, ErrInvalid)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("name %+q is %w: a control character", name, ErrInvalid)
	case strings.ContainsFunc(name, isSeparatorOrBidi):
		return fmt.Errorf("name %+q is %w: a line separator or a bidirectional control", name, ErrInvalid)
	}
	for segment := range strings.SplitSeq(name, "/") {
		switch segment {
		case "":
			if strings.Contains(name, "://") {
				return isURL("name", name)
			}
			return fmt.Errorf("name %q is %w: an empty segment, or a slash at an end", name, ErrInvalid)
		case ".", "..":
			return fmt.Errorf("name %q is %w: a segment %q", name, ErrInvalid, segment)
		}
	}
	return nil
}

func isURL(what, text string) error {
	return hint.With(fmt.Errorf("%s %q is %w: it is a URL", what, text, ErrInvalid),
		"a NAME is what follows the store: -store s3://BUCKET SERVICE/NAME")
}

// isSeparatorOrBidi reports whether a character ends a line, or changes the
// direction of its text, although it is not a control character.
func isSeparatorOrBidi(r rune) bool {
	return unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// service is the service that a name belongs to: its first segment, or "default"
// where it has one only.
func service(name string) string {
	if service, _, ok := strings.Cut(name, "/"); ok {
		return service
	}
	return "default"
}

// CheckPrefix reports whether a name can begin with prefix. The error is an
// ErrInvalid.
func CheckPrefix(prefix string) error {
	switch {
	case len(prefix) > bucket.KeyMax:
		return fmt.Errorf("a prefix of over %d bytes is %w", bucket.KeyMax, ErrInvalid)
	case !utf8.ValidString(prefix), strings.ContainsFunc(prefix, unicode.IsControl), strings.ContainsFunc(prefix, isSeparatorOrBidi):
		return fmt.Errorf("prefix %+q is %w: no name begins with it", prefix, ErrInvalid)
	case strings.Contains(prefix, "://"):
		return isURL("prefix", prefix)
	}
	return nil
}

// location is where a store keeps its secrets.
type location struct {
	bucket string // or an access point's alias, or its ARN
	prefix string // under the rules of names, or empty
}

// CheckStore reports whether a store can be written so: s3://BUCKET or
// s3://BUCKET/PREFIX, with or without s3:// and a slash at the end. BUCKET may be
// an access point, by its alias or its ARN. The error is an ErrInvalid, and does
// not show the store.
func CheckStore(store string) error {
	_, err := parseLocation(store)
	return err
}

// SplitStore returns the bucket of a store, or its access point, and what the keys of
// its objects begin with: the prefix and a slash, or nothing. The error is that of
// CheckStore.
func SplitStore(store string) (bucket, under string, err error) {
	l, err := parseLocation(store)
	return l.bucket, l.under(), err
}

func parseLocation(store string) (location, error) {
	name, prefix, _ := strings.Cut(strings.TrimPrefix(store, "s3://"), "/")
	valid := validBucket(name)
	if strings.HasPrefix(name, "arn:") && strings.HasSuffix(name, ":accesspoint") {
		var point string
		point, prefix, _ = strings.Cut(prefix, "/")
		name, valid = name+"/"+point, validAccessPoint(name, point)
	}
	doubled := prefix == "/"
	prefix = strings.TrimSuffix(prefix, "/")
	if !valid {
		return location{}, fmt.Errorf("the store is %w: write s3://BUCKET or s3://BUCKET/PREFIX", ErrInvalid)
	}
	if doubled || prefix != "" && CheckName(prefix) != nil {
		return location{}, fmt.Errorf("the store is %w: its prefix breaks the rules of names", ErrInvalid)
	}
	return location{name, prefix}, nil
}

// String is the canonical form: s3://BUCKET[/PREFIX], no slash at the end.
func (l location) String() string { return strings.TrimSuffix("s3://"+l.bucket+"/"+l.prefix, "/") }

// isARN reports whether the bucket is an access point's ARN.
func (l location) isARN() bool { return strings.HasPrefix(l.bucket, "arn:") }

// under is what every key of the store begins with.
func (l location) under() string {
	if l.prefix == "" {
		return ""
	}
	return l.prefix + "/"
}

// key is the key of the object that holds a secret.
func (l location) key(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	key := l.under() + name
	if len(key) > bucket.KeyMax {
		return "", fmt.Errorf("name %q is %w: its key has over %d bytes", name, ErrInvalid, bucket.KeyMax)
	}
	return key, nil
}

// url is where a secret is, with the version if there is one.
func (l location) url(name, version string) string {
	u := url.URL{Scheme: "s3", Host: l.bucket, Path: "/" + l.under() + name}
	if version != "" {
		u.RawQuery = url.Values{"versionId": {version}}.Encode()
	}
	return u.String()
}

// validBucket is looser than S3's rule for new buckets, since old ones have
// upper case and underscores; it keeps what could change a URL's meaning out.
func validBucket(s string) bool {
	return len(s) >= 3 && s[0] != '.' && s[0] != '-' && !strings.Contains(s, "..") && printable.Word(s, 255, ".-_")
}

// validAccessPoint takes arn:PARTITION:s3:REGION:ACCOUNT:accesspoint and a name.
func validAccessPoint(arn, name string) bool {
	parts := strings.Split(arn, ":")
	return len(parts) == 6 && parts[2] == "s3" && printable.Word(parts[1], 63, "-") && printable.Word(parts[3], 63, "-") &&
		len(parts[4]) == 12 && printable.Word(parts[4], 12, "") && printable.Word(name, 63, "-")
}
