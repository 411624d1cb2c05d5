package awsclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"microsecrets/lib/internal/hint"
)

// killTime is what a credential_process that takes too long is given to end when it
// is killed. What it has started, and what holds its output, may live on.
const killTime = 500 * time.Millisecond

// checkedCredentials are those of a source that is given so much time, and whose errors
// are put into words of our own.
type checkedCredentials struct {
	source  aws.CredentialsProvider
	timeout time.Duration
	asking  *question // locked while a person is asked for a code
}

// ProviderSources are those of the source.
func (c *checkedCredentials) ProviderSources() []aws.CredentialSource {
	if s, ok := c.source.(aws.CredentialProviderSource); ok {
		return s.ProviderSources()
	}
	return nil
}

// IsCredentialsProvider reports whether the source is of target's type, which the SDK
// asks of anonymous credentials.
func (c *checkedCredentials) IsCredentialsProvider(target aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(c.source, target)
}

// Retrieve returns credentials that can be sent, or an ErrDenied.
func (c *checkedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	last := aws.CredentialSourceUndefined
	if all := c.ProviderSources(); len(all) > 0 {
		last = all[len(all)-1]
	}
	bound := c.timeout
	switch {
	case last == aws.CredentialSourceIMDS:
		bound = metadataTimeout
	case last == aws.CredentialSourceProcess && bound > 0:
		bound += killTime
	}
	bounded, cancel := withBound(ctx, bound, c.asking)
	defer cancel(nil)
	found, err := c.source.Retrieve(bounded)
	var mfa *mfaError
	switch {
	case ctx.Err() != nil:
		c.asking.Lock() // until whoever asks has given the terminal back
		defer c.asking.Unlock()
		return aws.Credentials{}, context.Cause(ctx)
	case errors.As(err, &mfa):
		return aws.Credentials{}, noMFA(mfa.err)
	case err == nil:
		return found, c.check(found, last)
	}
	s, ok := sources[last]
	if !ok {
		s = sources[aws.CredentialSourceUndefined]
	}
	e := &Error{Kind: ErrDenied, Detail: "no credentials: " + s.name + " gave none"}
	if last == aws.CredentialSourceIMDS { // the last that is tried
		e.Detail, s.hint = "no credentials: no source has any", half()+s.hint
	}
	if last != aws.CredentialSourceIMDS && (bounded.Err() != nil || errors.Is(err, context.DeadlineExceeded)) {
		e.Detail += fmt.Sprintf(" in %v", c.timeout)
	}
	if s.sts {
		e.Status, e.Code, _ = answer(err)
	}
	return aws.Credentials{}, hint.With(e, s.hint)
}

// half says which half of an access key is in the environment, if only one is: then
// the SDK looks elsewhere, and says of the last source that it gave none.
func half() string {
	id, secret := os.Getenv("AWS_ACCESS_KEY_ID") != "", os.Getenv("AWS_SECRET_ACCESS_KEY") != ""
	switch {
	case id && !secret:
		return "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not: set both, or neither\n"
	case secret && !id:
		return "AWS_SECRET_ACCESS_KEY is set, and AWS_ACCESS_KEY_ID is not: set both, or neither\n"
	}
	return ""
}

// mfaError is the error of asking for an MFA code.
type mfaError struct{ err error }

func (e *mfaError) Error() string { return e.err.Error() }

func noMFA(why error) error {
	return hint.With(&Error{Kind: ErrDenied, Detail: "no credentials: the profile wants an MFA code: " + why.Error()},
		"run it at a terminal, or use the credentials of a session (aws sts get-session-token)")
}

// check refuses what no request can carry: a line end, say, that was copied along.
func (c *checkedCredentials) check(found aws.Credentials, source aws.CredentialSource) error {
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f }
	for _, part := range []struct{ name, variable, value string }{
		{"access key id", "AWS_ACCESS_KEY_ID", found.AccessKeyID},
		{"secret access key", "AWS_SECRET_ACCESS_KEY", found.SecretAccessKey},
		{"session token", "AWS_SESSION_TOKEN", found.SessionToken},
	} {
		if !strings.ContainsFunc(part.value, odd) {
			continue
		}
		where := part.variable
		if source != aws.CredentialSourceEnvVars {
			where = sources[source].name
		}
		return hint.With(&Error{Kind: ErrDenied, Detail: "the " + part.name + " has a character that none has, such as a line end"}, "check "+where)
	}
	return nil
}

// A source is what to call a source of credentials, and what may be done about one
// that gives none.
type source struct {
	name, hint string
	sts        bool // what STS answers has a code that is worth showing
}

var (
	sso = source{name: "the SSO session of the profile", hint: "renew the session: aws sso login"}
	web = source{name: "the role of the web identity",
		hint: "check AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, or the profile, and who may assume the role", sts: true}
)

var sources = map[aws.CredentialSource]source{
	aws.CredentialSourceUndefined: {name: "the configured source",
		hint: "check the AWS_ variables, and the profile that -profile, MS_PROFILE or AWS_PROFILE names"},
	aws.CredentialSourceEnvVars: {name: "the environment", hint: "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
	aws.CredentialSourceIMDS: {name: "the instance metadata service",
		hint: "tried the environment (AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE), the profile in the shared AWS files, the container's endpoint and the instance metadata service\n" +
			"aws sso login, or aws configure, gives a profile some; AWS_PROFILE names the profile"},
	aws.CredentialSourceHTTP: {name: "the container's endpoint",
		hint: "check AWS_CONTAINER_CREDENTIALS_FULL_URI, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and AWS_CONTAINER_AUTHORIZATION_TOKEN"},
	aws.CredentialSourceProfile: {name: "the profile", hint: "check aws_access_key_id and aws_secret_access_key of the profile"},
	aws.CredentialSourceProcess: {name: "the credential_process of the profile",
		hint: "run the command that the profile has as credential_process: it must print JSON, and nothing else"},
	aws.CredentialSourceSSO:       sso,
	aws.CredentialSourceSSOLegacy: sso,
	aws.CredentialSourceLogin:     {name: "the session of the profile", hint: "renew the session: aws login"},
	aws.CredentialSourceSTSAssumeRole: {name: "the role of the profile",
		hint: "check role_arn, source_profile and mfa_serial of the profile, who may assume the role, and the MFA code", sts: true},
	aws.CredentialSourceSTSAssumeRoleWebID:   web,
	aws.CredentialSourceEnvVarsSTSWebIDToken: web,
	aws.CredentialSourceProfileSTSWebIDToken: web,
}
