package diff

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"
)

// The signs of changes, as lines begin with them.
const (
	added   = "+"
	removed = "-"
	changed = "~"
)

// words are the signs in JSON.
var words = map[string]string{added: "added", removed: "removed", changed: "changed"}

// A change is something that differs.
type change struct {
	sign        string
	name, other string // of the first secret and of the second; one is empty if it is not there
	variable    string // empty: the whole secret
}

// A printer prints changes, those of several pairs in the order of these.
type printer struct {
	w           io.Writer
	json, quiet bool
	named       bool // each line says of which secret it is

	mu      sync.Mutex
	any     bool
	err     error
	next    int              // the pair whose turn it is
	waiting map[int][]change // of later ones
}

// printAt prints the changes of the pair at i when those of all before it are printed.
func (p *printer) printAt(i int, changes []change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == nil {
		p.waiting = map[int][]change{}
	}
	p.waiting[i] = changes
	for {
		changes, ok := p.waiting[p.next]
		if !ok {
			return
		}
		delete(p.waiting, p.next)
		p.next++
		if p.err == nil {
			p.err = p.print(changes)
		}
	}
}

// broken reports whether nothing more can be printed.
func (p *printer) broken() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err != nil
}

// print prints the changes of one pair.
func (p *printer) print(changes []change) error {
	p.any = p.any || len(changes) > 0
	if p.quiet || len(changes) == 0 {
		return nil
	}
	var b bytes.Buffer
	for _, c := range changes {
		if p.json {
			if err := c.encode(&b); err != nil {
				return err
			}
			continue
		}
		b.WriteString(c.sign + " " + c.text(p.named) + "\n")
	}
	_, err := p.w.Write(b.Bytes())
	return err
}

// text is the change in a line, after its sign. The secret that it names is the one in
// which a line with "+" or "-" can be found: no name has a tab.
func (c change) text(named bool) string {
	name := c.name
	if c.sign == added {
		name = c.other
	}
	switch {
	case c.variable == "":
		return name
	case named:
		return name + "\t" + c.variable
	}
	return c.variable
}

func (c change) encode(b *bytes.Buffer) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		Change   string `json:"change"`
		Name     string `json:"name,omitempty"`
		Other    string `json:"other,omitempty"`
		Variable string `json:"variable,omitempty"`
	}{words[c.sign], c.name, c.other, c.variable})
}
