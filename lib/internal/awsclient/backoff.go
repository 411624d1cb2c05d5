package awsclient

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"microsecrets/lib/internal/printable"
)

const (
	// backoffMin is how long a client that has been throttled sends nothing, at
	// most; as long as that does not help the time doubles, to backoffMax.
	backoffMin = 100 * time.Millisecond
	backoffMax = 2 * time.Second
)

// sharedBackoff is the retryer of a client whose requests back off together: when one of
// them is throttled, none is sent for a while, whether repeated or new. The SDK's
// own delay is for that one request, and the others would go on asking. An attempt
// waits once and is then made, throttled or not, so that the number of attempts
// bounds the time that all take.
type sharedBackoff struct {
	aws.RetryerV2
	service  string
	retrying func(Retry) // or nil

	mu      sync.Mutex
	backoff time.Duration // 0: not throttled
	since   time.Time     // when backoff was last raised
	until   time.Time     // nothing is sent before
}

// throttles are the SDK's, every 429, and the 503 to a HeadObject, whose answer has
// no code but its status's name.
var throttles = retry.IsErrorThrottles(append(slices.Clone(retry.DefaultThrottles),
	retry.ThrottleErrorCode{Codes: map[string]struct{}{"ServiceUnavailable": {}}},
	retry.IsErrorThrottleFunc(func(err error) aws.Ternary {
		status, _, _ := answer(err)
		return aws.BoolTernary(status == http.StatusTooManyRequests)
	})))

// withSharedBackoff has the requests of a service's client back off together, and
// reports those that are made again.
func withSharedBackoff(r aws.Retryer, service string, retrying func(Retry)) aws.Retryer {
	v2, ok := r.(aws.RetryerV2)
	if !ok {
		return r
	}
	return &sharedBackoff{RetryerV2: v2, service: service, retrying: retrying}
}

// IsErrorRetryable reports whether another attempt is worth making: as the SDK has
// it, where S3 asks for one since the request met another, and after an answer that
// broke off; not where it would end likewise, or where no time is left for it.
func (p *sharedBackoff) IsErrorRetryable(err error) bool {
	var attempt *failedAttempt
	var odd *oddAnswerError
	switch {
	case isForGood(err), isExhausted(err):
		return false
	case errors.As(err, &attempt) && attempt.left <= 0:
		return false
	case errors.As(err, &odd) && odd.status < http.StatusInternalServerError:
		return false
	}
	_, code, _ := answer(err)
	return code == "OperationAborted" || throttles.IsErrorThrottle(err).Bool() || errors.Is(err, io.ErrUnexpectedEOF) || p.RetryerV2.IsErrorRetryable(err)
}

// RetryDelay is at most backoffMax, and leaves time for the attempt.
func (p *sharedBackoff) RetryDelay(attempt int, err error) (time.Duration, error) {
	delay, failed := p.RetryerV2.RetryDelay(attempt, err)
	var before *failedAttempt
	if errors.As(err, &before) {
		delay = min(delay, before.left/2)
	}
	delay = min(delay, backoffMax)
	if failed == nil && p.retrying != nil {
		p.retrying(Retry{p.service, attempt, p.MaxAttempts(), max(delay, p.left()), whyAgain(err)})
	}
	return delay, failed
}

// Retry is a request that failed and is made again.
type Retry struct {
	Service  string        // S3, KMS or STS
	Attempt  int           // the one that failed, from 1
	Attempts int           // how many are made at most
	Delay    time.Duration // until the next one is made
	Why      string        // what failed, in words of which none are the server's
}

func whyAgain(err error) string {
	status, _, _ := answer(err)
	switch {
	case throttles.IsErrorThrottle(err).Bool():
		return "throttled"
	case status != 0:
		return strings.TrimSpace(fmt.Sprint(status, " ", http.StatusText(status)))
	}
	return printable.Line(cause(err))
}

// GetAttemptToken waits until an attempt may be made. The attempt's outcome is
// reported to what it returns.
func (p *sharedBackoff) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	asked := time.Now()
	if err := p.wait(ctx); err != nil {
		return nil, err
	}
	release, err := p.RetryerV2.GetAttemptToken(ctx)
	if err != nil {
		return nil, err
	}
	return func(err error) error {
		p.learn(asked, err == nil, throttles.IsErrorThrottle(err).Bool())
		return release(err)
	}, nil
}

// wait returns when the pause that the client makes now, if any, is over.
func (p *sharedBackoff) wait(ctx context.Context) error {
	left := p.left()
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// left is how long nothing is sent.
func (p *sharedBackoff) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.until)
}

// Jitter is a random part of a duration above 0. Its source is that of crypto/rand, as the
// SDK's is, so that a test that fixes one fixes all.
func Jitter(d time.Duration) time.Duration {
	var b [8]byte
	rand.Read(b[:])
	return time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(d))
}

// learn takes the outcome of an attempt into account, unless it was asked for
// before the client backed off: then it says nothing of whether that was enough.
// How long the pause is differs from process to process.
func (p *sharedBackoff) learn(asked time.Time, succeeded, throttled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case asked.Before(p.since):
	case throttled:
		p.backoff = min(max(2*p.backoff, backoffMin), backoffMax)
		p.since = time.Now()
		p.until = p.since.Add(p.backoff/2 + Jitter(p.backoff/2))
	case succeeded:
		p.backoff = 0
	}
}
