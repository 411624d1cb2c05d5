package awsclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"
)

var errSlowDown = &smithy.GenericAPIError{Code: "SlowDown"}

// attempts begins n attempts side by side, each of which lasts a millisecond,
// reports outcome for each, and tells when the first and the last began.
func attempts(t *testing.T, p *sharedBackoff, n int, outcome error) (first, last time.Duration) {
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
			time.Sleep(time.Millisecond)
			done(outcome)
		})
	}
	group.Wait()
	return first, last
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := withSharedBackoff(retry.NewStandard(), "S3", nil).(*sharedBackoff)
		if _, last := attempts(t, p, 16, nil); last != 0 {
			t.Errorf("nobody throttles: %v", last)
		}

		// Sixteen that are throttled at once are one reason to wait, not sixteen,
		// and those that have waited for it go on although it was not enough.
		backoff := backoffMin
		for range 3 {
			first, last := attempts(t, p, 16, errSlowDown)
			if first != last || last > backoff/2 {
				t.Errorf("%v to %v, not together, within %v", first, last, backoff/2)
			}
			if p.backoff != backoff {
				t.Errorf("throttled: %v, not %v", p.backoff, backoff)
			}
			backoff *= 2
		}
		first, last := attempts(t, p, 16, nil)
		if first < p.backoff/2-time.Millisecond || last > backoff/2 {
			t.Errorf("after a throttling all wait: %v to %v", first, last)
		}
		if _, last := attempts(t, p, 16, nil); last != 0 {
			t.Errorf("after a success: %v", last)
		}

		// A HeadObject that is throttled has no code of its own.
		attempts(t, p, 1, &smithy.GenericAPIError{Code: "ServiceUnavailable"})
		if p.backoff != backoffMin {
			t.Errorf("a HeadObject throttled: %v", p.backoff)
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
		p.until = time.Now().Add(backoffMax)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := p.GetAttemptToken(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller has no time: %v", err)
		}
	})
}

// throttling is a server that throttles so many requests, or, below 0, all, and
// takes its time for each.
type throttling struct {
	mu   sync.Mutex
	left int
	sent int
}

const latency = 20 * time.Millisecond

func (s *throttling) Do(r *http.Request) (*http.Response, error) {
	time.Sleep(rand.N(latency))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {"\"e\""}}, Body: http.NoBody, Request: r}
	if s.left != 0 {
		s.left--
		answer.StatusCode = http.StatusServiceUnavailable
	}
	return answer, nil
}

// TestThrottled has sixteen at a time ask a server that throttles, on a clock
// that does not wait. Each attempt costs one pause at most, shared with those
// beside it.
func TestThrottled(t *testing.T) {
	const beside = 16
	for _, c := range []struct{ names, throttles, failed int }{
		{names: 1500, throttles: 0, failed: 0},
		{names: 1500, throttles: 10, failed: 0},
		{names: 1500, throttles: 400, failed: 400},
		{names: 12, throttles: -1, failed: 12},
	} {
		t.Run(fmt.Sprintf("%d of %d", c.throttles, c.names), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &throttling{left: c.throttles}
				client := (&Client{cfg: aws.Config{
					Region:      "us-east-1",
					HTTPClient:  server,
					Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
				}}).S3()
				start := time.Now()
				var mu sync.Mutex
				var failed int
				var group errgroup.Group
				group.SetLimit(beside)
				for i := range c.names {
					group.Go(func() error {
						_, err := client.HeadObject(context.Background(), &s3.HeadObjectInput{
							Bucket: aws.String("example"), Key: aws.String(fmt.Sprint("k", i)),
						})
						if err != nil {
							mu.Lock()
							defer mu.Unlock()
							failed++
						}
						return nil
					})
				}
				group.Wait()
				throttled := server.sent - (c.names - failed)
				pauses := time.Duration(throttled/beside + retry.DefaultMaxAttempts)
				most := pauses*2*backoffMax + time.Duration(server.sent/beside+1)*latency
				if took := time.Since(start); failed > c.failed || took > most {
					t.Errorf("%d failed, %d requests, %v, more than %v", failed, server.sent, took, most)
				}
			})
		})
	}
}
