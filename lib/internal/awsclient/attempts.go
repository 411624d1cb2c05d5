package awsclient

import (
	"context"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// Attempts are those at one request that changes something. One that ends
// without an answer may have been acted on, or may be yet: repeated blindly, it
// would undo what others have done meanwhile, and what it is then refused for may
// be its own work. So it is not repeated: whoever asked looks first what became
// of it.
type Attempts struct {
	Blind bool // repeat them all the same

	maybeApplied bool
}

// Watch makes a request of S3 tell a how its attempts end.
func (a *Attempts) Watch(o *s3.Options) { a.watch(&o.Retryer, &o.APIOptions) }

// WatchKMS is Watch for a request of KMS.
func (a *Attempts) WatchKMS(o *kms.Options) { a.watch(&o.Retryer, &o.APIOptions) }

func (a *Attempts) watch(retryer *aws.Retryer, options *[]func(*middleware.Stack) error) {
	if v2, ok := (*retryer).(aws.RetryerV2); ok && !a.Blind {
		*retryer = &onceUnanswered{v2}
	}
	attempt := middleware.FinalizeMiddlewareFunc("Attempts", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleFinalize(ctx, in)
		if err != nil && unanswered(err) {
			a.maybeApplied = true
		}
		return out, metadata, err
	})
	*options = append(*options, func(s *middleware.Stack) error {
		return s.Finalize.Insert(attempt, "Retry", middleware.After)
	})
}

// MaybeApplied reports whether an attempt was not answered, so that it may have been
// acted on, or may be yet.
func (a *Attempts) MaybeApplied() bool { return a.maybeApplied }

// onceUnanswered repeats what has surely not been acted on, and nothing else.
type onceUnanswered struct{ aws.RetryerV2 }

func (r *onceUnanswered) IsErrorRetryable(err error) bool {
	return !unanswered(err) && r.RetryerV2.IsErrorRetryable(err)
}

// unanswered reports whether a failed attempt may have been acted on: not if it
// was refused, not if it was too much at the moment, not if it was never sent.
func unanswered(err error) bool {
	var attempt *failedAttempt
	status, _, _ := answer(err)
	switch {
	case errors.As(err, &attempt) && !attempt.sent:
		return false
	case status == 0:
		return true
	case throttles.IsErrorThrottle(err).Bool():
		return false
	case status == http.StatusNotImplemented, status == http.StatusHTTPVersionNotSupported:
		return false
	}
	// A redirect is not followed.
	return status < http.StatusMultipleChoices || status >= http.StatusInternalServerError
}
