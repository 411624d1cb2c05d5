package tool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"microsecrets/lib/secret"
)

const (
	// progressAfter is how long a program works before it shows on what.
	progressAfter = time.Second

	// progressEvery is how often it does so.
	progressEvery = 250 * time.Millisecond

	// retryShown is how long a retry is shown when it is under way.
	retryShown = time.Second

	// rateFrom is how many bytes make a rate worth telling.
	rateFrom = 1e6
)

// A Progress shows on the terminal what a program is doing, once it has taken a
// second: how many secrets are done, how many bytes have moved, what is tried
// again, how often and when. It is a line at the end of standard error, which
// goes when something else is written there and when the Progress ends. Methods of a
// nil Progress do nothing.
type Progress struct {
	t        *Tool
	total    int      // secrets; 0: they are not counted
	outcomes []string // in the order in which they are summed up
	began    time.Time
	stop     chan struct{}
	stopped  chan struct{}

	mu   sync.Mutex
	done map[string]int // secrets, by outcome
	size int64          // bytes to be moved; 0: unknown
}

// Progress begins one, for work on so many secrets; 0 means that they are not counted.
// Outcomes are what may become of a secret, as Done is given it, in the order in which
// they are summed up when the program ends; without any there is no summary. The
// Progress is nil, and there is no summary either, unless standard error is a terminal
// and standard output is not a pipe, and at -v, where each request has its line.
func (t *Tool) Progress(total int, outcomes ...string) *Progress {
	if !t.terminal || t.verbose || isPipe(t.Stdout) {
		return nil
	}
	p := &Progress{
		t:        t,
		total:    total,
		outcomes: outcomes,
		began:    time.Now(),
		stop:     make(chan struct{}),
		stopped:  make(chan struct{}),
		done:     map[string]int{},
	}
	t.progress = p
	go p.show()
	return p
}

func isPipe(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0
}

// Size says how many bytes are to be moved in all.
func (p *Progress) Size(n int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size = n
}

// Done says that one more secret is done. An outcome that was not announced is not
// summed up.
func (p *Progress) Done(outcome string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done[outcome]++
}

// End takes the line away. It may be called again.
func (p *Progress) End() {
	if p == nil {
		return
	}
	p.mu.Lock()
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	p.mu.Unlock()
	<-p.stopped
}

func (p *Progress) show() {
	defer close(p.stopped)
	timer := time.NewTimer(progressAfter)
	defer timer.Stop()
	for {
		select {
		case <-p.stop:
			p.t.screen.show("")
			return
		case <-timer.C:
			p.t.screen.show(p.t.Name + ": " + p.text(time.Now()))
			timer.Reset(progressEvery)
		}
	}
}

// text is the line, after the program's name. It names no secret: a name may be longer
// than a terminal is wide.
func (p *Progress) text(now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var parts []string
	if p.total > 1 {
		parts = append(parts, fmt.Sprintf("%d of %d", p.finished(), p.total))
	}
	elapsed := now.Sub(p.began)
	if n := p.t.moved.Load(); n > 0 {
		text := Size(n)
		if p.size > 0 {
			text = fmt.Sprintf("%s of %s", Size(min(n, p.size)), Size(p.size))
		}
		parts = append(parts, text)
		if n >= rateFrom {
			parts = append(parts, Size(int64(float64(n)/elapsed.Seconds()))+"/s")
		}
	}
	if r := p.t.retry.Load(); r != nil && now.Before(r.at.Add(retryShown)) {
		text := fmt.Sprintf("%s: %s, try %d of %d", r.Service, r.Why, r.Attempt+1, r.Attempts)
		if left := r.at.Sub(now); left > 0 {
			text += fmt.Sprintf(" in %.1f s", left.Seconds())
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return fmt.Sprintf("waiting, %.0f s", elapsed.Seconds())
	}
	return strings.Join(parts, ", ")
}

func (p *Progress) finished() (n int) {
	for _, count := range p.done {
		n += count
	}
	return n
}

// sumUp prints what became of many secrets, as "200 rotated, 3 current, 1 failed",
// after End.
func (p *Progress) sumUp(ctx context.Context, err error) {
	if p == nil || p.total < 2 || len(p.outcomes) == 0 {
		return
	}
	var parts []string
	for _, outcome := range p.outcomes {
		if n := p.done[outcome]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	failed := 0
	var all Failures
	if errors.As(err, &all) {
		for _, each := range all {
			if ctx.Err() == nil || !errors.Is(each, context.Cause(ctx)) {
				failed++
			}
		}
	}
	if failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", failed))
	}
	if left := p.total - p.finished() - failed; left > 0 {
		parts = append(parts, fmt.Sprintf("%d not done", left))
	}
	if len(parts) > 0 {
		p.t.Notef("%s", strings.Join(parts, ", "))
	}
}

// A retry is one that a Progress shows.
type retry struct {
	secret.Retry
	at time.Time // when it is made
}

// watch has requests counted for a Progress.
func (t *Tool) watch(o *secret.Options) {
	if !t.terminal || t.verbose {
		return
	}
	o.Moved = func(n int) { t.moved.Add(int64(n)) }
	o.Retrying = func(r secret.Retry) { t.retry.Store(&retry{r, time.Now().Add(r.Delay)}) }
}

// Size is a number of bytes as people read it: "999 B", "1.2 kB", "345 MB".
func Size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), 0
	const units = "kMGTPE"
	for value /= 1000; value >= 999.5 && unit < len(units)-1; unit++ {
		value /= 1000
	}
	format := "%.1f %cB"
	if value >= 99.95 {
		format = "%.0f %cB"
	}
	return fmt.Sprintf(format, value, units[unit])
}

// A screen is standard error, on which several goroutines write whole lines, and a
// line for the time being at their end.
type screen struct {
	mu    sync.Mutex
	w     io.Writer
	width func() int // of the terminal, in columns; 0: unknown
	shown int        // the length of the line at the end, in characters
	held  int        // while above 0 there is none
	begun bool       // what was written ends within a line, and there is none either
}

func newScreen(stderr io.Writer) *screen {
	s := &screen{w: stderr}
	if f, ok := stderr.(*os.File); ok {
		s.width = func() int {
			width, _, _ := term.GetSize(int(f.Fd()))
			return width
		}
	}
	return s
}

func (s *screen) Write(p []byte) (int, error) { return s.write(s.w, p) }

// write writes to this terminal, by whatever stream.
func (s *screen) write(w io.Writer, p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	n, err := w.Write(p)
	if n > 0 {
		s.begun = p[n-1] != '\n'
	}
	return n, err
}

// erase takes the line away; the caller has the lock. It goes without escape
// sequences, which not every terminal knows.
func (s *screen) erase() {
	if s.shown > 0 {
		fmt.Fprintf(s.w, "\r%*s\r", s.shown, "")
		s.shown = 0
	}
}

// show puts a line at the end, in place of the one that is there, as far as the terminal
// is wide.
func (s *screen) show(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	if s.held > 0 || s.begun || line == "" {
		return
	}
	width := 80
	if s.width != nil {
		if known := s.width(); known > 0 {
			width = known
		}
	}
	characters := []rune(line) // a host's name may have any
	characters = characters[:min(len(characters), width-1)]
	io.WriteString(s.w, string(characters))
	s.shown = len(characters)
}

// hold keeps the line away until the function that it returns is called: somebody is
// asked something.
func (s *screen) hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	s.held++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held--
	}
}

// A shared stream goes to the terminal that standard error goes to.
type shared struct {
	io.Writer
	screen *screen
}

func (s *shared) Write(p []byte) (int, error) { return s.screen.write(s.Writer, p) }
