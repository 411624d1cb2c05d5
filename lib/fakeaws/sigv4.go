package fakeaws

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signature Version 4, as the server checks it: in the Authorization header, or
// in the query of a presigned URL.

const (
	sigAlgorithm    = "AWS4-HMAC-SHA256"
	amzTimeFormat   = "20060102T150405Z"
	unsignedPayload = "UNSIGNED-PAYLOAD"
	emptySHA256     = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	maxSkew         = 15 * time.Minute
)

// A signature is what a request says of its own signature, and after verify the
// key that chunks are signed with.
type signature struct {
	accessKey string
	region    string
	service   string
	scope     string // DATE/REGION/SERVICE/aws4_request
	time      string
	signed    []string
	value     string
	payload   string // x-amz-content-sha256, or the hash of the payload
	expires   time.Duration
	presigned bool

	key []byte
}

// parseSignature finds the signature in r; nil where there is none.
func parseSignature(r *http.Request, query url.Values) (*signature, *apiError) {
	malformed := apiErrorf(http.StatusBadRequest, "AuthorizationHeaderMalformed", "The authorization header that you provided is not valid.")
	s := &signature{payload: r.Header.Get("X-Amz-Content-Sha256")}
	var credential, signed string
	switch auth := r.Header.Get("Authorization"); {
	case auth != "":
		fields, ok := strings.CutPrefix(auth, sigAlgorithm+" ")
		if !ok {
			return nil, errInvalidArgument("Authorization", "Unsupported Authorization Type")
		}
		for field := range strings.SplitSeq(fields, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
			switch name {
			case "Credential":
				credential = value
			case "SignedHeaders":
				signed = value
			case "Signature":
				s.value = value
			}
		}
		s.time = r.Header.Get("X-Amz-Date")
	case query.Get("X-Amz-Algorithm") == sigAlgorithm:
		s.presigned = true
		credential, signed, s.value = query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature")
		s.time = query.Get("X-Amz-Date")
		seconds, err := strconv.Atoi(query.Get("X-Amz-Expires"))
		if err != nil || seconds < 0 || seconds > 7*24*3600 {
			return nil, apiErrorf(http.StatusBadRequest, "AuthorizationQueryParametersError", "X-Amz-Expires must be between 0 and 604800 seconds")
		}
		s.expires = time.Duration(seconds) * time.Second
		if s.payload == "" {
			s.payload = unsignedPayload
		}
	default:
		return nil, nil
	}
	cred := strings.Split(credential, "/")
	if len(cred) != 5 || cred[4] != "aws4_request" || signed == "" || s.value == "" || !strings.HasPrefix(s.time, cred[1]) {
		return nil, malformed
	}
	s.accessKey, s.region, s.service = cred[0], cred[2], cred[3]
	s.scope = strings.Join(cred[1:], "/")
	s.signed = strings.Split(signed, ";")
	if !slices.Contains(s.signed, "host") {
		return nil, malformed
	}
	return s, nil
}

// verify reports whether the signature is that of secret, and keeps the derived
// key.
func (s *signature) verify(r *http.Request, query url.Values, secret string) bool {
	date, _, _ := strings.Cut(s.scope, "/")
	s.key = hmacSHA256([]byte("AWS4"+secret), date)
	for _, part := range []string{s.region, s.service, "aws4_request"} {
		s.key = hmacSHA256(s.key, part)
	}
	canonical := sha256.Sum256([]byte(s.canonicalRequest(r, query)))
	return s.matches(sigAlgorithm+"\n"+s.time+"\n"+s.scope+"\n"+hex.EncodeToString(canonical[:]), s.value)
}

// matches reports whether value is the signature of a string to sign.
func (s *signature) matches(toSign, value string) bool {
	return hmac.Equal([]byte(hex.EncodeToString(hmacSHA256(s.key, toSign))), []byte(value))
}

// checkTime returns RequestTimeTooSkewed, or for a presigned URL AccessDenied,
// when now is not the time of the request.
func (s *signature) checkTime(now time.Time) *apiError {
	t, err := time.Parse(amzTimeFormat, s.time)
	if err != nil {
		return errAccessDenied
	}
	if s.presigned {
		if now.After(t.Add(s.expires)) || t.After(now.Add(maxSkew)) {
			return apiErrorf(http.StatusForbidden, "AccessDenied", "Request has expired")
		}
		return nil
	}
	if d := now.Sub(t); d > maxSkew || d < -maxSkew {
		return apiErrorf(http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.").
			with("RequestTime", s.time).with("ServerTime", now.UTC().Format(time.RFC3339)).with("MaxAllowedSkewMilliseconds", "900000")
	}
	return nil
}

func (s *signature) canonicalRequest(r *http.Request, query url.Values) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n")
	path := r.URL.EscapedPath()
	if unescaped, err := url.PathUnescape(path); err == nil {
		path = awsEscape(unescaped, true)
	}
	if path == "" {
		path = "/"
	}
	b.WriteString(path + "\n")
	var pairs []string
	for name, values := range query {
		if name == "X-Amz-Signature" {
			continue
		}
		for _, value := range values {
			pairs = append(pairs, awsEscape(name, false)+"="+awsEscape(value, false))
		}
	}
	slices.Sort(pairs)
	b.WriteString(strings.Join(pairs, "&") + "\n")
	for _, name := range s.signed {
		b.WriteString(name + ":" + signedValue(r, name) + "\n")
	}
	b.WriteString("\n" + strings.Join(s.signed, ";") + "\n" + s.payload)
	return b.String()
}

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

// awsEscape escapes everything but unreserved characters, and slashes if
// keepSlash.
func awsEscape(s string, keepSlash bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '~', c == '/' && keepSlash:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

func hmacSHA256(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}
