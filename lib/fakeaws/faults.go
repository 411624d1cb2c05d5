package fakeaws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"microsecrets/lib/fakeaws/iam"
	"microsecrets/lib/fakeaws/internal/service"
)

// rendezvousTimeout is how long a rendezvous waits for all of its requests.
const rendezvousTimeout = 20 * time.Second

// errDrop makes the server close the connection without another byte.
var errDrop = errors.New("connection dropped")

// A fault is something that goes wrong, or happens, with requests of some
// operations.
type fault struct {
	text  string // as it was given, for the list
	kind  string
	ops   []string // patterns
	keys  string   // a pattern; "" is any
	by    string   // a principal's access key; "" is any
	skip  int      // so many matching requests pass unharmed first
	times int      // and then so many are harmed; -1: all

	delay   time.Duration
	status  int
	code    string
	n       int64
	rewrite *rewrite
	line    string
	dir     string // that the line's file names are relative to

	waiting int           // rendezvous: requests that have arrived
	gate    chan struct{} // rendezvous, hold, hold-reply, stall: closed to let them go
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
	f.gate = make(chan struct{})
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
		if f.kind != "hold" && f.kind != "hold-midway" && f.kind != "hold-reply" && f.kind != "stall" {
			return false
		}
		close(f.gate)
		return true
	})
}

// before does what faults do before the server acts, and prepares what they do
// to the answer.
func (x *exchange) before(matched []*fault) error {
	respond := false
	for _, f := range matched {
		var err error
		switch f.kind {
		case "delay":
			err = x.server.wait(x.ctx, f.delay)
		case "hold":
			err = x.hold(f)
		case "hold-midway":
			x.midway = append(x.midway, func() error { return x.hold(f) })
		case "rendezvous":
			err = x.rendezvous(f)
		case "do":
			err = x.do(f)
		case "do-midway":
			x.midway = append(x.midway, func() error { return x.do(f) })
		case "throttle":
			err = service.ErrThrottled
		case "answer":
			err = service.Errorf(f.status, f.code, "An answer that a test asked for")
		case "drop":
			err = errDrop
		case "ignore-conditions":
			x.call.IgnoreConditions = true
		case "respond":
			x.rewrite, respond = f.rewrite, true
		case "replace":
			x.rewrite = f.rewrite
		case "detach":
			err = x.detach()
		case "answer-after":
			x.instead = service.Errorf(f.status, f.code, "An answer that a test asked for")
		case "cut":
			x.cut = f.n
		case "corrupt":
			x.corrupt = f.n
		case "wrong-checksum":
			x.badChecksum = true
		case "pace":
			x.every, x.pause = f.n, func() error { return x.server.wait(x.ctx, f.delay) }
		case "stall":
			x.every, x.pause = f.n, func() error { return x.hold(f) }
		case "forget":
			x.onSend = append(x.onSend, func() error { return errDrop })
		case "hold-reply":
			x.onSend = append(x.onSend, func() error { return x.hold(f) })
		case "do-after":
			x.onSend = append(x.onSend, func() error { return x.do(f) })
		}
		if err != nil {
			return err
		}
	}
	if respond {
		io.Copy(io.Discard, x.call.Request.Body)
		x.WriteHeader(cmp.Or(x.rewrite.status, http.StatusOK))
		x.sendRewritten()
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (x *exchange) do(f *fault) error {
	_, err := x.server.ControlLine(f.dir, f.line)
	return err
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

// rendezvous holds requests until f.n of them are there.
func (x *exchange) rendezvous(f *fault) error {
	fs := &x.server.faults
	fs.mu.Lock()
	gate := f.gate
	f.waiting++
	if f.waiting == int(f.n) {
		close(gate)
		f.waiting, f.gate = 0, make(chan struct{})
	}
	fs.mu.Unlock()
	ctx, cancel := context.WithTimeout(x.ctx, rendezvousTimeout)
	defer cancel()
	if waitFor(ctx, x.server.done, gate) == nil {
		return nil
	}
	return service.Errorf(400, "RendezvousFailed", "not all of %d requests came together", f.n)
}
