package fakeaws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"microsecrets/lib/fakeaws/iam"
	"microsecrets/lib/fakeaws/internal/control"
	"microsecrets/lib/fakeaws/internal/service"
)

// rendezvousTimeout is how long a rendezvous waits for all of its requests.
const rendezvousTimeout = 20 * time.Second

// errDrop makes the server close the connection without another byte.
var errDrop = errors.New("connection dropped")

// A fault is something that goes wrong, or happens, with requests of some
// operations.
type fault struct {
	ops   []string // patterns
	keys  string   // a pattern; "" is any
	by    string   // a principal's access key; "" is any
	skip  int      // so many matching requests pass unharmed first
	times int      // and then so many are harmed; -1: all

	// befall is called before the server acts. It fails, or prepares what is to
	// happen later.
	befall func(*exchange) error

	holds   bool          // until release
	waiting int64         // rendezvous: requests that have arrived
	gate    chan struct{} // closed to let go what is held
}

type faults struct {
	mu      sync.Mutex
	list    []*fault
	held    map[string]int // operation to the number of its requests held now
	changed chan struct{}  // closed when held changes
}

// match returns the faults that befall c, in the order in which they were
// injected, and counts them down.
func (fs *faults) match(c *service.Call) []*fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var matched []*fault
	for _, f := range fs.list {
		if f.times == 0 || !f.concerns(c) {
			continue
		}
		if f.skip > 0 {
			f.skip--
			continue
		}
		if f.times > 0 {
			f.times--
		}
		matched = append(matched, f)
	}
	return matched
}

func (f *fault) concerns(c *service.Call) bool {
	return slices.ContainsFunc(f.ops, func(op string) bool { return iam.Match(op, c.Op) }) &&
		(f.keys == "" || slices.ContainsFunc(c.Names, func(name string) bool { return iam.Match(f.keys, name) })) &&
		(f.by == "" || strings.Contains(c.Request.Header.Get("Authorization"), "Credential="+f.by+"/"))
}

func (fs *faults) add(f *fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = append(fs.list, f)
}

// clear forgets all faults and lets go what they hold.
func (fs *faults) clear() {
	fs.release()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = nil
}

// release lets go of all that is held, and ends those faults.
func (fs *faults) release() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = slices.DeleteFunc(fs.list, func(f *fault) bool {
		if f.holds {
			close(f.gate)
		}
		return f.holds
	})
}

// doFault adds a fault.
func (s *Server) doFault(l *control.Line) {
	f := &fault{keys: l.Option("key", ""), gate: make(chan struct{})}
	f.times = l.Number("times", l.Option("times", "-1"))
	f.skip = l.Number("skip", l.Option("skip", "0"))
	if name := l.Option("by", ""); name != "" && !s.principals.Change(name, func(p *iam.Principal) { f.by = p.AccessKey }) {
		l.Fail("no principal %q", name)
	}
	f.parse(l)
	for op := range strings.SplitSeq(l.Next("OP"), ",") {
		f.ops = append(f.ops, operation(l, op))
	}
	l.End()
	s.faults.add(f)
}

// parse takes KIND and what belongs to it off the line.
func (f *fault) parse(l *control.Line) {
	kind := l.Next("KIND")
	base, when, _ := strings.Cut(kind, "-")
	hold := func(x *exchange) error { return x.hold(f) }
	f.holds = base == "hold" || kind == "stall"
	switch kind {
	case "delay", "delay-midway", "delay-reply":
		d := l.Duration()
		f.befall = at(when, func(x *exchange) error { return x.server.wait(x.ctx, d) })
	case "throttle":
		f.befall = failing(service.ErrThrottled)
	case "drop":
		f.befall = failing(errDrop)
	case "forget":
		f.befall = at("after", failing(errDrop))
	case "answer", "answer-after":
		status, code := l.Number("STATUS", l.Next("STATUS")), l.Next("CODE")
		if status < 200 || status > 599 {
			l.Fail("status %d is not one of 200 to 599", status)
		}
		err := service.Errorf(status, code, "An answer that a test asked for")
		if f.befall = failing(err); when == "after" {
			f.befall = alter(func(x *exchange) { x.instead = err })
		}
	case "respond", "replace":
		rw := parseRewrite(l)
		f.befall = alter(func(x *exchange) { x.rewrite, x.respond = rw, x.respond || kind == "respond" })
	case "persist":
		f.befall = (*exchange).persist
	case "detach":
		f.befall = (*exchange).detach
	case "cut":
		n := l.AtLeast(0)
		f.befall = alter(func(x *exchange) { x.cut = n })
	case "corrupt":
		n := l.AtLeast(0)
		f.befall = alter(func(x *exchange) { x.corrupt = n })
	case "pace":
		n, d := l.AtLeast(1), l.Duration()
		f.befall = alter(func(x *exchange) { x.every, x.pause = n, func() error { return x.server.wait(x.ctx, d) } })
	case "stall":
		n := l.AtLeast(1)
		f.befall = alter(func(x *exchange) { x.every, x.pause = n, func() error { return hold(x) } })
	case "wrong-checksum":
		f.befall = alter(func(x *exchange) { x.badChecksum = true })
	case "ignore-conditions":
		f.befall = alter(func(x *exchange) { x.call.IgnoreConditions = true })
	case "hold", "hold-midway", "hold-reply":
		f.befall = at(when, hold)
	case "do", "do-midway", "do-after":
		dir, line := l.Dir, l.Next("LINE")
		f.befall = at(when, func(x *exchange) error {
			_, err := x.server.ControlLine(dir, line)
			return err
		})
	case "rendezvous":
		n := l.AtLeast(1)
		f.befall = func(x *exchange) error { return x.rendezvous(f, n) }
	default:
		l.Fail("unknown kind %q", kind)
	}
}

// failing is the request's failure with err.
func failing(err error) func(*exchange) error { return func(*exchange) error { return err } }

// alter changes what will be sent.
func alter(f func(*exchange)) func(*exchange) error {
	return func(x *exchange) error {
		f(x)
		return nil
	}
}

// at has f happen at once, midway or after the server has acted.
func at(when string, f func(*exchange) error) func(*exchange) error {
	return func(x *exchange) error {
		switch when {
		case "":
			return f(x)
		case "midway":
			x.midway = append(x.midway, f)
		default:
			x.onSend = append(x.onSend, f)
		}
		return nil
	}
}

func (x *exchange) hold(f *fault) error {
	x.server.faults.countHeld(x.call.Op, 1)
	defer x.server.faults.countHeld(x.call.Op, -1)
	return waitFor(x.ctx, x.server.done, f.gate)
}

func (fs *faults) countHeld(op string, n int) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.held == nil {
		fs.held = map[string]int{}
	}
	fs.held[op] += n
	if fs.changed != nil {
		close(fs.changed)
		fs.changed = nil
	}
}

// await returns when n requests of op are held.
func (fs *faults) await(ctx context.Context, op string, n int) error {
	for {
		fs.mu.Lock()
		have := fs.held[op]
		if fs.changed == nil {
			fs.changed = make(chan struct{})
		}
		changed := fs.changed
		fs.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("await: %d requests of %s are held, not %d", have, op, n)
		}
	}
}

// rendezvous holds requests until n of them are there.
func (x *exchange) rendezvous(f *fault, n int64) error {
	fs := &x.server.faults
	fs.mu.Lock()
	gate := f.gate
	f.waiting++
	if f.waiting == n {
		close(gate)
		f.waiting, f.gate = 0, make(chan struct{})
	}
	fs.mu.Unlock()
	ctx, cancel := context.WithTimeout(x.ctx, rendezvousTimeout)
	defer cancel()
	if waitFor(ctx, x.server.done, gate) == nil {
		return nil
	}
	return service.Errorf(400, "RendezvousFailed", "not all of %d requests came together", n)
}
