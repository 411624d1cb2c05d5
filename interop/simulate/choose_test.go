package simulate

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A scenario is all that a run depends on. Its seed chooses it.
type scenario struct {
	seed    uint64
	profile string

	clients  [][]operation
	names    int
	existing int           // of the names, from the start
	history  string        // versioned, unversioned or suspended
	becomes  string        // the history from midway on; "" if it stays
	at       time.Duration // of that
	faulty   float64       // the share of requests that a fault befalls
	persists bool          // requests are acted on though their clients are gone
	busy     bool          // conditional writes that meet another one are refused with 409
	lapses   bool          // the server ignores conditions
	shared   bool          // all clients use one store
	trusted  bool          // the server is believed to honour conditions
	attempts int           // of a request
	unsigned bool
	large    bool // messages in parts
	purges   bool // versions are removed for good
	repeats  bool // staged, and it is the repetition of a creation, to try the server, that comes late
	staged   bool // the first client's write is left in doubt, and the others come in between

	without []string // clients, operations and requests that a shrunk scenario leaves alone
}

// An operation is what a client does.
type operation struct {
	id    string // c0.2: the third of the first client
	kind  string
	name  string
	other string // what is copied
	looks bool   // the client looks at the name first, and means what it saw
	dice  uint64 // for whatever else is to be chosen
}

// share reports, for one in n operations, true. Each use has an offset of its own.
func (o operation) share(offset, n uint64) bool { return o.dice>>offset%n == 0 }

type weights map[string]int

// profiles are what is done how often.
var profiles = map[string]weights{
	"mixed": {
		"put": 9, "put-changed": 3, "create": 10, "if": 10, "if-version": 6, "add": 24, "drop": 8, "add-if": 5, "add-create": 4, "copy": 5,
		"remove": 7, "remove-if": 9, "remove-version": 3, "purge": 2, "rotate": 9, "get": 10, "reader": 5, "stat": 2, "list": 3, "versions": 3, "bulk": 2,
	},
	// Few operations, and most of their writes go wrong.
	"focus": {"put": 10, "create": 10, "if": 10, "if-version": 4, "add": 16, "add-if": 5, "add-create": 5, "remove": 10, "remove-if": 10, "rotate": 8, "get": 4},
	// Secrets that are copied by Store.Copy, over others and over what is the same.
	"copies": {"cp": 20, "cp-over": 14, "put": 8, "create": 4, "if": 4, "add": 4, "remove": 8, "remove-if": 4, "rotate": 4, "get": 6},
	// Messages in parts.
	"parts": {"put": 20, "put-changed": 3, "create": 8, "if": 8, "add": 6, "remove": 4, "rotate": 5, "get": 8, "reader": 8},
}

// destructive are the kinds that remove versions for good.
var destructive = []string{"remove-version", "purge"}

// choose makes the scenario of a seed.
func choose(profile string, seed uint64) *scenario {
	r := rand.New(rand.NewPCG(seed, hash(profile)))
	one := func(in int) bool { return r.IntN(in) == 0 }
	c := &scenario{
		seed: seed, profile: profile,
		names:    1 + r.IntN(3),
		history:  []string{"versioned", "unversioned", "suspended"}[r.IntN(3)],
		at:       time.Duration(r.IntN(1500)) * time.Millisecond,
		faulty:   []float64{0, 0.05, 0.12, 0.25, 0.4}[r.IntN(5)],
		persists: one(4),
		busy:     one(2),
		lapses:   one(25),
		shared:   one(3),
		trusted:  one(2),
		attempts: 1 + r.IntN(3),
		unsigned: !one(3),
		purges:   one(4),
	}
	c.existing = r.IntN(c.names + 1)
	if one(5) {
		c.becomes = map[string]string{"versioned": "suspended", "unversioned": "versioned", "suspended": "versioned"}[c.history]
	}
	clients, each := 2+r.IntN(5), 3+r.IntN(8)
	switch profile {
	case "focus":
		clients, each, c.names = 1+r.IntN(3), 1+r.IntN(2), 1
		c.faulty, c.persists, c.busy, c.attempts, c.unsigned, c.lapses = 0.3, one(2), true, 2+r.IntN(2), true, false
		c.existing, c.trusted, c.staged = 1, !one(4), one(2)
		if c.staged {
			clients, c.faulty, c.busy = 2, 0.05, false
			c.existing, c.trusted = r.IntN(2), one(2)
		}
	case "copies":
		c.names = 2 + r.IntN(2)
		c.existing = 1 + r.IntN(c.names)
		if one(15) {
			clients, each, c.large, c.unsigned = 2+r.IntN(2), 1+r.IntN(2), true, true
		}
	case "parts":
		clients, each, c.names, c.large, c.unsigned = 2+r.IntN(2), 1+r.IntN(2), 1, true, true
	}
	c.trusted = c.trusted && !c.lapses
	kinds := profiles[profile]
	var table []string
	for _, kind := range slices.Sorted(keys(kinds)) {
		if c.purges || !slices.Contains(destructive, kind) {
			table = append(table, slices.Repeat([]string{kind}, kinds[kind])...)
		}
	}
	for i := range clients {
		var list []operation
		for j := range each {
			list = append(list, operation{
				id:    fmt.Sprintf("c%d.%d", i, j),
				kind:  table[r.IntN(len(table))],
				name:  nameOf(r.IntN(c.names)),
				other: nameOf(r.IntN(c.names)),
				looks: !one(3),
				dice:  r.Uint64(),
			})
		}
		c.clients = append(c.clients, list)
	}
	if c.staged && !c.trusted && c.existing == 0 && one(2) {
		c.repeats = true
		c.clients[0][0].kind, c.clients[1][0].kind = "create", "remove"
	}
	return c
}

func nameOf(i int) string { return fmt.Sprintf("service/n%d", i) }

func (c *scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d: %d clients, %d of %d names exist, %s", c.profile, c.seed, len(c.clients), c.existing, c.names, c.history)
	if c.becomes != "" {
		fmt.Fprintf(&b, ", %s after %v", c.becomes, c.at)
	}
	fmt.Fprintf(&b, ", faults %.0f %%, %d attempts", 100*c.faulty, c.attempts)
	for _, flag := range []struct {
		on   bool
		name string
	}{
		{c.persists, "persists"}, {c.busy, "busy"}, {c.lapses, "ignores conditions"}, {c.shared, "one store"}, {c.trusted, "trusted"},
		{c.unsigned, "unsigned"}, {c.large, "large"}, {c.purges, "purges"}, {c.staged, "staged"}, {c.repeats, "repeats"},
	} {
		if flag.on {
			b.WriteString(", " + flag.name)
		}
	}
	return b.String()
}

// leaves reports whether a shrunk scenario leaves out a client, an operation or what
// befalls a request.
func (c *scenario) leaves(what string) bool { return slices.Contains(c.without, what) }

// hash is a number that depends on its parts alone.
func hash(parts ...any) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, parts...)
	return h.Sum64()
}

// keys returns the keys of a map.
func keys[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
