package simulate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"microsecrets/lib/secret"
)

// A state is what there is under a name.
type state struct {
	present  bool
	etag, id string
}

func (state) after(e entry) state {
	if e.latest.Deleted || e.latest.ETag == "" {
		return state{}
	}
	return state{true, e.latest.ETag, e.latest.ID}
}

func (x state) String() string {
	if !x.present {
		return "nothing"
	}
	return fmt.Sprintf("%.8s %.6s", x.etag, x.id)
}

// The kinds of operations, by what they require.
var (
	conditional = []string{"create", "copy", "cp", "cp-over", "if", "if-version", "add", "drop", "add-if", "add-create", "rotate", "remove-if"}
	creations   = []string{"create", "add-create", "cp"}
	copies      = []string{"cp", "cp-over"}
	replacing   = []string{"if", "add-if", "remove-if"} // the ETag that is wanted
	merges      = []string{"add", "drop", "add-if", "add-create"}
	readers     = []string{"get", "reader", "stat"}
	removals    = []string{"remove", "remove-if", "remove-version", "purge"}
)

func (r *record) is(kinds []string) bool { return slices.Contains(kinds, r.kind) }

// attempts is how often the library tries what others come in between of.
const attempts = 8

// A trial holds one operation to the history of its name.
type trial struct {
	*simulation
	*record
	journal []entry
	states  []state // before the entry of that number; the last is after all
	puts    []int   // the entries that are the operation's
	dels    []int
}

func (s *simulation) states(name string) []state {
	states := []state{{}}
	for _, e := range s.journal[name] {
		states = append(states, state{}.after(e))
	}
	return states
}

// check holds what happened to what the library promises.
func (s *simulation) check() {
	ids := map[string]bool{}
	for _, r := range s.records {
		ids[r.id] = true
		t := &trial{simulation: s, record: r, journal: s.journal[r.name], states: s.states(r.name)}
		for i, e := range t.journal {
			switch {
			case e.id != r.id:
			case e.put:
				t.puts = append(t.puts, i)
			default:
				t.dels = append(t.dels, i)
			}
		}
		if s.lapses && !strings.HasPrefix(r.id, "setup") {
			t.lapsed()
			continue
		}
		t.holds()
	}
	for name, journal := range s.journal {
		for i, e := range journal {
			if !ids[e.id] {
				s.violate("unattributed", "%s: change %d by %s", name, i, e.id)
			}
		}
	}
}

func (t *trial) fail(label, format string, args ...any) {
	t.violate(label, "%s %s %s: %s", t.record.id, t.kind, t.name, fmt.Sprintf(format, args...))
}

// lapsed holds an operation at a server that ignores conditions: what has one fails.
func (t *trial) lapsed() {
	switch {
	case t.trusted || !t.is(conditional):
	case t.outcome == done && !t.current && !(t.is(copies) && t.receipt.Outcome == secret.Unchanged):
		t.fail("ignored-unnoticed", "succeeded")
	case len(t.puts)+len(t.dels) > 0:
		t.fail("ignored-unnoticed", "landed")
	}
}

func (t *trial) holds() {
	for _, kind := range []error{secret.ErrNotAuthentic, secret.ErrInvalid, secret.ErrDenied, secret.ErrConditionsIgnored} {
		if errors.Is(t.err, kind) {
			t.fail("odd-failure", "%v", t.err)
		}
	}
	switch {
	case strings.HasPrefix(t.record.id, "final"):
		t.final()
	case t.is(readers):
		t.read()
	case t.kind == "list":
		t.listing()
	case t.kind == "versions":
		t.versionsListed()
	default:
		t.landed()
		t.answered()
	}
}

// during reports whether a state from the operation's beginning to its end is such a
// one.
func (t *trial) during(is func(state) bool) bool {
	return slices.ContainsFunc(t.states[t.from[t.name]:t.to[t.name]+1], is)
}

// others is during, the states aside that the operation made itself.
func (t *trial) others(is func(state) bool) bool {
	for i := t.from[t.name]; i <= t.to[t.name]; i++ {
		if (i == t.from[t.name] || t.journal[i-1].id != t.record.id) && is(t.states[i]) {
			return true
		}
	}
	return false
}

// original reports whether a state of the secret that was copied, from the operation's
// beginning to its end, is such a one.
func (t *trial) original(is func(state) bool) bool {
	return slices.ContainsFunc(t.simulation.states(t.other)[t.from[t.other]:t.to[t.other]+1], is)
}

func absent(x state) bool  { return !x.present }
func present(x state) bool { return x.present }

func (t *trial) final() {
	last := t.states[len(t.states)-1]
	switch {
	case last.present && (t.err != nil || t.value != t.plaintexts[last.etag]):
		t.fail("final", "%q, %v is not what landed last: %v", brief(t.value), t.err, last)
	case !last.present && !errors.Is(t.err, secret.ErrNotFound):
		t.fail("final", "%q, %v, and the last change left nothing", brief(t.value), t.err)
	}
}

// read holds what was seen to what was there.
func (t *trial) read() {
	gone := errors.Is(t.err, secret.ErrNotFound)
	switch {
	case t.outcome == done && !t.during(func(x state) bool {
		return x.present && (t.kind == "stat" || t.plaintexts[x.etag] == t.value) && (t.kind == "get" || x.etag == t.etag)
	}):
		t.fail("read", "%q %.8s was not there meanwhile", brief(t.value), t.etag)
	case gone && !t.during(absent):
		t.fail("read-absent", "it was there all the time")
	case t.outcome == refused && !gone:
		t.fail("read-conflict", "%v", t.err)
	case t.outcome == unknown:
		t.fail("read-unknown", "%v", t.err)
	}
}

func (t *trial) listing() {
	if t.outcome != done {
		return
	}
	for i := range t.simulation.names {
		name := nameOf(i)
		states := t.simulation.states(name)[t.from[name] : t.to[name]+1]
		if !slices.ContainsFunc(states, func(x state) bool { return x.present == t.record.names[name] }) {
			t.fail("list", "%s listed: %v", name, t.record.names[name])
		}
	}
}

// versionsListed holds a list of versions to the journal, where each change adds one.
func (t *trial) versionsListed() {
	gone := errors.Is(t.err, secret.ErrNotFound)
	if t.outcome != done && !gone || t.history != "versioned" || t.becomes != "" || t.purges || t.large ||
		slices.ContainsFunc(t.journal, func(e entry) bool { return e.gone }) {
		return
	}
	for n := t.from[t.name]; n <= t.to[t.name]; n++ {
		var ids []string
		for _, e := range slices.Backward(t.journal[:n]) {
			ids = append(ids, e.object.ID)
		}
		if slices.Equal(ids, t.versions) {
			return
		}
	}
	t.fail("versions", "%q is not what there was", t.versions)
}

// excuse says why an operation may have landed more often, or later, than it should:
// what doc/decisions.md calls what no look can rule out. It is empty if there is no
// such reason.
func (t *trial) excuse() string {
	for _, i := range slices.Concat(t.puts, t.dels) {
		if t.journal[i].stray {
			return "a request without a condition, or a creation, acted when its client had gone"
		}
	}
	if len(t.puts) < 2 {
		return ""
	}
	for _, i := range t.puts[1:] {
		if t.states[i].present || t.remembers() && !t.undone(i) {
			return ""
		}
	}
	return "what it had stored was removed before it looked, and left no trace"
}

// undone reports whether what a put stored is removed again by the same operation: a
// creation that was repeated to try the server.
func (t *trial) undone(i int) bool {
	return t.triesServer() && slices.ContainsFunc(t.dels, func(j int) bool { return j > i })
}

// triesServer reports whether the operation may repeat a creation, a merge into nothing
// and a put that is sent again included, to try the server, and remove what the
// repetition has stored.
func (t *trial) triesServer() bool {
	return !t.trusted && (t.is(creations) || t.is(merges) || t.is(copies) || t.kind == "put" || t.kind == "put-changed")
}

// landed holds what the operation changed to what it may.
func (t *trial) landed() {
	excuse := t.excuse()
	if excuse != "" {
		t.excused[t.name] = true
	}
	for _, i := range slices.Concat(t.puts, t.dels) {
		switch {
		case i < t.from[t.name]:
			t.fail("early", "change %d", i)
		case i >= t.to[t.name] && t.outcome != unknown && !t.journal[i].stray:
			t.fail("late", "change %d landed after it had ended (%s)", i, t.outcome)
		}
		if t.journal[i].blind && t.kind != "purge" && t.kind != "remove-version" {
			t.fail("repeated-blindly", "change %d landed", i)
		}
	}
	overtaken := t.large && t.err != nil && strings.Contains(t.err.Error(), "not as the latest version")
	if overtaken {
		t.excused[t.name] = true
	}
	if (t.outcome == refused || t.outcome == failed) && len(t.puts)+len(t.dels) > 0 && excuse == "" && !overtaken && t.kind != "purge" {
		t.fail("refused-but-landed", "%v, and landed", t.err)
	}
	if len(t.puts) > 1 && excuse == "" {
		t.fail("twice", "stored %d times (%s)", len(t.puts), t.outcome)
	}
	for _, i := range t.puts {
		t.put(i)
	}
	t.removed(excuse)
	if n := len(t.puts); n > 0 && strings.Count(t.plaintexts[t.journal[t.puts[n-1]].object.ETag], "add "+t.record.id+"\n") > 1 {
		t.fail("merged-twice", "%q", brief(t.plaintexts[t.journal[t.puts[n-1]].object.ETag]))
	}
}

// put holds one landing to its condition, and to what it should hold.
func (t *trial) put(i int) {
	before, value := t.states[i], t.plaintexts[t.journal[i].object.ETag]
	holds := true
	switch {
	case t.is(creations):
		holds = !before.present
	case t.is(replacing):
		holds = before.present && before.etag == t.want
	case t.kind == "if-version":
		holds = before.present && before.id == t.want
	}
	if !holds {
		t.fail("condition", "wants %.8s, and landed on %v", t.want, before)
	}
	want := t.content
	switch {
	case t.is(merges):
		want = t.change(t.plaintexts[before.etag])
	case t.kind == "rotate":
		want = t.plaintexts[before.etag]
		if !before.present {
			t.fail("rotated-nothing", "landed where there was nothing")
		}
	}
	if t.is(copies) {
		if want = value; !t.original(func(x state) bool { return x.present && t.plaintexts[x.etag] == value }) {
			want = "what " + t.other + " held meanwhile"
		}
	}
	if value != want {
		t.fail("lost", "%q became %q, not %q", brief(t.plaintexts[before.etag]), brief(value), brief(want))
	}
}

// removed holds what the operation removed to what it saw.
func (t *trial) removed(excuse string) {
	if !t.is(removals) {
		for _, i := range t.dels {
			etag := t.states[i].etag
			if t.journal[i].gone {
				etag = t.journal[i].object.ETag
			}
			if !t.triesServer() || !slices.ContainsFunc(t.puts, func(j int) bool { return j < i && t.journal[j].object.ETag == etag }) {
				t.fail("removes", "what is no removal removed %.8s", etag)
			}
		}
		return
	}
	taken := 0
	for _, i := range t.dels {
		e, before := t.journal[i], t.states[i]
		if before.present {
			taken++
		}
		switch t.kind {
		case "remove-if":
			if before.etag != t.want {
				t.fail("condition", "wants %.8s, and removed %v", t.want, before)
			}
		case "remove-version":
			if !e.gone || e.object.ID != t.want {
				t.fail("condition", "wants %.6s, and removed %.6s", t.want, e.object.ID)
			}
		case "purge":
			if after := t.states[i+1]; before.present && after.present && after != before {
				t.fail("purge-exposes", "%v came to light", after)
			}
			stored := slices.IndexFunc(t.journal, func(other entry) bool { return !other.gone && other.object.ID == e.object.ID })
			if e.object.ID != secret.NullVersion && stored >= t.listed[t.record.id] {
				t.fail("purged-newer", "%.6s was stored after it had looked", e.object.ID)
			}
		}
	}
	if (t.kind == "remove" || t.kind == "remove-if") && taken > 1 && excuse == "" {
		t.fail("removed-twice", "%d times (%s)", taken, t.outcome)
	}
}

// answered holds the outcome to what happened.
func (t *trial) answered() {
	switch t.outcome {
	case done:
		t.succeeded()
	case refused:
		t.hadReason()
	case unknown:
		if errors.Is(t.err, secret.ErrExists) || errors.Is(t.err, secret.ErrChanged) || errors.Is(t.err, secret.ErrNotFound) {
			t.fail("refused-in-doubt", "%v", t.err)
		}
	}
}

func (t *trial) succeeded() {
	switch {
	case t.receipt != nil && t.receipt.Outcome == secret.Unchanged && t.is(copies):
		value := t.plaintexts[t.receipt.ETag]
		if !t.during(func(x state) bool { return x.present && x.etag == t.receipt.ETag }) ||
			!t.original(func(x state) bool { return x.present && t.plaintexts[x.etag] == value }) {
			t.fail("unchanged", "it never held these bytes")
		}
	case t.receipt != nil && t.receipt.Outcome == secret.Unchanged:
		if !t.during(func(x state) bool {
			return x.present && x.etag == t.receipt.ETag && t.plaintexts[x.etag] == t.content
		}) {
			t.fail("unchanged", "it never held these bytes")
		}
	case t.receipt != nil:
		t.stored()
	case t.kind == "rotate" && t.current:
		if !t.during(present) {
			t.fail("rotated", "there was nothing")
		}
	case t.kind == "rotate" && len(t.puts) == 0:
		t.fail("not-durable", "succeeded, and nothing landed")
	case (t.kind == "remove" || t.kind == "remove-if") && len(t.dels) == 0:
		// One that was not answered and finds nothing is taken for made.
		if !t.during(absent) {
			t.fail("not-durable", "succeeded, and it was there all the time")
		} else if t.kind == "remove-if" && t.remembers() && !t.follows(t.want) {
			t.fail("removed-other", "succeeded, and what it wants was replaced, then removed by another")
		}
	case t.kind == "remove-version" && !slices.ContainsFunc(t.journal[:t.to[t.name]], func(e entry) bool { return e.gone && e.object.ID == t.want }):
		t.fail("not-durable", "succeeded, and the version was not removed")
	case t.kind == "purge":
		t.purged()
	}
}

// remembers reports whether the bucket keeps every version.
func (t *trial) remembers() bool { return t.history == "versioned" && t.becomes == "" && !t.purges }

// follows reports whether a version was ever followed by its removal.
func (t *trial) follows(etag string) bool {
	for i, x := range t.states[:len(t.states)-1] {
		if x.etag == etag && !t.states[i+1].present {
			return true
		}
	}
	return false
}

// stored holds a receipt to the landing that it is of.
func (t *trial) stored() {
	i := slices.IndexFunc(t.puts, func(i int) bool {
		return i < t.to[t.name] && t.journal[i].object.ETag == t.receipt.ETag && (t.receipt.Version == "" || t.journal[i].object.ID == t.receipt.Version)
	})
	if i < 0 {
		t.fail("not-durable", "succeeded, and what its receipt says did not land")
		return
	}
	i = t.puts[i]
	before := t.states[i]
	switch {
	case t.states[i+1].etag != t.receipt.ETag:
		t.fail("not-latest", "succeeded, and %v stayed the latest", t.states[i+1])
	case t.kind == "put-changed":
	case t.receipt.Outcome == secret.Created && before.present, t.receipt.Outcome == secret.Updated && !before.present:
		t.fail("outcome", "%s on %v", t.receipt.Outcome, before)
	}
}

// purged looks for versions that a purge left.
func (t *trial) purged() {
	if t.history != "versioned" || t.becomes != "" {
		return
	}
	for _, e := range t.journal[:t.from[t.name]] {
		if !e.gone && !slices.ContainsFunc(t.journal[:t.to[t.name]], func(other entry) bool { return other.gone && other.object.ID == e.object.ID }) {
			t.fail("purge-left", "%.6s", e.object.ID)
		}
	}
}

// hadReason holds a refusal to a reason for it.
func (t *trial) hadReason() {
	ok := false
	switch {
	case t.large && strings.Contains(t.err.Error(), "not as the latest version"):
		ok = true
	case t.is(copies) && errors.Is(t.err, secret.ErrNotFound):
		ok = t.original(absent)
	case t.is(copies) && errors.Is(t.err, secret.ErrChanged): // again and again
		ok = len(t.states[t.from[t.name]:t.to[t.name]+1])+len(t.simulation.states(t.other)[t.from[t.other]:t.to[t.other]+1]) > attempts
	case t.kind == "cp-over":
	case t.is(creations):
		ok = t.others(present)
	case t.is(replacing):
		ok = t.others(func(x state) bool { return x.etag != t.want })
	case t.kind == "if-version":
		ok = t.others(func(x state) bool { return x.id != t.want })
	case t.kind == "remove-version":
		ok = true
	case errors.Is(t.err, secret.ErrNotFound):
		ok = t.during(absent)
	case t.kind == "rotate", t.large:
		ok = errors.Is(t.err, secret.ErrChanged)
	}
	if !ok {
		t.fail("refused-without-reason", "%v", t.err)
	}
}

// brief is the beginning of a value.
func brief(value string) string {
	if len(value) > 120 {
		value = value[:120] + "…"
	}
	return value
}
