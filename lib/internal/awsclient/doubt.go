package awsclient

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// Doubt watches the attempts at one request that changes something. An attempt
// that ends without an answer may have been acted on; what a later attempt is
// refused for may then be the work of the earlier one.
type Doubt bool

// Watch makes a request of S3 tell d how its attempts end.
func (d *Doubt) Watch(o *s3.Options) {
	attempt := middleware.FinalizeMiddlewareFunc("Doubt", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleFinalize(ctx, in)
		if err != nil && unanswered(Classify(ctx, "", err)) {
			*d = true
		}
		return out, metadata, err
	})
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		return s.Finalize.Insert(attempt, "Retry", middleware.After)
	})
}

// Classify is the function Classify, and says in the Error whether there is
// doubt.
func (d *Doubt) Classify(ctx context.Context, operation string, err error) error {
	err = Classify(ctx, operation, err)
	var e *Error
	if errors.As(err, &e) {
		e.Doubt = bool(*d)
	}
	return err
}

// unanswered tells whether a failed attempt may have been acted on: not if it
// was refused, not if it was too much at the moment, not if it was never sent.
func unanswered(err error) bool {
	var e *Error
	var op *net.OpError
	switch {
	case !errors.As(err, &e):
		return true // the caller gave up
	case errors.As(err, &op) && op.Op == "dial":
		return false
	case e.Status == 0:
		return true
	}
	_, throttled := retry.DefaultThrottleErrorCodes[e.Code]
	return !throttled && (e.Status < http.StatusBadRequest || e.Status >= http.StatusInternalServerError)
}
