// Package sigv4 checks AWS Signature Version 4 as a server does: in the
// Authorization header, in the query of a presigned URL, and chunk by chunk in a
// streamed body.
package sigv4

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm     = "AWS4-HMAC-SHA256"
	amzTimeFormat = "20060102T150405Z"
	emptySHA256   = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// UnsignedPayload is the Payload of a request whose signature does not cover its
// body.
const UnsignedPayload = "UNSIGNED-PAYLOAD"

// MaxSkew is the largest difference between a request's time and the server's.
const MaxSkew = 15 * time.Minute

// What is wrong with a signature.
var (
	ErrMissing     = errors.New("the request is not signed")
	ErrUnsupported = errors.New("the authorization type is not " + algorithm)
	ErrMalformed   = errors.New("the authorization header or query is malformed")
	ErrExpires     = errors.New("X-Amz-Expires must be between 0 and 604800 seconds")
	ErrMismatch    = errors.New("the signature does not match")
	ErrSkewed      = errors.New("the request's time is too far from the server's")
	ErrExpired     = errors.New("the presigned request has expired")
)

// A Signature is what a request says of its own signature and, after Verify, the
// key that its chunks are signed with.
type Signature struct {
	AccessKey string
	Token     string // the session token, or ""
	Region    string
	Service   string
	Time      string // as 20060102T150405Z
	Payload   string // x-amz-content-sha256: the body's hash in hex, or how the body is signed
	Presigned bool   // by the query of a URL

	scope   string // DATE/REGION/SERVICE/aws4_request
	signed  []string
	value   string
	expires time.Duration
	key     []byte
}

// Parse finds the signature in r.
func Parse(r *http.Request) (*Signature, error) {
	s := &Signature{Payload: r.Header.Get("X-Amz-Content-Sha256")}
	query := r.URL.Query()
	var credential, signed string
	switch auth := r.Header.Get("Authorization"); {
	case auth != "":
		fields, ok := strings.CutPrefix(auth, algorithm+" ")
		if !ok {
			return nil, ErrUnsupported
		}
		named := map[string]string{}
		for field := range strings.SplitSeq(fields, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
			named[name] = value
		}
		credential, signed, s.value = named["Credential"], named["SignedHeaders"], named["Signature"]
		s.Time, s.Token = r.Header.Get("X-Amz-Date"), r.Header.Get("X-Amz-Security-Token")
	case query.Get("X-Amz-Algorithm") == algorithm:
		s.Presigned = true
		credential, signed, s.value = query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature")
		s.Time, s.Token = query.Get("X-Amz-Date"), query.Get("X-Amz-Security-Token")
		seconds, err := strconv.Atoi(query.Get("X-Amz-Expires"))
		if err != nil || seconds < 0 || seconds > 7*24*3600 {
			return nil, ErrExpires
		}
		s.expires = time.Duration(seconds) * time.Second
		if s.Payload == "" {
			s.Payload = UnsignedPayload
		}
	default:
		return nil, ErrMissing
	}
	cred := strings.Split(credential, "/")
	if len(cred) != 5 || cred[4] != "aws4_request" || signed == "" || s.value == "" || !strings.HasPrefix(s.Time, cred[1]) {
		return nil, ErrMalformed
	}
	s.AccessKey, s.Region, s.Service = cred[0], cred[2], cred[3]
	s.scope = strings.Join(cred[1:], "/")
	s.signed = strings.Split(signed, ";")
	if !slices.Contains(s.signed, "host") {
		return nil, ErrMalformed
	}
	return s, nil
}

// Verify returns ErrMismatch unless r is signed with secret. Of a service other
// than S3, which has x-amz-content-sha256, Payload must have been set to the
// body's hash.
func (s *Signature) Verify(r *http.Request, secret string) error {
	date, _, _ := strings.Cut(s.scope, "/")
	s.key = hmacSHA256([]byte("AWS4"+secret), date)
	for _, part := range []string{s.Region, s.Service, "aws4_request"} {
		s.key = hmacSHA256(s.key, part)
	}
	return s.check(s.value, "", sha256Hex(s.canonicalRequest(r)))
}

// check returns ErrMismatch unless value is the signature of a string to sign: of
// a request, whose kind is "", or of what is in its body.
func (s *Signature) check(value, kind string, content ...string) error {
	toSign := strings.Join(append([]string{algorithm + kind, s.Time, s.scope}, content...), "\n")
	if !hmac.Equal([]byte(hex.EncodeToString(hmacSHA256(s.key, toSign))), []byte(value)) {
		return ErrMismatch
	}
	return nil
}

// CheckTime returns ErrSkewed, or ErrExpired for a presigned URL, unless now is
// the time of the request.
func (s *Signature) CheckTime(now time.Time) error {
	t, err := time.Parse(amzTimeFormat, s.Time)
	if err != nil {
		return ErrMalformed
	}
	if s.Presigned {
		if now.After(t.Add(s.expires)) || t.After(now.Add(MaxSkew)) {
			return ErrExpired
		}
		return nil
	}
	if now.Sub(t).Abs() > MaxSkew {
		return ErrSkewed
	}
	return nil
}

// canonicalRequest is what is signed: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html.
func (s *Signature) canonicalRequest(r *http.Request) string {
	path := r.URL.EscapedPath()
	if unescaped, err := url.PathUnescape(path); err == nil {
		path = strings.ReplaceAll(escape(url.QueryEscape(unescaped)), "%2F", "/")
	}
	query := r.URL.Query()
	query.Del("X-Amz-Signature")
	for _, values := range query {
		slices.Sort(values)
	}
	lines := []string{r.Method, cmp.Or(path, "/"), escape(query.Encode())}
	for _, name := range s.signed {
		lines = append(lines, name+":"+signedValue(r, name))
	}
	return strings.Join(append(lines, "", strings.Join(s.signed, ";"), s.Payload), "\n")
}

// escape makes what package url has escaped for a query what AWS expects.
func escape(s string) string { return strings.ReplaceAll(s, "+", "%20") }

// signedValue returns a header as it enters the canonical request; net/http
// keeps two of them apart.
func signedValue(r *http.Request, name string) string {
	switch {
	case name == "host":
		return r.Host
	case name == "content-length" && r.Header.Get(name) == "":
		return strconv.FormatInt(r.ContentLength, 10)
	case name == "transfer-encoding":
		return strings.Join(r.TransferEncoding, ",")
	}
	var values []string
	for _, v := range r.Header.Values(name) {
		values = append(values, strings.Join(strings.Fields(v), " "))
	}
	return strings.Join(values, ",")
}

func hmacSHA256(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

func sha256Hex(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
