package awsclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/printable"
)

// The kinds of failure that callers tell apart, by errors.Is. A failure of
// none of these kinds is one that only a person can judge.
var (
	ErrNotFound    = errors.New("no such object")
	ErrDenied      = errors.New("not allowed")
	ErrConflict    = errors.New("conflict")      // a condition did not hold
	ErrUnreachable = errors.New("not reachable") // down, throttled or timed out, after retries
	ErrConfig      = errors.New("not configured")
)

// Error is a failure of a call to S3 or KMS. Classify makes it, whole, and
// nobody changes it. Its text is safe to show: it is one printable line.
type Error struct {
	Kind         error  // one of the kinds above, or nil
	Op           string // as the SDK names it, with the KMS key: "Decrypt with alias/x"
	Code         string // the service's error code, if it answered
	Status       int    // the HTTP status, 0 if there was no answer
	RequestID    string
	Detail       string // what happened, in words
	MaybeApplied bool   // the change that was asked for may have been made, or may be made yet
	Err          error
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Kind != nil && e.Kind != ErrConfig {
		b.WriteString(e.Kind.Error() + ": ")
	}
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	b.WriteString(printable.Line(e.Detail))
	if e.Err != nil {
		b.WriteString(": " + printable.Line(e.Err.Error()))
	}
	switch {
	case e.Code != "" && e.RequestID != "":
		b.WriteString(" (" + printable.Line(e.Code) + ", request id " + printable.Line(e.RequestID) + ")")
	case e.Code != "":
		b.WriteString(" (" + printable.Line(e.Code) + ")")
	case e.RequestID != "":
		b.WriteString(" (request id " + printable.Line(e.RequestID) + ")")
	}
	return b.String()
}

// Unwrap makes errors.Is find the kind as well as the cause.
func (e *Error) Unwrap() []error {
	return slices.DeleteFunc([]error{e.Kind, e.Err}, func(err error) bool { return err == nil })
}

// Unusable is the error of an answer that S3 or KMS would not give.
func Unusable(op, detail string) error {
	return &Error{Op: op, Detail: detail}
}

// Changed is the error of an object that was replaced while it was read.
func Changed(op string) error {
	return &Error{Kind: ErrConflict, Op: op, Detail: detailChanged}
}

// Overtaken is the error of a change that was not answered, and that cannot be made
// any more: another one was.
func Overtaken() error { return &Error{Kind: ErrConflict, Detail: "another writer came first"} }

// Precondition is what a request is made to depend on.
type Precondition int

const (
	Unconditional Precondition = iota
	IfUnchanged                // a change with If-Match
	IfAbsent                   // a change with If-None-Match: *
	WhileReading               // a later read of an object, with If-Match
)

// Facts are what is known of a request beside its error.
type Facts struct {
	Precondition Precondition
	Version      string    // of the object that was asked for; empty: the latest
	Owner        bool      // the request names the account that must own the bucket
	Key          string    // the KMS key, safe to show
	Attempts     *Attempts // of a request that changes something
}

// detailChanged is the detail of an object that is another one in the middle.
const detailChanged = "the object changed while it was being read"

// kinds are the kinds of the services' error codes, whatever was asked for.
var kinds = map[string]error{
	"NoSuchKey":     ErrNotFound,
	"NoSuchVersion": ErrNotFound,

	"AccessDenied":                ErrDenied,
	"AccessDeniedException":       ErrDenied,
	"ExpiredToken":                ErrDenied,
	"ExpiredTokenException":       ErrDenied,
	"InvalidAccessKeyId":          ErrDenied,
	"InvalidClientTokenId":        ErrDenied,
	"InvalidSignatureException":   ErrDenied,
	"InvalidToken":                ErrDenied,
	"SignatureDoesNotMatch":       ErrDenied,
	"TokenRefreshRequired":        ErrDenied,
	"UnrecognizedClientException": ErrDenied,

	"OperationAborted":           ErrUnreachable,
	"ConditionalRequestConflict": ErrUnreachable,
	"DependencyTimeoutException": ErrUnreachable,
	"KMSInternalException":       ErrUnreachable,
	"KeyUnavailableException":    ErrUnreachable,
	"RequestTimeout":             ErrUnreachable,
}

// Classify turns an error of the SDK into an *Error, with a hint where there is
// one. It is the one place that does. The context's own error passes through as it
// is, unless a change was on its way then; so does an *Error.
func Classify(ctx context.Context, op string, err error, f Facts) error {
	var done *Error
	var hinted *hint.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && f.Attempts != nil && f.Attempts.maybeApplied:
		return &Error{Op: op, MaybeApplied: true, Detail: "no answer", Err: context.Cause(ctx)}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &hinted):
		return hinted
	case errors.As(err, &done):
		return done
	}
	e := &Error{Op: op, MaybeApplied: f.Attempts != nil && (f.Attempts.maybeApplied || errors.As(err, new(*unprovenError)))}
	if f.Key != "" {
		e.Op += " with " + f.Key
	}
	e.Status, e.Code, e.Detail = answer(err)
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		e.RequestID = response.ServiceRequestID()
	}
	e.Kind = kind(e, err, f)
	switch {
	case f.Version != "" && e.Kind == ErrNotFound && e.Status == http.StatusMethodNotAllowed:
		e.Detail = "that version is a deletion"
	case f.Version != "" && e.Kind == ErrNotFound:
		e.Detail = "no such version"
	case f.Precondition == WhileReading && e.Kind == ErrConflict:
		e.Detail = detailChanged
	case e.Code != "" || e.Status != 0:
	case e.Kind == ErrConfig:
		e.Detail, e.Err = "not sent", root(err)
		if !isCertificate(err) { // the text may be that of a URL with a password
			e.Detail, e.Err = "the request cannot be made", nil
		}
	default:
		e.Detail, e.Err = "no answer", root(err)
	}
	return hint.With(e, hintFor(e, err, f))
}

// answer takes apart what a service answered, if it did: one that is not S3's or
// KMS's has no code.
func answer(err error) (status int, code, detail string) {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	var unproven *unprovenError
	var api smithy.APIError
	switch {
	case errors.As(err, &unproven):
		return unproven.status, "", unproven.Error()
	case errors.As(err, &api) && api.ErrorCode() != "" && api.ErrorCode() != "UnknownError":
		detail = printable.Line(api.ErrorMessage())
		if detail == "" {
			detail = strings.ToLower(http.StatusText(status))
		}
		return status, api.ErrorCode(), detail
	case status != 0:
		return status, "", fmt.Sprintf("the answer cannot be read: HTTP status %d %s", status, http.StatusText(status))
	}
	return 0, "", ""
}

func kind(e *Error, err error, f Facts) error {
	_, throttled := retry.DefaultThrottleErrorCodes[e.Code]
	noAnswer := e.Status == 0 && e.Code == ""
	changes := f.Precondition == IfUnchanged || f.Precondition == IfAbsent
	switch {
	case noAnswer && broken(err):
		return ErrUnreachable
	case noAnswer && errors.Is(err, syscall.EMFILE):
		return nil
	case noAnswer:
		return ErrConfig
	case f.Version != "" && (e.Status == http.StatusMethodNotAllowed || e.Code == "InvalidArgument"):
		return ErrNotFound
	case f.Precondition != Unconditional && e.Status == http.StatusPreconditionFailed,
		changes && e.Status == http.StatusConflict,
		(f.Precondition == IfUnchanged || f.Precondition == WhileReading) && kinds[e.Code] == ErrNotFound:
		return ErrConflict
	case kinds[e.Code] != nil:
		return kinds[e.Code]
	case throttled, e.Status == http.StatusTooManyRequests:
		return ErrUnreachable
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		return ErrDenied
	case e.Status == http.StatusNotImplemented, e.Status == http.StatusHTTPVersionNotSupported:
		return nil
	case e.Status >= http.StatusInternalServerError:
		return ErrUnreachable
	case e.Code == "" && broken(err): // the answer broke off
		return ErrUnreachable
	}
	return nil
}

// broken reports whether err is the network's: the request was not delivered, or
// the answer did not arrive whole.
func broken(err error) bool {
	if isCertificate(err) || errors.Is(err, syscall.EMFILE) {
		return false
	}
	var send *smithyhttp.RequestSendError
	var network *net.OpError
	var timeout interface{ Timeout() bool }
	return errors.As(err, &send) || errors.As(err, &network) || errors.As(err, &timeout) && timeout.Timeout() ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed)
}

// isCertificate reports whether the server is not the one that it should be, or
// does not speak TLS: that does not pass by itself.
func isCertificate(err error) bool {
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(tls.RecordHeaderError))
}

// root is the innermost cause of a network failure: the SDK wraps it in layers
// that repeat the operation and the URL.
func root(err error) error {
	for {
		var op *net.OpError
		if errors.As(err, &op) {
			return op
		}
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// hintFor says what may be done about a failure. A 403 to a read may stand for an
// absent secret: S3 does not tell whoever may not list the bucket. The answer to
// a HEAD has no code but its status's name.
func hintFor(e *Error, err error, f Facts) string {
	switch e.Code {
	case "AccessDenied", "Forbidden":
		switch {
		case f.Owner:
			return "this may mean that the bucket belongs to another account than the setting bucket-owner names"
		case e.Op == "GetObject" || e.Op == "HeadObject":
			return "this may mean that the secret is absent, and that you may not list the bucket"
		}
	case "DisabledException":
		if strings.HasPrefix(e.Op, "Decrypt") {
			return "the secret exists, but its KMS key is disabled: enable the key"
		}
		return "enable the KMS key, or name another by the setting key"
	case "ExpiredToken", "ExpiredTokenException":
		return "the credentials have expired: renew the session"
	case "KMSInvalidStateException":
		return "the KMS key cannot be used: is it pending deletion?"
	case "NoSuchBucket":
		return "check the bucket's name in the setting store"
	case "NotFoundException":
		if strings.HasPrefix(f.Key, "alias/") {
			return `check the setting key: no such KMS key or alias in this account and region
to make it: key=$(aws kms create-key --query KeyMetadata.KeyId --output text) && aws kms create-alias --alias-name ` + f.Key + ` --target-key-id "$key"`
		}
		return "check the setting key: no such KMS key or alias in this account and region"
	case "PermanentRedirect":
		return "the bucket is in another region: set region"
	case "AuthorizationHeaderMalformed":
		return "the bucket may be in another region: set region"
	case "RequestTimeTooSkewed":
		return "this machine's clock is wrong"
	}
	switch {
	case isCertificate(err):
		return "a certificate authority of your own is named by AWS_CA_BUNDLE; an endpoint without TLS begins with http://"
	case e.Kind == ErrConfig:
		return "check AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL_KMS and what the profile says of endpoints, FIPS and dual-stack"
	case f.Precondition == IfUnchanged || f.Precondition == IfAbsent:
		if e.Status == http.StatusNotImplemented {
			return "the server may not know conditions: -last-writer-wins goes on without them"
		}
	}
	return ""
}
