package awsclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"microsecrets/lib/internal/printable"
)

// hintFor says what may be done about a failure, if possible as what to type. A 403 to
// a read may stand for an absent secret: S3 does not tell whoever may not list the bucket.
func hintFor(e *Error, err error, f Facts) string {
	if h := hintForCode(e, f); h != "" {
		return h
	}
	switch {
	case e.Elsewhere != "" && strings.HasPrefix(e.Elsewhere, inRegion):
		return "the bucket is in " + e.Elsewhere + ": set region (-region " + strings.TrimPrefix(e.Elsewhere, inRegion) + ")"
	case e.Elsewhere != "":
		return "the bucket is in " + e.Elsewhere + ": set region"
	case e.Status/100 == 3:
		return "check the endpoint, which AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile names"
	case e.Kind == ErrConfig || isForGood(err):
		return hintForConfig(err)
	case e.MaybeApplied:
		return "" // what is stored must be looked at first
	case f.Precondition == IfUnchanged || f.Precondition == IfAbsent:
		if e.Status == http.StatusNotImplemented || e.Status == http.StatusMethodNotAllowed {
			return "the server may not know conditions: -last-writer-wins goes on without them"
		}
	}
	if e.Kind != ErrUnreachable {
		return ""
	}
	_, throttled := retry.DefaultThrottleErrorCodes[e.Code]
	switch {
	case throttled || e.Status == http.StatusTooManyRequests:
		return "wait, and run it again; AWS_MAX_ATTEMPTS=10 tries more often"
	case e.Status == 0 && e.Code == "":
		return hintForSilence(e, err, f)
	}
	return ""
}

// hintForCode is the hint of a service's error code.
func hintForCode(e *Error, f Facts) string {
	switch e.Code {
	case "AccessDenied":
		switch {
		case f.Owner:
			return "this may mean that the bucket belongs to another account than the setting bucket-owner names"
		case e.Op == "GetObject" || e.Op == "HeadObject":
			return "this may mean that the secret is absent, and that you may not list the bucket"
		}
	case "BucketAlreadyExists":
		return "the bucket belongs to another account: choose another name"
	case "DisabledException":
		if strings.HasPrefix(e.Op, "Decrypt") {
			return "the secret exists, but its KMS key is disabled: enable the key" + keyCommand("enable-key", f.Key)
		}
		return "enable the KMS key, or name another by the setting key" + keyCommand("enable-key", f.Key)
	case "ExpiredToken", "ExpiredTokenException":
		return "the credentials have expired: renew the session\naws sso login renews that of a profile; AWS_ variables have to be set anew"
	case "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException":
		return "the access key is not known: check AWS_ACCESS_KEY_ID or the profile, or renew the session (aws sso login)"
	case "InvalidSignatureException": // KMS says it of the clock as well
		return "the secret access key is not that of the access key, or this machine's clock is wrong: check AWS_SECRET_ACCESS_KEY or the profile, and date -u"
	case "SignatureDoesNotMatch":
		return "the secret access key is not that of the access key: check AWS_SECRET_ACCESS_KEY or the profile"
	case "InvalidToken":
		return "the session token is not that of the access key: set or unset AWS_SESSION_TOKEN"
	case "KMSInvalidStateException":
		return "the KMS key cannot be used: is it pending deletion?" + keyCommand("cancel-key-deletion", f.Key) + keyCommand("enable-key", f.Key)
	case "NoSuchBucket":
		return "check the bucket's name in the setting store\nto make it, under the same settings: ms-init SERVICE"
	case "NotFoundException":
		if strings.HasPrefix(f.Key, "alias/") {
			service, named := strings.CutPrefix(f.Key, "alias/microsecrets-")
			if !named {
				service = "SERVICE"
			}
			return "check the setting key: no such KMS key or alias in this account and region\nto make it, under the same settings: ms-init " + service + aliasCommands(f.Key)
		}
		return "check the setting key: no such KMS key or alias in this account and region"
	case "RequestTimeTooSkewed":
		return "this machine's clock is wrong: timedatectl set-ntp true sets it"
	}
	return ""
}

// aliasCommands is a line with the commands of the AWS CLI that make a key and its alias.
func aliasCommands(alias string) string {
	if !printable.Word(alias, len(alias), "-_/") {
		return ""
	}
	return "\nor by the AWS CLI: key=$(aws kms create-key --query KeyMetadata.KeyId --output text) && aws kms create-alias --alias-name " +
		alias + ` --target-key-id "$key"`
}

// keyCommand is a line with a command of the AWS CLI for a KMS key. The command does not
// take aliases.
func keyCommand(verb, key string) string {
	switch {
	case !printable.Word(key, len(key), "-_:/"):
		return ""
	case strings.Contains(key, "alias/"):
		key = `"$(aws kms describe-key --key-id ` + key + ` --query KeyMetadata.Arn --output text)"`
	}
	return "\naws kms " + verb + " --key-id " + key
}

// hintForConfig is the hint of a request that was not sent, and will not be.
func hintForConfig(err error) string {
	var invalid x509.CertificateInvalidError
	switch {
	case errors.Is(err, errProxyURL):
		return "check HTTPS_PROXY and HTTP_PROXY"
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, new(tls.RecordHeaderError)):
		return "an endpoint without TLS begins with http://: check AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL_KMS and AWS_ENDPOINT_URL"
	case errors.As(err, new(x509.HostnameError)):
		return "check the endpoint, which AWS_ENDPOINT_URL or the profile names; of a bucket with a dot in its name: -path-style"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "check this machine's clock, and then the server's certificate"
	case isForGood(err):
		return "a certificate authority of your own is named by AWS_CA_BUNDLE: export AWS_CA_BUNDLE=FILE"
	}
	return "check AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL_KMS and what the profile says of endpoints, FIPS and dual-stack"
}

// hintForSilence is the hint of a request that no answer has come to.
func hintForSilence(e *Error, err error, f Facts) string {
	var op *net.OpError
	var refusal proxyRefusal
	switch {
	case errors.As(err, &refusal) && int(refusal) == http.StatusProxyAuthRequired:
		return "the proxy wants a user and a password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
	case errors.As(err, &refusal), errors.As(err, &op) && op.Op == "proxyconnect":
		return "check HTTPS_PROXY and HTTP_PROXY; NO_PROXY=HOST reaches a host without a proxy"
	}
	service := "S3"
	switch {
	case f.Key != "":
		service = "KMS"
	case e.Op == "GetCallerIdentity":
		service = "STS"
	}
	return "check the network, AWS_ENDPOINT_URL_" + service + ", AWS_ENDPOINT_URL, HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
}
