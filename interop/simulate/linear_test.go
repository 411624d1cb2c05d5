package simulate

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"microsecrets/lib/secret"
)

// linear has porcupine look for an order in which one store, that does one operation
// at a time, would have answered as the clients were answered. It knows of the journal
// only whether an operation of unknown outcome was made, and under which ETag.
func (s *simulation) linear() {
	if s.lapses || s.purges || s.large {
		return // removals for good, and overtaken uploads, are several steps
	}
	type version struct{ etag, id string }
	made := map[string]version{}
	for _, journal := range s.journal {
		for _, e := range journal {
			if e.put {
				made[e.id] = version{e.object.ETag, e.object.ID}
			} else {
				made[e.id] = version{}
			}
		}
	}
	model := porcupine.Model{
		Init: func() any { return state{} },
		Hash: func(x any) uint64 { return hash(x.(state).etag, x.(state).id) },
		Step: func(before, input, _ any) (bool, any) {
			x, r := before.(state), input.(*record)
			is := x.present && x.etag == r.want
			gone := errors.Is(r.err, secret.ErrNotFound)
			change := func(holds bool, next state) (bool, any) {
				if r.outcome == refused {
					return !holds, x
				}
				return holds, next
			}
			stored := state{true, made[r.id].etag, made[r.id].id}
			if r.receipt != nil {
				stored.etag = r.receipt.ETag
			}
			merged := func() bool { return s.plaintexts[stored.etag] == r.change(s.plaintexts[x.etag]) }
			switch r.kind {
			case "put":
				return true, stored
			case "put-changed":
				if r.receipt != nil && r.receipt.Outcome == secret.Unchanged {
					return x.present && x.etag == r.receipt.ETag, x
				}
				return true, stored
			case "cp", "cp-over":
				switch {
				case r.receipt != nil && r.receipt.Outcome == secret.Unchanged:
					return x.present && x.etag == r.receipt.ETag, x
				case errors.Is(r.err, secret.ErrExists):
					return x.present, x
				case r.outcome == refused: // by what is copied
					return true, x
				}
				return r.kind == "cp-over" || !x.present, stored
			case "create":
				return change(!x.present, stored)
			case "if":
				return change(is, stored)
			case "if-version":
				return change(x.present && x.id == r.want, stored)
			case "add", "drop":
				return r.outcome != refused && merged(), stored
			case "add-if":
				if r.outcome != refused && !merged() {
					return false, x
				}
				return change(is, stored)
			case "add-create":
				if r.outcome != refused && !merged() {
					return false, x
				}
				return change(!x.present, stored)
			case "rotate":
				switch {
				case gone:
					return !x.present, x
				case r.outcome == refused:
					return true, x
				case r.current:
					return x.present, x
				}
				return x.present && s.plaintexts[stored.etag] == s.plaintexts[x.etag], stored
			case "remove":
				if gone {
					return !x.present, x
				}
				return true, state{}
			case "remove-if":
				if r.outcome == done && !x.present { // taken for made
					return true, x
				}
				return change(is, state{})
			case "get", "reader", "stat":
				switch {
				case gone:
					return !x.present, x
				case r.kind == "get":
					return x.present && s.plaintexts[x.etag] == r.value, x
				case r.kind == "stat":
					return x.present && x.etag == r.etag, x
				}
				return x.present && x.etag == r.etag && s.plaintexts[x.etag] == r.value, x
			}
			panic(r.kind)
		},
	}
	for name := range s.journal {
		if s.excused[name] {
			continue
		}
		var history []porcupine.Operation
		for _, r := range s.records {
			_, changed := made[r.id]
			undecided := r.outcome == unknown || r.outcome == failed
			if r.name != name || r.kind == "list" || r.kind == "versions" || undecided && !changed || r.is(readers) && undecided ||
				r.is(readers) && r.outcome == refused && !errors.Is(r.err, secret.ErrNotFound) {
				continue
			}
			end := r.ret
			if undecided {
				end = 1 << 40
			}
			history = append(history, porcupine.Operation{ClientId: r.client, Input: r, Call: r.call, Return: end})
		}
		switch porcupine.CheckOperationsTimeout(model, history, 5*time.Second) {
		case porcupine.Illegal:
			s.violate("not-linear", "%s: no order of its operations explains what their clients saw", name)
		case porcupine.Unknown:
			s.log = append(s.log, "porcupine gave up on "+name)
		}
	}
}

// labels are the promises that were broken.
func (s *simulation) labels() []string {
	var labels []string
	for _, v := range s.violations {
		labels = append(labels, v.label)
	}
	slices.Sort(labels)
	return slices.Compact(labels)
}

// story is what happened, and what is wrong with it.
func (s *simulation) story() string {
	var b strings.Builder
	b.WriteString(s.scenario.String() + "\n")
	for _, line := range s.log {
		b.WriteString(line + "\n")
	}
	for _, v := range s.violations {
		b.WriteString("BROKEN " + v.label + ": " + v.text + "\n")
	}
	return b.String()
}
