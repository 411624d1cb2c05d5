package simulate

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakes3"
)

// patience is Options.Timeout of the clients.
const patience = 5 * time.Second

// header says which operation a request belongs to.
const header = "X-Simulated"

// writes are the operations of S3 by which a change lands.
var writes = []string{"PutObject", "DeleteObject", "CompleteMultipartUpload"}

// plan decides what befalls a request, by the seed, its operation and how many there
// were before it: not by what else happens at the time.
func (s *simulation) plan(r fakeaws.Request) fakeaws.Plan {
	id := r.Header.Get(header)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if s.quiet {
		return fakeaws.Plan{}
	}
	tag := id + "/" + r.Op
	if part := r.URL.Query().Get("partNumber"); part != "" {
		tag += part
	}
	s.counts[tag]++
	tag = fmt.Sprintf("%s#%d", tag, s.counts[tag])
	dice := rand.New(rand.NewPCG(s.seed, hash(tag)))
	key, write := "", slices.Contains(writes, r.Op)
	if len(r.Names) > 0 {
		key = r.Names[0]
	}
	p := s.befall(dice, r, key, write)
	s.delays(dice, &p, write)
	if span := r.Header.Get("Range"); s.large && span != "" && !strings.HasPrefix(span, "bytes=0-") {
		p.before += time.Duration(dice.IntN(2000)) * time.Millisecond // so that others write before the rest is read
	}
	if s.leaves(tag) {
		p.kind = ""
	}
	if p.kind != "" {
		s.faults = append(s.faults, tag)
	}
	conditional := r.Header.Get("If-Match")+r.Header.Get("If-None-Match") != "" || r.URL.Query().Has("versionId")
	s.sent[r.Request] = request{tag, p.kind == "detach", s.doubts[id] && !conditional}
	if write && !strings.Contains(key, "ms-probe-") && p.leavesDoubt() {
		s.doubts[id] = true
	}
	s.logf("%-28s %-12s %s %s%s", tag, strings.TrimPrefix(key, "service/"), p, r.Header.Get("If-Match"), r.Header.Get("If-None-Match"))
	plan := fakeaws.Plan{Faults: p.lines(s.persists, s.lapses)}
	if write {
		s.underWay[key]++
	}
	plan.Done = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if write {
			s.underWay[key]--
		}
		if r.Op == "ListObjectVersions" {
			s.listed[id] = len(s.journal[r.Names[1]])
		}
	}
	return plan
}

// A request is what is remembered of one.
type request struct {
	tag      string
	detached bool // its client is cut off before it is acted on
	blind    bool // it has no condition, and comes after another that may have been acted on
}

// A fate is what befalls a request.
type fate struct {
	kind                  string // of a fault; "" if it is only delayed
	before, midway, after time.Duration
}

func (f fate) String() string {
	text := fmt.Sprintf("%v+%v+%v", f.before.Round(time.Millisecond), f.midway.Round(time.Millisecond), f.after.Round(time.Millisecond))
	if f.kind != "" {
		text += " " + f.kind
	}
	return text
}

// leavesDoubt reports whether the client cannot know if a request is acted on.
func (f fate) leavesDoubt() bool {
	return f.kind != "" && f.kind != "throttle" && f.kind != "late" && (!strings.HasPrefix(f.kind, "answer ") || f.kind == "answer 500 InternalError")
}

// lines are the fate in the emulator's control language.
func (f fate) lines(persists, lapses bool) []string {
	var lines []string
	if lapses {
		lines = append(lines, "ignore-conditions")
	}
	if f.kind == "detach" {
		lines = append(lines, "detach")
	} else if persists {
		lines = append(lines, "persist")
	}
	lines = append(lines, fmt.Sprint("delay ", f.before))
	if f.midway > 0 {
		lines = append(lines, fmt.Sprint("delay-midway ", f.midway))
	}
	lines = append(lines, fmt.Sprint("delay-reply ", f.after))
	if f.kind != "" && f.kind != "detach" && !slices.Contains([]string{"stalls", "mute", "late"}, f.kind) {
		lines = append(lines, f.kind)
	}
	return lines
}

// befall chooses a fault.
func (s *simulation) befall(dice *rand.Rand, r fakeaws.Request, key string, write bool) fate {
	faulty, kind, meets, cut := dice.Float64() < s.faulty, dice.IntN(100), dice.IntN(100), dice.IntN(300)
	if s.large {
		cut = dice.IntN(8 << 20)
	}
	if s.profile == "focus" {
		meets /= 2
		if write && kind >= 55 {
			kind = 40 // what leaves a doubt, and others the time to come in between
		}
	}
	changes := r.Method != http.MethodGet && r.Method != http.MethodHead
	conditional := r.Header.Get("If-Match") != "" || r.Header.Get("If-None-Match") != ""
	ms := func(n int) time.Duration { return time.Duration(dice.IntN(1000*n)) * time.Microsecond }
	switch {
	case s.staged && write && strings.HasPrefix(r.Header.Get(header), "c0.") && !strings.Contains(key, "ms-probe-"):
		s.staging++
		switch {
		case s.repeats && s.staging == 2:
			return fate{kind: "late", before: ms(3000)}
		case !s.repeats && s.staging == 1:
			return [...]fate{
				{kind: "mute", after: patience + ms(3000)}, {kind: "mute", after: patience + ms(3000)}, {kind: "stalls", before: patience + ms(6000)},
				{kind: "drop", before: ms(2000)}, {kind: "answer-after 500 InternalError", after: ms(4000)}, {kind: "forget", after: ms(4000)},
			}[kind%6]
		}
	case s.large && r.Op == "GetObject" && meets < 15:
		return fate{kind: fmt.Sprint("cut ", cut)}
	case s.busy && write && conditional && s.underWay[key] > 0 && meets < 35:
		return fate{kind: "answer 409 ConditionalRequestConflict"}
	case !faulty:
	case kind < 18 && changes:
		return fate{kind: "forget"}
	case kind < 26 && changes:
		return fate{kind: "answer-after 500 InternalError"}
	case kind < 31 && write && s.persists:
		return fate{kind: "detach", before: ms(4000)}
	case kind < 37 && changes:
		return fate{kind: "stalls", before: patience + ms(6000)} // and acts if requests persist
	case kind < 42:
		return fate{kind: "mute", after: patience + ms(3000)}
	case kind < 54:
		return fate{kind: "drop"}
	case kind < 64:
		return fate{kind: "throttle"}
	case kind < 74:
		return fate{kind: "answer 500 InternalError"}
	case kind < 80:
		return fate{kind: "answer 503 ServiceUnavailable"}
	case kind < 90 && write && conditional:
		return fate{kind: "answer 409 ConditionalRequestConflict"}
	case kind < 96 && r.Method == http.MethodGet:
		return fate{kind: fmt.Sprint("cut ", cut)}
	default:
		return fate{kind: "drop"}
	}
	return fate{}
}

// delays adds what any request may take.
func (s *simulation) delays(dice *rand.Rand, f *fate, write bool) {
	some := func() time.Duration {
		d := time.Duration(dice.IntN(30_000)) * time.Microsecond
		if dice.IntN(8) == 0 {
			d += time.Duration(dice.IntN(600_000)) * time.Microsecond
		}
		return d
	}
	f.before += some()
	f.after += some()
	if write && dice.IntN(3) == 0 {
		f.midway = time.Duration(dice.IntN(80_000)) * time.Microsecond
	}
}

// An entry is a change that landed.
type entry struct {
	id     string // of the operation
	tag    string // of the request
	put    bool   // a version was stored; else a deletion, or one went for good
	gone   bool   // for good
	blind  bool   // it was repeated without a condition
	stray  bool   // its client had gone, and it was to hold whatever there is, or if there is nothing
	object fakes3.Version
	latest fakes3.Version // then
}

// landed is told each change under the lock of the emulator's store.
func (s *simulation) landed(l fakes3.Landing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || strings.Contains(l.Key, "ms-probe-") {
		return
	}
	e := entry{id: "nobody", put: !l.Gone && !l.Version.Deleted, gone: l.Gone, object: l.Version, latest: l.Latest}
	if l.By != nil {
		by := s.sent[l.By]
		e.id, e.tag, e.blind = l.By.Header.Get(header), by.tag, by.blind
		e.stray = (l.By.Context().Err() != nil || by.detached) && l.By.Header.Get("If-Match") == ""
	}
	s.journal[l.Key] = append(s.journal[l.Key], e)
	what := "stored"
	if e.gone {
		what = "gone"
	} else if !e.put {
		what = "removed"
	}
	s.logf("%-28s %-12s >>> %s %.8s %.6s, now %s", e.tag, strings.TrimPrefix(l.Key, "service/"), what, l.Version.ETag, l.Version.ID, state{}.after(e))
}
