package fakeaws

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"microsecrets/lib/fakeaws/iam"
	"microsecrets/lib/fakeaws/internal/control"
)

// The verbs of the control language for principals, faults and counts.

// verbs are the Server's. It is a function since faults run lines as well.
func verbs() map[string]func(*Server, *control.Line) {
	return map[string]func(*Server, *control.Line){
		"help": func(_ *Server, l *control.Line) { l.Printf("%s", Help) },

		"principal": (*Server).doPrincipal, "deny": (*Server).doRule, "allow": (*Server).doRule, "permit": (*Server).doPermit,
		"policy": (*Server).doPolicy, "expire": (*Server).doExpire, "clock": (*Server).doClock, "distance": (*Server).doDistance,

		"fault": (*Server).doFault, "await": (*Server).doAwait, "idle": (*Server).doIdle,
		"clear":   order(func(s *Server) { s.faults.clear() }),
		"release": order(func(s *Server) { s.faults.release() }),

		"counts":      report(func(t *traces) string { return strings.Join(append(t.lines(), ""), "\n") }),
		"depth":       report(func(t *traces) string { return fmt.Sprintln(t.deepest) }),
		"trips":       report(func(t *traces) string { return fmt.Sprintln(t.farthest) }),
		"side":        report(func(t *traces) string { return fmt.Sprintln(t.mostSide) }),
		"connections": report(func(t *traces) string { return fmt.Sprintln(t.accepted) }),
		"log":         report((*traces).text),
		"reset":       order(func(s *Server) { s.traces.reset() }),
		"count":       (*Server).doCount, "want": (*Server).doWant,
	}
}

// order is a verb without words that prints nothing.
func order(f func(*Server)) func(*Server, *control.Line) {
	return func(s *Server, l *control.Line) {
		l.End()
		f(s)
	}
}

// report is a verb without words that prints what f returns of the traces.
func report(f func(*traces) string) func(*Server, *control.Line) {
	return func(s *Server, l *control.Line) {
		l.End()
		s.traces.mu.Lock()
		defer s.traces.mu.Unlock()
		l.Printf("%s", f(&s.traces))
	}
}

func (s *Server) doPrincipal(l *control.Line) {
	p := iam.Principal{
		Name:      l.Next("NAME"),
		AccessKey: l.Option("key", ""),
		SecretKey: l.Option("secret", ""),
		Token:     l.Option("token", ""),
		Account:   l.Option("account", ""),
		Closed:    l.Flag("closed"),
	}
	l.End()
	for _, variable := range s.principals.Add(p).Environ() {
		l.Printf("%s\n", variable)
	}
}

// change changes the principal of a name, if the line has no more words.
func (s *Server) change(l *control.Line, name string, f func(*iam.Principal)) {
	l.End()
	if !s.principals.Change(name, f) {
		l.Fail("no principal %q", name)
	}
}

func (s *Server) doRule(l *control.Line) {
	name := l.Option("by", iam.DefaultPrincipal)
	r := iam.Rule{Deny: l.Verb == "deny", Action: l.Next("ACTION"), Resource: l.Maybe("*")}
	s.change(l, name, func(p *iam.Principal) { p.Rules = append(p.Rules, r) })
}

func (s *Server) doPolicy(l *control.Line) {
	name := l.Next("NAME")
	var policies []*iam.Policy
	for len(l.Words) > 0 {
		file := l.Next("FILE")
		policy, err := iam.ParsePolicy(l.ReadFile(file))
		if err != nil {
			l.Fail("%s: %w", file, err)
		}
		policies = append(policies, policy)
	}
	s.change(l, name, func(p *iam.Principal) { p.Policies = policies })
}

func (s *Server) doPermit(l *control.Line) {
	s.change(l, l.Option("by", iam.DefaultPrincipal), func(p *iam.Principal) { p.Rules = nil })
}

func (s *Server) doExpire(l *control.Line) {
	s.change(l, l.Next("NAME"), func(p *iam.Principal) { p.Expired = true })
}

func (s *Server) doClock(l *control.Line) {
	d := l.Duration()
	l.End()
	s.clockMu.Lock()
	defer s.clockMu.Unlock()
	s.ahead = d
}

func (s *Server) doDistance(l *control.Line) {
	d := l.Duration()
	l.End()
	s.distance.roundTrip.Store(int64(d))
}

// operation takes an operation's name, or a pattern, off the line. It must fit
// one that there is: a fault for a misspelt one would never happen.
func operation(l *control.Line, pattern string) string {
	if !slices.ContainsFunc(operations(), func(op string) bool { return iam.Match(pattern, op) }) {
		l.Fail("no operation is called %q", pattern)
	}
	return pattern
}

// awaitTimeout is how long await and idle wait.
const awaitTimeout = 30 * time.Second

func (s *Server) doAwait(l *control.Line) {
	op := l.Next("OP")
	n := l.Number("N", l.Next("N"))
	l.End()
	ctx, cancel := context.WithTimeout(context.Background(), awaitTimeout)
	defer cancel()
	if op == "connections" {
		l.Check(s.traces.awaitOpen(ctx, n))
		return
	}
	l.Check(s.faults.await(ctx, op, n))
}

func (s *Server) doIdle(l *control.Line) {
	l.End()
	s.traces.mu.Lock()
	idle := s.traces.idle
	s.traces.mu.Unlock()
	if idle == nil {
		return
	}
	select {
	case <-idle:
	case <-time.After(awaitTimeout):
		l.Fail("requests are still under way")
	}
}

func (s *Server) doCount(l *control.Line) {
	op := operation(l, l.Next("OP"))
	l.End()
	s.traces.mu.Lock()
	defer s.traces.mu.Unlock()
	n := 0
	for counted, times := range s.traces.counts {
		if iam.Match(op, counted) {
			n += times
		}
	}
	l.Printf("%d\n", n)
}

func (s *Server) doWant(l *control.Line) {
	s.traces.mu.Lock()
	have := s.traces.lines()
	for _, w := range l.Words {
		switch name, _, _ := strings.Cut(w, " "); name {
		case "depth":
			have = append(have, fmt.Sprintf("depth %d", s.traces.deepest))
		case "side":
			have = append(have, fmt.Sprintf("side %d", s.traces.mostSide))
		}
	}
	s.traces.mu.Unlock()
	diff := append(without("\n-", l.Words, have), without("\n+", have, l.Words)...)
	if len(diff) > 0 {
		l.Fail("the counts differ (- wanted, + counted)%s", strings.Join(diff, ""))
	}
}

// without returns those lines that others do not have, sorted, after a sign.
func without(sign string, lines, others []string) (rest []string) {
	for _, line := range slices.Sorted(slices.Values(lines)) {
		if !slices.Contains(others, line) {
			rest = append(rest, sign+line)
		}
	}
	return rest
}
