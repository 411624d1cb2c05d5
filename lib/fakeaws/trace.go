package fakeaws

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"microsecrets/lib/fakeaws/internal/service"
)

// maxTraces bounds the log of requests; counts go on.
const maxTraces = 20_000

// A trace is what is remembered of a request.
type trace struct {
	op       string
	resource string
	who      string
	status   int
	code     string // of an error; "dropped", "forgotten"
	depth    int
	trips    int
}

// traces counts requests.
//
// The depth of a request is one more than the greatest depth among the requests
// that had been answered before it arrived: the number of round trips that a
// client made one after the other. Of requests sent side by side, one may be
// answered before another one arrives, so a test of depth holds them together
// first, by a rendezvous, or slows them by a delay.
//
// Its trips are that depth with the opening of connections in it, which takes one
// round trip, and one more by TLS. A connection is taken to have been opened when the
// client knew what it knew of the greatest depth before: all that had been answered,
// and what it took to send what was under way.
type traces struct {
	mu       sync.Mutex
	log      []*trace
	counts   map[string]int
	deepest  int // among all that arrived
	done     int // greatest depth among those answered
	flying   int
	idle     chan struct{} // closed when flying is 0 again
	mostSide int
	accepted int           // connections
	opened   int           // of those, TLS included
	another  chan struct{} // closed when another one is open; nil if nobody waits

	farthest    int // most trips among all that arrived
	doneTrips   int // among those answered
	openedTrips map[net.Conn]int
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// accept notes a connection.
func (t *traces) accept(ctx context.Context, conn net.Conn) context.Context {
	secured, byTLS := conn.(*tls.Conn)
	t.mu.Lock()
	t.accepted++
	if t.openedTrips == nil {
		t.openedTrips = map[net.Conn]int{}
	}
	t.openedTrips[conn] = max(t.doneTrips, t.farthest-1) + 1
	if byTLS {
		t.openedTrips[conn]++
	}
	t.mu.Unlock()
	if !byTLS {
		t.update(t.open)
		return context.WithValue(ctx, connKey{}, conn)
	}
	go func() {
		if secured.HandshakeContext(ctx) == nil {
			t.update(t.open)
		}
	}()
	return context.WithValue(ctx, connKey{}, conn)
}

// open counts a connection that is open. Its callers hold the lock.
func (t *traces) open() {
	t.opened++
	if t.another != nil {
		close(t.another)
		t.another = nil
	}
}

// connection forgets a connection that is closed.
func (t *traces) connection(conn net.Conn, state http.ConnState) {
	if state == http.StateClosed || state == http.StateHijacked {
		t.update(func() { delete(t.openedTrips, conn) })
	}
}

// awaitOpen waits until n connections have been opened.
func (t *traces) awaitOpen(ctx context.Context, n int) error {
	for {
		t.mu.Lock()
		if t.opened >= n {
			t.mu.Unlock()
			return nil
		}
		if t.another == nil {
			t.another = make(chan struct{})
		}
		another := t.another
		t.mu.Unlock()
		select {
		case <-another:
		case <-ctx.Done():
			return fmt.Errorf("fewer than %d connections were opened", n)
		}
	}
}

func (t *traces) arrive(c *service.Call) *trace {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.flying == 0 {
		t.idle = make(chan struct{})
	}
	t.flying++
	tr := &trace{op: c.Op, resource: c.Resource, depth: t.done + 1}
	conn, _ := c.Request.Context().Value(connKey{}).(net.Conn)
	tr.trips = max(t.openedTrips[conn], t.doneTrips) + 1
	t.farthest = max(t.farthest, tr.trips)
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	t.counts[c.Op]++
	t.deepest = max(t.deepest, tr.depth)
	t.mostSide = max(t.mostSide, t.flying)
	if len(t.log) == maxTraces {
		t.log = slices.Delete(t.log, 0, maxTraces/2)
	}
	t.log = append(t.log, tr)
	return tr
}

// update has f note what has become of a request.
func (t *traces) update(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
}

// answered notes that the client is about to learn the outcome.
func (t *traces) answered(tr *trace, status int) {
	t.update(func() {
		tr.status, t.done = status, max(t.done, tr.depth)
		t.doneTrips = max(t.doneTrips, tr.trips)
	})
}

func (t *traces) finish(tr *trace) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done = max(t.done, tr.depth)
	t.doneTrips = max(t.doneTrips, tr.trips)
	if t.flying--; t.flying == 0 {
		close(t.idle)
	}
}

func (t *traces) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log, t.counts, t.deepest, t.done, t.mostSide = nil, nil, 0, 0, t.flying
	t.accepted, t.opened, t.farthest, t.doneTrips = 0, 0, 0, 0
}

// lines returns "OP N" for each operation, sorted. Its callers, and those of
// text, hold the lock.
func (t *traces) lines() []string {
	var lines []string
	for _, op := range slices.Sorted(maps.Keys(t.counts)) {
		lines = append(lines, fmt.Sprintf("%s %d", op, t.counts[op]))
	}
	return lines
}

func (t *traces) text() string {
	var b strings.Builder
	for _, tr := range t.log {
		fmt.Fprintf(&b, "%d %s %s %d %s %s\n", tr.depth, tr.op, cmp.Or(tr.resource, "-"), tr.status, cmp.Or(tr.code, "-"), cmp.Or(tr.who, "-"))
	}
	return b.String()
}
