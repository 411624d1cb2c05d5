package awsclient

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/smithy-go/middleware"
)

// waitLimit is how long an operation still waits for progress: the timeout, for all
// of its attempts and the pauses between them together. An answer is progress, and
// so are bytes of a body. An attempt that stalls leaves no time for another.
type waitLimit struct {
	mu      sync.Mutex
	timeout time.Duration
	left    time.Duration
	bytes   int       // since there was progress
	tries   int       // in all
	failed  time.Time // the attempt before
}

type waitKey struct{}

// withWaitLimit gives each operation its limit.
func withWaitLimit(s *middleware.Stack) error {
	return s.Initialize.Add(middleware.InitializeMiddlewareFunc("WaitLimit",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(context.WithValue(ctx, waitKey{}, new(waitLimit)), in)
		}), middleware.Before)
}

// watch is an attempt, which ends when the limit is reached.
type watch struct {
	*waitLimit
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	since   time.Time   // the wait that is under way; zero: none is
	sent    atomic.Bool // a byte of the request, at least
	begun   bool        // the answer
	useless bool        // there was no time left for it
}

// watch begins an attempt.
func (c *transport) watch(ctx context.Context) *watch {
	p, ok := ctx.Value(waitKey{}).(*waitLimit)
	if !ok {
		p = new(waitLimit)
	}
	w := &watch{waitLimit: p}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(math.MaxInt64, func() { w.cancel(errStalled) })
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.timeout == 0:
		p.timeout = c.timeout
		if c.timeout <= 0 {
			p.timeout = math.MaxInt64
		}
		p.left = p.timeout
	case !p.failed.IsZero():
		p.left -= time.Since(p.failed)
		p.failed = time.Time{}
	}
	if w.useless = p.left <= 0; !w.useless {
		p.tries++
		w.wait()
	}
	return w
}

// wait begins to count; the caller has the lock.
func (w *watch) wait() {
	w.since = time.Now()
	w.timer.Reset(w.left)
}

// stop ends to count; the caller has the lock.
func (w *watch) stop() {
	w.timer.Stop()
	if !w.since.IsZero() {
		w.left -= time.Since(w.since)
		w.since = time.Time{}
	}
}

func (w *watch) resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wait()
}

func (w *watch) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stop()
}

// moved says that bytes of a body have moved, which are progress at that rate.
func (w *watch) moved(n, rate int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bytes += n; float64(w.bytes) >= float64(rate)*w.timeout.Seconds() {
		w.renew()
	}
}

// progress says that something has moved.
func (w *watch) progress() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.renew()
}

// renew begins the whole limit again; the caller has the lock.
func (w *watch) renew() {
	w.bytes, w.left = 0, w.timeout
	if !w.since.IsZero() {
		w.wait()
	}
}

// end ends an attempt that needs no more watching.
func (w *watch) end() {
	w.pause()
	w.cancel(nil)
}

// fail ends an attempt that failed.
func (w *watch) fail(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stop()
	w.failed = time.Now()
	if w.useless || context.Cause(w.ctx) == errStalled {
		err = errStalled
	}
	w.cancel(nil)
	f := &failedAttempt{err: err, sent: w.sent.Load(), begun: w.begun, tries: w.tries, left: w.left, waited: w.timeout}
	if w.left > 0 {
		f.waited = (w.timeout - w.left).Round(time.Millisecond)
	}
	return f
}

// failedAttempt is the error of an attempt that brought no answer, or not all of
// it.
type failedAttempt struct {
	err    error
	sent   bool          // a byte of the request, at least: it may have been acted on
	begun  bool          // the answer had begun
	tries  int           // of the operation, this one included
	waited time.Duration // since there was progress
	left   time.Duration // for further attempts
}

func (e *failedAttempt) Error() string { return e.err.Error() }
func (e *failedAttempt) Unwrap() error { return e.err }

// stalled is the error of waiting too long.
type stalled struct{}

func (stalled) Error() string { return "no progress" }
func (stalled) Timeout() bool { return true }

var errStalled = stalled{}

// Stalled reports whether an operation made no progress for the time that Options
// give it.
func Stalled(err error) bool { return errors.Is(err, errStalled) }
