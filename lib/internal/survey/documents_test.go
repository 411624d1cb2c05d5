package survey

import (
	"encoding/json"
	"strings"
	"testing"
)

const theBucket = "arn:aws:s3:::b"

func TestTLSOnly(t *testing.T) {
	const deny = `"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]`
	const plain = `"Condition":{"Bool":{"aws:SecureTransport":"false"}}`
	for _, row := range []struct {
		statement string
		want      bool
		err       error
	}{
		{`{` + deny + `,` + plain + `}`, true, nil},
		{`{"Sid":"theirs",` + deny + `,"Condition":{"Bool":{"AWS:securetransport":[false]}}}`, true, nil},
		{`{"Effect":"Deny","Principal":{"AWS":["*"]},"Action":["*"],"Resource":"arn:aws:s3:::b*",` + plain + `}`, true, nil},
		{`{` + deny + `}`, false, nil},
		{`{` + deny + `,"Condition":{"Bool":{"aws:SecureTransport":"true"}}}`, false, nil},
		{`{` + deny + `,"Condition":{"Bool":{"aws:SecureTransport":"false","x":"y"}}}`, false, nil},
		{`{` + deny + `,"Condition":{"BoolIfExists":{"aws:SecureTransport":"false"}}}`, false, nil},
		{`{` + deny + `,"NotPrincipal":{"AWS":"x"},` + plain + `}`, false, nil},
		{`{"Effect":"Deny","Principal":{"AWS":"111122223333"},"Action":"s3:*","Resource":"*",` + plain + `}`, false, nil},
		{`{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"*",` + plain + `}`, false, nil},
		{`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*",` + plain + `}`, false, nil},
		{`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*",` + plain + `}`, false, nil},
		{`{"Sid":"MicrosecretsTLSOnly","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*",` + plain + `}`, false, ErrOtherStatement},
	} {
		for _, policy := range []string{`{"Version":"2012-10-17","Statement":` + row.statement + `}`, `{"Statement":[{"Effect":"Allow"},` + row.statement + `]}`} {
			if got, err := tlsOnly(policy, theBucket); got != row.want || err != row.err {
				t.Errorf("%s: %v, %v", policy, got, err)
			}
		}
	}
	for _, policy := range []string{"x", "[]", "{}", `{"statement":[]}`, `{"Statement":[]`, `{"Statement":[],"Statement":[]}`, `{"Statement":1}`, `{"Statement":[]} x`, "<html>"} {
		if got, err := tlsOnly(policy, theBucket); err == nil {
			t.Errorf("%s: %v", policy, got)
		}
	}
}

// policies are what is added to, with what is in it afterwards but for what is added.
var policies = []string{
	`{"Version":"2012-10-17","Statement":[]}`,
	"{ \"Version\" : \"2012-10-17\",\n \"Statement\" : [ ]\n}",
	"{\"Statement\":  {\"Sid\":\"é\\u00e9\", \"Future\": {\"x\": 1.50}} , \"Id\":\"x\"}",
	"{\"Statement\":[\n\t{\"Sid\":\"a]\"} ,\n\t{\"Sid\":\"b\"}\n]}",
}

func TestWithTLSOnly(t *testing.T) {
	for _, policy := range append(policies, "") {
		with, err := WithTLSOnly(policy, theBucket)
		if err != nil {
			t.Fatalf("%s: %v", policy, err)
		}
		added(t, policy, with)
	}
}

// added checks that the statement was added to a policy, and that nothing else has
// changed.
func added(t *testing.T, policy, with string) {
	t.Helper()
	if !json.Valid([]byte(with)) {
		t.Fatalf("%s: not JSON: %s", policy, with)
	}
	if got, err := tlsOnly(with, theBucket); !got || err != nil {
		t.Errorf("%s: %v, %v", with, got, err)
	}
	if policy == "" {
		return
	}
	before, start, end, err := statements(policy)
	after, start2, end2, err2 := statements(with)
	if err != nil || err2 != nil || len(after) != len(before)+1 {
		t.Fatalf("%s: %d statements, %v, %v", with, len(after), err, err2)
	}
	for i := range before {
		if string(before[i]) != string(after[i]) {
			t.Errorf("%s has become %s", before[i], after[i])
		}
	}
	if with[:start2] != policy[:start] || with[end2:] != policy[end:] {
		t.Errorf("%s has become %s", policy, with)
	}
}

func FuzzPolicy(f *testing.F) {
	for _, policy := range policies {
		f.Add(policy)
	}
	f.Add(`{"Statement":{"Sid":"MicrosecretsTLSOnly","Effect":"Deny"}}`)
	f.Fuzz(func(t *testing.T, policy string) {
		if _, err := tlsOnly(policy, theBucket); err != nil || policy == "" {
			return
		}
		with, err := WithTLSOnly(policy, theBucket)
		if err != nil {
			t.Fatal(err)
		}
		added(t, policy, with)
	})
}

func lifecycle(rules ...string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule>` +
		strings.Join(rules, "</Rule><Rule>") + `</Rule></LifecycleConfiguration>`
}

const (
	aborts    = `<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>`
	removes   = `<NoncurrentVersionExpiration><NoncurrentDays>30</NoncurrentDays></NoncurrentVersionExpiration>`
	enabled   = `<Status>Enabled</Status>`
	ourRule   = `<ID>microsecrets-uploads-p/</ID>` + enabled + `<Filter><Prefix>p/</Prefix></Filter>` + aborts
	theirRule = `<ID>x</ID>` + enabled + `<Filter/>`
)

func TestLifecycle(t *testing.T) {
	for _, row := range []struct {
		rule         string
		ours         bool
		ends, remove bool // for the prefix p/, 7 and 30 days
	}{
		{ourRule, true, true, false},
		{`<ID>microsecrets-versions</ID>` + enabled + `<Filter><Prefix></Prefix></Filter>` + removes, true, false, true},
		{`<ID>microsecrets-versions-q/</ID>` + enabled + `<Filter><Prefix>q/</Prefix></Filter>` + removes, true, false, false},
		{`<ID>microsecrets-uploads-q/</ID>` + enabled + `<Filter><Prefix>p/</Prefix></Filter>` + aborts, false, true, false},
		{ourRule + `<Future>1</Future>`, false, true, false},
		{theirRule + aborts + removes, false, true, true},
		{`<ID>x</ID>` + enabled + `<Prefix></Prefix>` + aborts, false, true, false},
		{`<ID>x</ID><Status>Disabled</Status><Filter/>` + aborts + removes, false, false, false},
		{`<ID>x</ID>` + enabled + `<Filter><And><Prefix>p/</Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And></Filter>` + aborts, false, false, false},
		{`<ID>x</ID>` + enabled + `<Filter><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter>` + aborts, false, false, false},
		{`<ID>x</ID>` + enabled + `<Filter><Prefix>p/q</Prefix></Filter>` + aborts, false, false, false},
		{theirRule + strings.ReplaceAll(aborts, "7", "8") + strings.ReplaceAll(removes, "30", "31"), false, false, false},
		{theirRule + strings.ReplaceAll(removes, "30", "29"), false, false, false},
		{theirRule + strings.Replace(removes, "</Non", "<NewerNoncurrentVersions>3</NewerNoncurrentVersions></Non", 2), false, false, false},
	} {
		l, err := parseLifecycle([]byte(lifecycle(row.rule)))
		if err != nil {
			t.Errorf("%s: %v", row.rule, err)
			continue
		}
		if r := l.Rules[0]; r.Ours() != row.ours || l.EndsUploads("p/", 7) != row.ends || l.RemovesVersions("p/", 30) != row.remove || r.Raw != row.rule {
			t.Errorf("%s: ours %v, ends uploads %v, removes versions %v: %+v", row.rule, r.Ours(), l.EndsUploads("p/", 7), l.RemovesVersions("p/", 30), r)
		}
	}
	for _, text := range []string{"", "x", "<Lifecycle/>", "<html><body>"} {
		if l, err := parseLifecycle([]byte(text)); err == nil {
			t.Errorf("%q: %+v", text, l)
		}
	}
	long := UploadsRule(strings.Repeat("x", 1000), 7)
	if len(long.ID) > maxID || !long.Ours() || long.ID == UploadsRule(strings.Repeat("x", 999), 7).ID {
		t.Errorf("%q", long.ID)
	}
	l := Lifecycle{Rules: []Rule{UploadsRule("", 7)}}.With(VersionsRule("", 9)).With(VersionsRule("", 10))
	if len(l.Rules) != 2 || l.Rules[1].NoncurrentDays != 10 || l.Others() {
		t.Errorf("%+v", l)
	}
	if got := VersionsRule("p/", 9).JSON(); got != `{"ID":"microsecrets-versions-p/","Status":"Enabled","Filter":{"Prefix":"p/"},"NoncurrentVersionExpiration":{"NoncurrentDays":9}}` {
		t.Error(got)
	}
}

func FuzzLifecycle(f *testing.F) {
	f.Add(lifecycle(ourRule))
	f.Add(lifecycle(theirRule+aborts+removes, ourRule+`<Future>1</Future>`))
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseLifecycle([]byte(text))
		if err != nil {
			return
		}
		for _, r := range l.Rules {
			if r.Ours() && (r.filtered || !strings.Contains(text, "microsecrets-")) {
				t.Errorf("%+v", r)
			}
		}
	})
}
