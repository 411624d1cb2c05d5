package fakeaws

import (
	"cmp"
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
}

// traces counts requests.
//
// The depth of a request is one more than the greatest depth among the requests
// that had been answered before it arrived: the number of round trips that a
// client made one after the other. Of requests sent side by side, one may be
// answered before another one arrives, so a test of depth holds them together
// first, by a rendezvous, or slows them by a delay.
type traces struct {
	mu       sync.Mutex
	log      []*trace
	counts   map[string]int
	deepest  int // among all that arrived
	done     int // greatest depth among those answered
	flying   int
	idle     chan struct{} // closed when flying is 0 again
	mostSide int
	opened   int // connections
}

// connection notes what has become of a connection.
func (t *traces) connection(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.opened++
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
	t.update(func() { tr.status, t.done = status, max(t.done, tr.depth) })
}

func (t *traces) finish(tr *trace) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done = max(t.done, tr.depth)
	if t.flying--; t.flying == 0 {
		close(t.idle)
	}
}

func (t *traces) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log, t.counts, t.deepest, t.done, t.mostSide, t.opened = nil, nil, 0, 0, t.flying, 0
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
