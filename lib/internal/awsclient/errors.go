package awsclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

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
	Stalled      bool   // there was no answer for as long as Options.Timeout
	Version      bool   // a version was asked for by its id
	IfMatch      bool   // it was asked for on condition of an ETag
	Elsewhere    string // where the bucket is, in words, if that is what is wrong
	Err          error  // the context's, if that ended a change; or nil
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
		b.WriteString(" (" + e.Code + ", request id " + e.RequestID + ")")
	case e.Code != "":
		b.WriteString(" (" + e.Code + ")")
	case e.RequestID != "":
		b.WriteString(" (request id " + e.RequestID + ")")
	}
	return b.String()
}

// Unwrap makes errors.Is find the kind as well as the context's error.
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
	"BucketAlreadyExists":         ErrDenied, // it is another account's
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

// needsObject are the operations that fail where there is no object. Of any other one
// such an answer says nothing about a secret.
var needsObject = map[string]bool{"GetObject": true, "HeadObject": true, "DeleteObject": true}

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
	e := &Error{Op: op, MaybeApplied: f.Attempts != nil && (f.Attempts.maybeApplied || errors.As(err, new(*oddAnswerError)) && unanswered(err))}
	e.Stalled = Stalled(err)
	e.Version, e.IfMatch = f.Version != "", f.Precondition == IfUnchanged
	if f.Key != "" {
		e.Op += " with " + f.Key
	}
	e.Status, e.Code, e.Detail = answer(err)
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		e.RequestID = requestID(response.ServiceRequestID())
	}
	e.Kind = kind(e, err, f)
	e.Elsewhere = elsewhere(e, err)
	switch {
	case f.Version != "" && e.Kind == ErrNotFound && e.Status == http.StatusMethodNotAllowed:
		e.Detail = "that version is a deletion"
	case f.Version != "" && e.Kind == ErrNotFound:
		e.Detail = "no such version"
	case f.Precondition == WhileReading && e.Kind == ErrConflict:
		e.Detail = detailChanged
	case e.Code != "" || e.Status != 0:
	case e.Kind == ErrConfig && !isForGood(err):
		e.Detail = "the request cannot be made" // the SDK's own text may be that of a URL with a password
	case e.Kind == ErrConfig:
		e.Detail = "not sent: " + cause(err)
	default:
		e.Detail = withTries(cause(err), err)
	}
	return hint.With(e, hintFor(e, err, f))
}

// withTries adds to why there is no answer how often one was asked for.
func withTries(why string, err error) string {
	if !errors.Is(err, errStalled) {
		why = "no answer: " + why
	}
	var attempt *failedAttempt
	if errors.As(err, &attempt) && attempt.tries > 1 {
		return fmt.Sprintf("%s (%d tries)", why, attempt.tries)
	}
	return why
}

// answer takes apart what a service answered, if it did. An answer that is not
// S3's or KMS's has no code. A message is the service's, but for what would make a
// link of a part of it.
func answer(err error) (status int, code, detail string) {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	var odd *oddAnswerError
	var api smithy.APIError
	switch {
	case errors.As(err, &odd):
		return odd.status, "", odd.Error()
	case errors.As(err, new(*failedAttempt)):
		return 0, "", "" // if it had begun, it broke off
	case status/100 == 3 && !isService(status, err, &api):
		return status, "", fmt.Sprintf("the answer is a redirect, which is not followed: HTTP status %d %s", status, http.StatusText(status))
	case isService(status, err, &api):
		detail = strings.ReplaceAll(printable.Line(api.ErrorMessage()), "://", ": //")
		if detail == "" {
			detail = strings.ToLower(http.StatusText(status))
		}
		return status, api.ErrorCode(), detail
	case status != 0:
		return status, "", fmt.Sprintf("the answer cannot be read: HTTP status %d %s", status, http.StatusText(status))
	}
	return 0, "", ""
}

// isService reports whether err is S3's or KMS's own. Of an answer without an error
// code the SDK makes one, and the message, out of the status.
func isService(status int, err error, api *smithy.APIError) bool {
	return errors.As(err, api) && printable.Word((*api).ErrorCode(), 64, ".") &&
		(*api).ErrorCode() != "UnknownError" && (status == 0 || (*api).ErrorMessage() != http.StatusText(status))
}

// requestID is what is shown of a request id: nothing, if it does not have the form of
// one.
func requestID(s string) string {
	if !printable.Word(s, 128, "+/=_-") {
		return ""
	}
	return s
}

func kind(e *Error, err error, f Facts) error {
	_, throttled := retry.DefaultThrottleErrorCodes[e.Code]
	noAnswer := e.Status == 0 && e.Code == ""
	changes := f.Precondition == IfUnchanged || f.Precondition == IfAbsent
	ofKind := kinds[e.Code]
	if ofKind == ErrNotFound && !needsObject[e.Op] && !changes {
		ofKind = nil
	}
	switch {
	case noAnswer && broken(err):
		return ErrUnreachable
	case noAnswer && isExhausted(err):
		return nil
	case noAnswer:
		return ErrConfig
	case f.Version != "" && (e.Status == http.StatusMethodNotAllowed || e.Code == "InvalidArgument"):
		return ErrNotFound
	case f.Precondition != Unconditional && e.Status == http.StatusPreconditionFailed,
		changes && e.Status == http.StatusConflict,
		(f.Precondition == IfUnchanged || f.Precondition == WhileReading) && ofKind == ErrNotFound:
		return ErrConflict
	case ofKind != nil:
		return ofKind
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
	if isForGood(err) || isExhausted(err) || errors.As(err, new(*oddAnswerError)) {
		return false
	}
	return errors.As(err, new(*failedAttempt)) || errors.Is(err, io.ErrUnexpectedEOF)
}

// elsewhere is where the bucket is, if it is in another region than it was asked for in.
func elsewhere(e *Error, err error) string {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		if name := response.Response.Header.Get("X-Amz-Bucket-Region"); isRegion(name) && (isElsewhere[e.Code] || e.Status/100 == 3) {
			return inRegion + name
		}
	}
	if isElsewhere[e.Code] {
		return "another region"
	}
	return ""
}

// inRegion begins Error.Elsewhere, if the answer says which region it is.
const inRegion = "the region "

// isElsewhere has the codes with which S3 says that a bucket is in another region.
var isElsewhere = map[string]bool{"PermanentRedirect": true, "TemporaryRedirect": true, "AuthorizationHeaderMalformed": true}
