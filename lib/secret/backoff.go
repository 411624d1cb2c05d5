package secret

import (
	"context"
	"fmt"
	"math"
	"time"

	"microsecrets/lib/internal/awsclient"
)

// backoff spaces the attempts at a change while other writers get in the way.
type backoff struct {
	timeout time.Duration // without progress; 0 or below is none
	since   time.Time     // the last progress
	began   time.Time     // this try
	fastest time.Duration // of the tries
	tries   int
}

// backoffMax bounds the wait between two tries, as a multiple of the time that a try
// takes. It is about how many writers can take turns.
const backoffMax = 64

func (s *Store) newBackoff() *backoff {
	now := time.Now()
	return &backoff{timeout: s.options.Timeout, since: now, began: now, fastest: math.MaxInt64}
}

// progress says that something has changed: somebody's write was made.
func (b *backoff) progress() { b.since = time.Now() }

// spent returns an error if there has been no progress within the timeout. Why is the
// reason for another try.
func (b *backoff) spent(why error) error {
	if b.timeout > 0 && time.Since(b.since) > b.timeout {
		return fmt.Errorf("%w: no progress for %v: %v", ErrUnreachable, b.timeout, why)
	}
	return nil
}

// wait waits until the next try: a random part of a span that grows by half from
// twice the time that a try takes, so that writers come to be as far apart as
// their number wants, but no longer than until the time is spent. The error is the
// context's.
func (b *backoff) wait(ctx context.Context) error {
	b.fastest = max(time.Millisecond, min(b.fastest, time.Since(b.began)))
	span := min(backoffMax, 2*math.Pow(1.5, float64(b.tries))) * float64(b.fastest)
	if left := b.timeout - time.Since(b.since); b.timeout > 0 {
		span = min(span, float64(max(left, time.Millisecond)))
	}
	b.tries++
	timer := time.NewTimer(awsclient.Jitter(time.Duration(span)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	b.began = time.Now()
	return nil
}
