package fakeaws

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"microsecrets/lib/fakeaws/iam"
	"microsecrets/lib/fakeaws/internal/control"
)

// The verbs of the control language for principals, faults and counts.

// order is a verb without words that prints nothing.
func order(f func(*Server)) func(*Server, *control.Line) (string, error) {
	return func(s *Server, l *control.Line) (string, error) {
		if l.End() {
			f(s)
		}
		return "", nil
	}
}

// report is a verb without words that prints what f returns of the traces.
func report(f func(*traces) string) func(*Server, *control.Line) (string, error) {
	return func(s *Server, l *control.Line) (string, error) {
		l.End()
		s.traces.mu.Lock()
		defer s.traces.mu.Unlock()
		return f(&s.traces), nil
	}
}

func (s *Server) doPrincipal(l *control.Line) (string, error) {
	p := iam.Principal{
		Name:      l.Next("NAME"),
		AccessKey: l.Option("key", ""),
		SecretKey: l.Option("secret", ""),
		Token:     l.Option("token", ""),
		Account:   l.Option("account", ""),
		Closed:    l.Flag("closed"),
	}
	if !l.End() {
		return "", nil
	}
	return control.JoinLines(s.principals.Add(p).Environ()), nil
}

// change changes the principal of a name, if the line has no more words.
func (s *Server) change(l *control.Line, name string, f func(*iam.Principal)) (string, error) {
	if l.End() && !s.principals.Change(name, f) {
		l.Fail("no principal %q", name)
	}
	return "", nil
}

func (s *Server) doRule(l *control.Line) (string, error) {
	name := l.Option("by", iam.DefaultPrincipal)
	r := iam.Rule{Deny: l.Verb == "deny", Action: l.Next("ACTION"), Resource: l.Maybe("*")}
	return s.change(l, name, func(p *iam.Principal) { p.Rules = append(p.Rules, r) })
}

func (s *Server) doPolicy(l *control.Line) (string, error) {
	name := l.Next("NAME")
	var policies []*iam.Policy
	for _, file := range l.Words {
		data, err := os.ReadFile(l.Path(file))
		if err != nil {
			return "", err
		}
		policy, err := iam.ParsePolicy(data)
		if err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		policies = append(policies, policy)
	}
	l.Words = nil
	return s.change(l, name, func(p *iam.Principal) { p.Policies = policies })
}

func (s *Server) doPermit(l *control.Line) (string, error) {
	return s.change(l, l.Option("by", iam.DefaultPrincipal), func(p *iam.Principal) { p.Rules = nil })
}

func (s *Server) doExpire(l *control.Line) (string, error) {
	return s.change(l, l.Next("NAME"), func(p *iam.Principal) { p.Expired = true })
}

func (s *Server) doClock(l *control.Line) (string, error) {
	d := l.Duration()
	if !l.End() {
		return "", nil
	}
	s.clockMu.Lock()
	defer s.clockMu.Unlock()
	s.ahead = d
	return "", nil
}

func (s *Server) doFault(l *control.Line) (string, error) {
	f := &fault{text: strings.Join(l.Words, " "), dir: l.Dir}
	f.keys = l.Option("key", "")
	f.times = l.Number("times", l.Option("times", "-1"))
	f.skip = l.Number("skip", l.Option("skip", "0"))
	if name := l.Option("by", ""); name != "" && !s.principals.Change(name, func(p *iam.Principal) { f.by = p.AccessKey }) {
		l.Fail("no principal %q", name)
	}
	switch f.kind = l.Next("KIND"); f.kind {
	case "delay":
		f.delay = l.Duration()
	case "respond", "replace":
		f.rewrite = parseRewrite(l)
	case "answer", "answer-after":
		f.status, f.code = l.Number("STATUS", l.Next("STATUS")), l.Next("CODE")
		if f.status < 200 || f.status > 599 {
			l.Fail("status %d is not one of 200 to 599", f.status)
		}
	case "cut", "corrupt":
		f.n = int64(l.AtLeast(0))
	case "rendezvous", "stall":
		f.n = int64(l.AtLeast(1))
	case "pace":
		f.n = int64(l.AtLeast(1))
		f.delay = l.Duration()
	case "do", "do-midway", "do-after":
		f.line = l.Next("LINE")
	case "throttle", "drop", "detach", "forget", "wrong-checksum", "ignore-conditions", "hold", "hold-midway", "hold-reply":
	default:
		l.Fail("unknown kind %q", f.kind)
	}
	f.ops = strings.Split(l.Next("OP"), ",")
	for _, op := range f.ops {
		if !knownOperation(op) {
			l.Fail("no operation is called %q", op)
		}
	}
	if l.End() {
		s.faults.add(f)
	}
	return "", nil
}

// knownOperation reports whether a pattern fits any operation: a fault for a
// misspelt one would never happen.
func knownOperation(pattern string) bool {
	return slices.ContainsFunc(operations(), func(op string) bool { return iam.Match(pattern, op) })
}

func (s *Server) doFaults(l *control.Line) (string, error) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	var b strings.Builder
	for _, f := range s.faults.list {
		fmt.Fprintf(&b, "%s (%d left)\n", f.text, f.times)
	}
	return b.String(), nil
}

// awaitTimeout is how long await and idle wait.
const awaitTimeout = 30 * time.Second

func (s *Server) doAwait(l *control.Line) (string, error) {
	op := l.Next("OP")
	n := l.Number("N", l.Next("N"))
	if !l.End() {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), awaitTimeout)
	defer cancel()
	return "", s.faults.await(ctx, op, n)
}

func (s *Server) doIdle(l *control.Line) (string, error) {
	s.traces.mu.Lock()
	idle := s.traces.idle
	s.traces.mu.Unlock()
	if !l.End() || idle == nil {
		return "", nil
	}
	select {
	case <-idle:
		return "", nil
	case <-time.After(awaitTimeout):
		return "", errors.New("requests are still under way")
	}
}

func (s *Server) doCount(l *control.Line) (string, error) {
	op := l.Next("OP")
	if !knownOperation(op) {
		l.Fail("no operation is called %q", op)
	}
	l.End()
	s.traces.mu.Lock()
	defer s.traces.mu.Unlock()
	n := 0
	for counted, times := range s.traces.counts {
		if iam.Match(op, counted) {
			n += times
		}
	}
	return fmt.Sprintln(n), nil
}

func (s *Server) doWant(l *control.Line) (string, error) {
	want := slices.Clone(l.Words)
	s.traces.mu.Lock()
	have := s.traces.lines()
	for _, w := range want {
		switch name, _, _ := strings.Cut(w, " "); name {
		case "depth":
			have = append(have, fmt.Sprintf("depth %d", s.traces.deepest))
		case "side":
			have = append(have, fmt.Sprintf("side %d", s.traces.mostSide))
		}
	}
	s.traces.mu.Unlock()
	slices.Sort(want)
	slices.Sort(have)
	if slices.Equal(want, have) {
		return "", nil
	}
	var diff strings.Builder
	for _, w := range want {
		if !slices.Contains(have, w) {
			diff.WriteString("\n-" + w)
		}
	}
	for _, h := range have {
		if !slices.Contains(want, h) {
			diff.WriteString("\n+" + h)
		}
	}
	return "", fmt.Errorf("the counts differ (- wanted, + counted)%s", diff.String())
}
