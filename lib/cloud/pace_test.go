package cloud

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

var errSlowDown = &smithy.GenericAPIError{Code: "SlowDown"}

// attempts begins n attempts side by side, reports outcome for each, and tells
// when the first and the last began.
func attempts(t *testing.T, p *pace, n int, outcome error) (first, last time.Duration) {
	start := time.Now()
	var mu sync.Mutex
	var group sync.WaitGroup
	first = time.Hour
	for range n {
		group.Go(func() {
			done, err := p.GetAttemptToken(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			first, last = min(first, time.Since(start)), max(last, time.Since(start))
			mu.Unlock()
			done(outcome)
		})
	}
	group.Wait()
	return first, last
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := paced(retry.NewStandard()).(*pace)
		if _, last := attempts(t, p, 16, nil); last != 0 {
			t.Errorf("nobody throttles: %v", last)
		}

		// Sixteen that are throttled at once are one reason to wait, not sixteen.
		var together []func(error) error
		for range 16 {
			done, err := p.GetAttemptToken(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			together = append(together, done)
		}
		time.Sleep(time.Millisecond)
		for _, done := range together {
			done(errSlowDown)
		}
		if p.backoff != backoffMin {
			t.Errorf("throttled once: %v", p.backoff)
		}
		first, last := attempts(t, p, 16, nil)
		if first < backoffMin || first == last || last > 2*backoffMin {
			t.Errorf("after a throttling all wait, each a little longer: %v to %v", first, last)
		}
		if _, last := attempts(t, p, 16, nil); last != 0 {
			t.Errorf("after a success: %v", last)
		}

		// A server that goes on throttling is asked less and less often.
		for range 10 {
			attempts(t, p, 1, errSlowDown)
		}
		if p.backoff != backoffMax {
			t.Errorf("throttled again and again: %v", p.backoff)
		}
		attempts(t, p, 1, errors.New("another failure"))
		if p.backoff != backoffMax {
			t.Errorf("another failure: %v", p.backoff)
		}
		p.since = time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := p.GetAttemptToken(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller has no time: %v", err)
		}
	})
}
