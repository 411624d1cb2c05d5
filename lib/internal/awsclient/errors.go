package awsclient

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The kinds of failure that callers tell apart, by errors.Is. A failure of
// none of these kinds is one that only a person can judge.
var (
	ErrNotFound    = errors.New("no such object")
	ErrDenied      = errors.New("not allowed")
	ErrConflict    = errors.New("conflict")      // a condition did not hold: 412, 409, a 404 to an If-Match
	ErrUnreachable = errors.New("not reachable") // down, throttled or timed out, after the SDK's retries
	ErrConfig      = errors.New("not configured")
)

// Error is a failure of a call to S3 or KMS. Its text is safe to show: it
// holds what the service answered, cut to one printable line.
type Error struct {
	Kind      error  // one of the kinds above, or nil
	Operation string // as the SDK names it: GetObject
	Code      string // the service's error code, if it answered
	Status    int    // the HTTP status, 0 if there was no answer
	RequestID string
	Detail    string // what happened, in words
	Advice    string // what may be done about it, for a hint line
	Doubt     bool   // what was asked for may have been done; see the type Doubt
	Err       error
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Kind != nil && e.Kind != ErrConfig {
		b.WriteString(e.Kind.Error() + ": ")
	}
	if e.Operation != "" {
		b.WriteString(e.Operation + ": ")
	}
	b.WriteString(e.Detail)
	if e.Err != nil {
		b.WriteString(": " + printable(e.Err.Error()))
	}
	switch {
	case e.Code != "" && e.RequestID != "":
		b.WriteString(" (" + printable(e.Code) + ", request id " + printable(e.RequestID) + ")")
	case e.Code != "":
		b.WriteString(" (" + printable(e.Code) + ")")
	case e.RequestID != "":
		b.WriteString(" (request id " + printable(e.RequestID) + ")")
	}
	return b.String()
}

// Hint is the remedy, or empty.
func (e *Error) Hint() string { return e.Advice }

// Unwrap makes errors.Is find the kind as well as the cause.
func (e *Error) Unwrap() []error {
	return slices.DeleteFunc([]error{e.Kind, e.Err}, func(err error) bool { return err == nil })
}

// printableMax bounds what a service can put on the user's terminal.
const printableMax = 400

func printable(s string) string {
	if len(s) > printableMax {
		s = s[:printableMax] + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

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

	"PreconditionFailed":         ErrConflict,
	"ConditionalRequestConflict": ErrConflict,
	"OperationAborted":           ErrConflict,

	"DependencyTimeoutException": ErrUnreachable,
	"KMSInternalException":       ErrUnreachable,
	"KeyUnavailableException":    ErrUnreachable,
	"RequestTimeout":             ErrUnreachable,
}

var advice = map[string]string{
	"DisabledException":            "the secret exists, but its KMS key is disabled: enable the key",
	"ExpiredToken":                 "the credentials have expired: renew the session",
	"ExpiredTokenException":        "the credentials have expired: renew the session",
	"KMSInvalidStateException":     "the KMS key cannot be used: is it pending deletion?",
	"NoSuchBucket":                 "check the bucket's name in the setting store",
	"NotFoundException":            "check the setting key: no such KMS key or alias in this account and region",
	"PermanentRedirect":            "the bucket is in another region: set region",
	"AuthorizationHeaderMalformed": "the bucket may be in another region: set region",
	"RequestTimeTooSkewed":         "this machine's clock is wrong",
}

// Classify turns an error of the SDK into an *Error. It is the one place that
// does. The context's own error, and an *Error, pass through as they are.
func Classify(ctx context.Context, operation string, err error) error {
	var done *Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &done):
		return done
	}
	e := &Error{Operation: operation, Err: err}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		e.Status = response.HTTPStatusCode()
		e.RequestID = response.ServiceRequestID()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		e.Code = api.ErrorCode()
		e.Detail = printable(api.ErrorMessage())
		e.Advice = advice[e.Code]
		e.Err = nil
	}
	e.Kind = kind(e, err)
	var unproven *unprovenError
	switch {
	case errors.As(err, &unproven):
		e.Status, e.Detail, e.Err, e.Doubt = unproven.status, unproven.Error(), nil, true
	case e.Err == nil && e.Detail == "":
		e.Detail = strings.ToLower(http.StatusText(e.Status))
	case e.Err != nil && e.Kind == nil:
		e.Detail, e.Err = "not sent", root(err)
	case e.Err != nil:
		e.Detail, e.Err = "no answer", root(err)
	}
	return e
}

func kind(e *Error, err error) error {
	if k, ok := kinds[e.Code]; ok {
		return k
	}
	if _, ok := retry.DefaultThrottleErrorCodes[e.Code]; ok {
		return ErrUnreachable
	}
	switch {
	case e.Status == http.StatusNotFound && e.Code == "NotFound": // the body of a HEAD has no code of its own
		return ErrNotFound
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		return ErrDenied
	case e.Status == http.StatusPreconditionFailed:
		return ErrConflict
	case e.Status >= http.StatusInternalServerError, e.Status == http.StatusTooManyRequests:
		return ErrUnreachable
	case e.Code == "" && broken(err):
		return ErrUnreachable
	}
	return nil
}

// broken tells whether err is the network's: the request was not delivered, or
// the answer did not arrive whole.
func broken(err error) bool {
	var send *smithyhttp.RequestSendError
	var network *net.OpError
	var timeout interface{ Timeout() bool }
	return errors.As(err, &send) || errors.As(err, &network) || errors.As(err, &timeout) && timeout.Timeout() ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed)
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
