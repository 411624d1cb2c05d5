package iam

import (
	"fmt"
	"strings"
	"testing"
)

func TestDecide(t *testing.T) {
	request := Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/svc/a*b", Context: map[string][]string{
		"aws:username": {"dev"}, "k:one": {"x"}, "k:many": {"a", "b"}, "aws:securetransport": {"false"}, "k:star": {"a*b"},
	}}
	const all = `"Resource": "*"`
	for _, row := range []struct {
		statement string
		allowed   bool
	}{
		{`"Action": "s3:GetObject", ` + all, true},
		{`"Action": ["x:y", "S3:get*"], ` + all, true},
		{`"Action": "s3:GetObjectVersion", ` + all, false},
		{`"NotAction": "s3:Put*", ` + all, true},
		{`"NotAction": "s3:*", ` + all, false},
		{`"Action": "*", "Resource": "arn:aws:s3:::b/svc/*"`, true},
		{`"Action": "*", "Resource": "arn:aws:s3:::b/SVC/*"`, false},
		{`"Action": "*", "Resource": "arn:aws:s3:::b/svc/a?b"`, true},
		{`"Action": "*", "Resource": "arn:aws:s3:::b/svc/a${*}b"`, true},
		{`"Action": "*", "Resource": "arn:aws:s3:::b/svc/a${?}b"`, false},
		{`"Action": "*", "Resource": "arn:aws:s3:::b/svc"`, false},
		{`"Action": "*", "NotResource": "arn:aws:s3:::b/*"`, false},
		{`"Action": "*", "NotResource": "arn:aws:s3:::c/*"`, true},
		{`"Action": "*", "Resource": "arn:aws:s3:::b/${aws:username}/*"`, false},
		{`"Action": "*", "Resource": "arn:aws:s3:::${aws:nothing}*"`, false},
		{`"Action": "*", ` + all + `, "Condition": {"StringEquals": {"K:One": "x"}}`, true},
		{`"Action": "*", ` + all + `, "Condition": {"StringEquals": {"k:one": ["y", "x"]}}`, true},
		{`"Action": "*", ` + all + `, "Condition": {"StringEquals": {"k:one": "X"}}`, false},
		{`"Action": "*", ` + all + `, "Condition": {"StringEqualsIgnoreCase": {"k:one": "X"}}`, true},
		{`"Action": "*", ` + all + `, "Condition": {"StringEquals": {"k:star": "a*"}}`, false},
		{`"Action": "*", ` + all + `, "Condition": {"StringEquals": {"k:star": "a*b"}}`, true},
		{`"Action": "*", ` + all + `, "Condition": {"StringLike": {"k:star": "a*"}}`, true},
		{`"Action": "*", ` + all + `, "Condition": {"StringLike": {"k:star": "a${*}"}}`, false},
		{`"Action": "*", ` + all + `, "Condition": {"StringEquals": {"k:none": "x"}}`, false},
		{`"Action": "*", ` + all + `, "Condition": {"StringEqualsIfExists": {"k:none": "x"}}`, true},
		{`"Action": "*", ` + all + `, "Condition": {"StringNotEquals": {"k:none": "x"}}`, true},
		{`"Action": "*", ` + all + `, "Condition": {"StringNotEquals": {"k:one": ["y", "x"]}}`, false},
		{`"Action": "*", ` + all + `, "Condition": {"StringEquals": {"k:one": "x", "k:none": "x"}}`, false},
		{`"Action": "*", ` + all + `, "Condition": {"StringEquals": {"k:one": "x"}, "StringLike": {"k:one": "y"}}`, false},
		{`"Action": "*", ` + all + `, "Condition": {"ForAllValues:StringEquals": {"k:many": ["a", "b", "c"]}}`, true},
		{`"Action": "*", ` + all + `, "Condition": {"ForAllValues:StringEquals": {"k:many": "a"}}`, false},
		{`"Action": "*", ` + all + `, "Condition": {"ForAllValues:StringEquals": {"k:none": "a"}}`, true},
		{`"Action": "*", ` + all + `, "Condition": {"ForAnyValue:StringEquals": {"k:many": "a"}}`, true},
		{`"Action": "*", ` + all + `, "Condition": {"ForAnyValue:StringEquals": {"k:none": "a"}}`, false},
		{`"Action": "*", ` + all + `, "Condition": {"Null": {"k:one": "false", "k:none": "true"}}`, true},
		{`"Action": "*", ` + all + `, "Condition": {"Null": {"k:one": true}}`, false},
		{`"Action": "*", ` + all + `, "Condition": {"Bool": {"aws:SecureTransport": false}}`, true},
		{`"Action": "*", ` + all + `, "Condition": {"Bool": {"aws:SecureTransport": "true"}}`, false},
	} {
		for _, effect := range []string{"Allow", "Deny"} {
			p, err := ParsePolicy(fmt.Appendf(nil, `{"Version": "2012-10-17", "Statement": {"Effect": %q, %s}}`, effect, row.statement))
			if err != nil {
				t.Errorf("%s: %v", row.statement, err)
				continue
			}
			if allowed, denied := p.Decide(request); allowed != (row.allowed && effect == "Allow") || denied != (row.allowed && effect == "Deny") {
				t.Errorf("%s %s: allowed %v, denied %v", effect, row.statement, allowed, denied)
			}
		}
	}
}

func TestPolicyRefused(t *testing.T) {
	for _, policy := range []string{
		``, `{}`, `[]`, `{"Version": "2008-10-17", "Statement": []}`, `{"Version": "2012-10-17"}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "allow", "Action": "*", "Resource": "*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": {"a": 1}, "Resource": "*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"a": "b"}}}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"NotBool": {"a": "b"}}}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"ForSome:StringEquals": {"a": "b"}}}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]} more`,
	} {
		if p, err := ParsePolicy([]byte(policy)); err == nil {
			t.Errorf("%s: %+v", policy, p)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["s3:*"], "Resource": "a${*}?${aws:username}", "Condition": {"ForAllValues:StringNotLike": {"k": ["a*", true]}}}}`, "arn:aws:s3:::b", "v")
	f.Fuzz(func(t *testing.T, policy, resource, value string) {
		p, err := ParsePolicy([]byte(policy))
		if err != nil {
			return
		}
		allowed, denied := p.Decide(Request{Action: "s3:GetObject", Resource: resource, Context: map[string][]string{"k": {value}}})
		if (allowed || denied) && !strings.Contains(policy, "ffect") {
			t.Errorf("%s: allowed %v, denied %v", policy, allowed, denied)
		}
	})
}
