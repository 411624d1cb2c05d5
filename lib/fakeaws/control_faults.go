package fakeaws

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The verbs of the control language for principals, faults and counts.

func (l *line) doPrincipal() (string, error) {
	p := &principal{
		name:      l.next("NAME"),
		secretKey: l.option("secret", newID()+"01234567"),
		token:     l.option("token", ""),
		account:   l.option("account", DefaultAccount),
		closed:    l.flag("closed"),
	}
	kind := "AKIA"
	if p.token != "" {
		kind = "ASIA"
	}
	p.accessKey = l.option("key", kind+strings.ToUpper(newRequestID()))
	if !l.end() {
		return "", nil
	}
	l.s.access.add(p)
	return fmt.Sprintf("AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\nAWS_SESSION_TOKEN=%s\n", p.accessKey, p.secretKey, p.token), nil
}

// change changes the principal that by=NAME on the line names.
func (l *line) change(name string, f func(*principal)) {
	if l.end() && !l.s.access.change(name, f) {
		l.fail("no principal %q", name)
	}
}

func (l *line) doRule() (string, error) {
	name := l.option("by", defaultName)
	r := rule{deny: l.verb == "deny", action: l.next("ACTION"), resource: l.maybe("*")}
	l.change(name, func(p *principal) { p.rules = append(p.rules, r) })
	return "", nil
}

func (l *line) doPermit() (string, error) {
	l.change(l.option("by", defaultName), func(p *principal) { p.rules = nil })
	return "", nil
}

func (l *line) doExpire() (string, error) {
	l.change(l.next("NAME"), func(p *principal) { p.expired = true })
	return "", nil
}

func (l *line) doClock() (string, error) {
	d := l.duration()
	if !l.end() {
		return "", nil
	}
	l.s.clockMu.Lock()
	defer l.s.clockMu.Unlock()
	l.s.ahead = d
	return "", nil
}

func (l *line) doFault() (string, error) {
	f := &fault{text: strings.Join(l.words, " "), dir: l.dir}
	f.keys = l.option("key", "")
	f.times = l.number("times", l.option("times", "-1"))
	f.skip = l.number("skip", l.option("skip", "0"))
	if name := l.option("by", ""); name != "" && !l.s.access.change(name, func(p *principal) { f.by = p.accessKey }) {
		l.fail("no principal %q", name)
	}
	switch f.kind = l.next("KIND"); f.kind {
	case "delay":
		f.delay = l.duration()
	case "answer":
		f.status, f.code = l.number("STATUS", l.next("STATUS")), l.next("CODE")
		if f.status < 200 || f.status > 599 {
			l.fail("status %d is none", f.status)
		}
	case "cut", "corrupt":
		f.n = int64(l.atLeast(0))
	case "rendezvous", "stall":
		f.n = int64(l.atLeast(1))
	case "pace":
		f.n = int64(l.atLeast(1))
		f.delay = l.duration()
	case "do", "do-after":
		f.line = l.next("LINE")
	case "throttle", "drop", "forget", "wrong-checksum", "ignore-conditions", "hold", "hold-reply":
	default:
		l.fail("unknown kind %q", f.kind)
	}
	f.ops = strings.Split(l.next("OP"), ",")
	for _, op := range f.ops {
		if !knownOperation(op) {
			l.fail("no operation is called %q", op)
		}
	}
	if l.end() {
		l.s.faults.add(f)
	}
	return "", nil
}

// knownOperation reports whether a pattern fits any operation: a fault for a
// misspelt one would never happen.
func knownOperation(pattern string) bool {
	for _, op := range s3Operations {
		if glob(pattern, op.name) {
			return true
		}
	}
	for name := range kmsOperations {
		if glob(pattern, name) {
			return true
		}
	}
	return false
}

func (l *line) doFaults() (string, error) {
	l.s.faults.mu.Lock()
	defer l.s.faults.mu.Unlock()
	var b strings.Builder
	for _, f := range l.s.faults.list {
		fmt.Fprintf(&b, "%s (%d left)\n", f.text, f.times)
	}
	return b.String(), nil
}

func (l *line) doClear() (string, error) {
	if l.end() {
		l.s.faults.clear()
	}
	return "", nil
}

func (l *line) doRelease() (string, error) {
	if l.end() {
		l.s.faults.release()
	}
	return "", nil
}

// awaitTimeout is how long await waits.
const awaitTimeout = 30 * time.Second

func (l *line) doAwait() (string, error) {
	op := l.next("OP")
	n := l.number("N", l.next("N"))
	if !l.end() {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), awaitTimeout)
	defer cancel()
	return "", l.s.faults.await(ctx, op, n)
}

func (l *line) doCounts() (string, error) {
	l.end()
	return joinLines(l.s.traces.lines()), nil
}

func joinLines(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

func (l *line) doCount() (string, error) {
	op := l.next("OP")
	if !knownOperation(op) {
		l.fail("no operation is called %q", op)
	}
	l.end()
	return fmt.Sprintln(l.s.traces.count(op)), nil
}

func (l *line) doDepth() (string, error) {
	l.end()
	return fmt.Sprintln(l.s.traces.depth()), nil
}

func (l *line) doSide() (string, error) {
	l.end()
	return fmt.Sprintln(l.s.traces.most()), nil
}

func (l *line) doConnections() (string, error) {
	l.end()
	return fmt.Sprintln(l.s.traces.connections()), nil
}

func (l *line) doLog() (string, error) {
	l.end()
	return l.s.traces.text(), nil
}

func (l *line) doReset() (string, error) {
	if l.end() {
		l.s.traces.reset()
	}
	return "", nil
}

func (l *line) doWant() (string, error) {
	have := l.s.traces.lines()
	want := slices.Clone(l.words)
	for _, w := range want {
		switch name, _, _ := strings.Cut(w, " "); name {
		case "depth":
			have = append(have, fmt.Sprintf("depth %d", l.s.traces.depth()))
		case "side":
			have = append(have, fmt.Sprintf("side %d", l.s.traces.most()))
		}
	}
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
