package survey

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// TLSStatement is the Sid of the statement that ms-init adds to a bucket's policy.
const TLSStatement = "MicrosecretsTLSOnly"

// ErrOtherStatement is the error of a policy whose statement TLSStatement says
// something else than ms-init writes. It is somebody's now.
var ErrOtherStatement = errors.New("the bucket's policy has a statement " + TLSStatement + " that does not deny requests without TLS")

var errNoPolicy = errors.New("the bucket's policy is not JSON as IAM has it")

// words is a JSON string, or an array of them.
type words []string

func (w *words) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(w))
}

// statement returns the raw statements of a policy, and where they are in it: one
// object, or an array. Policies are read by their very names, which package json
// would take in any case.
func statements(policy string) (raw []json.RawMessage, start, end int, err error) {
	d := json.NewDecoder(strings.NewReader(policy))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, 0, 0, errNoPolicy
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, 0, 0, errNoPolicy
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, 0, 0, errNoPolicy
		}
		if name != "Statement" {
			continue
		}
		if end > 0 {
			return nil, 0, 0, errNoPolicy // which of the two counts?
		}
		end = int(d.InputOffset())
		start = end - len(value)
	}
	if _, err := d.Token(); err != nil || start == 0 {
		return nil, 0, 0, errNoPolicy
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, 0, 0, errNoPolicy
	}
	text := []byte(policy[start:end])
	if text[0] == '{' {
		return []json.RawMessage{text}, start, end, nil
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, 0, 0, errNoPolicy
	}
	return raw, start, end, nil
}

// tlsOnly reports whether a policy denies every request without TLS to a bucket and
// what is in it, whoever has written it.
func tlsOnly(policy, bucketARN string) (bool, error) {
	if policy == "" {
		return false, nil
	}
	raw, _, _, err := statements(policy)
	if err != nil {
		return false, err
	}
	ours := false
	for _, text := range raw {
		if deniesPlain(text, bucketARN) {
			return true, nil
		}
		var s struct{ Sid string }
		ours = ours || json.Unmarshal(text, &s) == nil && s.Sid == TLSStatement
	}
	if ours {
		return false, ErrOtherStatement
	}
	return false, nil
}

// deniesPlain reports whether a statement denies all requests without TLS. What it
// has besides might restrict it.
func deniesPlain(text []byte, bucketARN string) bool {
	var s struct {
		Sid, Effect      string
		Principal        json.RawMessage
		Action, Resource words
		Condition        map[string]map[string]any
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&s) != nil || s.Effect != "Deny" || len(s.Condition) != 1 || len(s.Condition["Bool"]) != 1 {
		return false
	}
	insecure := false
	for key, value := range s.Condition["Bool"] {
		if list, ok := value.([]any); ok && len(list) == 1 {
			value = list[0]
		}
		insecure = strings.EqualFold(key, "aws:SecureTransport") && strings.EqualFold(fmt.Sprint(value), "false")
	}
	everywhere := slices.Contains(s.Resource, "*") ||
		slices.Contains(s.Resource, bucketARN+"*") ||
		slices.Contains(s.Resource, bucketARN) && slices.Contains(s.Resource, bucketARN+"/*")
	return insecure && everywhere && isAnybody(s.Principal) &&
		slices.ContainsFunc(s.Action, func(a string) bool { return a == "*" || strings.EqualFold(a, "s3:*") })
}

// isAnybody reports whether a Principal is "*" or {"AWS": "*"}, which S3 makes of it.
func isAnybody(text json.RawMessage) bool {
	var all string
	if json.Unmarshal(text, &all) == nil {
		return all == "*"
	}
	var by map[string]words
	return json.Unmarshal(text, &by) == nil && slices.Contains(by["AWS"], "*")
}

// WithTLSOnly is a bucket's policy, or none, with the statement that denies requests
// without TLS added. What was there stays as it is, byte for byte.
func WithTLSOnly(policy, bucketARN string) (string, error) {
	added := fmt.Sprintf(`{"Sid":%q,"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":[%q,%q],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}`,
		TLSStatement, bucketARN, bucketARN+"/*")
	if policy == "" {
		return `{"Version":"2012-10-17","Statement":[` + added + `]}`, nil
	}
	raw, start, end, err := statements(policy)
	if err != nil {
		return "", err
	}
	before, value, after := policy[:start], policy[start:end], policy[end:]
	switch {
	case value[0] == '{':
		return before + "[" + value + "," + added + "]" + after, nil
	case len(raw) == 0:
		return before + "[" + added + "]" + after, nil
	}
	list := strings.TrimSuffix(value, "]")
	return before + list + "," + added + "]" + after, nil
}
