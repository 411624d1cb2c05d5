package faults_test

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A section is what became of one call under all faults.
type section struct {
	call    call
	columns []column
	usual   map[string]int // how often each operation is asked for when nothing befalls it
	rows    []row
	halfway *verdict // when standard input fails half-way; nil if it is not read
}

// A row has a verdict for each column.
type row struct {
	fault fault
	once  bool
	cells []*verdict
}

// A note is what a cell refers to, so that cells that end alike are alike.
type note struct {
	said, wait, extra, state string
}

// A page is doc/faults.md.
type page struct {
	b     strings.Builder
	notes []note
}

func (p *page) printf(format string, args ...any) { fmt.Fprintf(&p.b, format, args...) }

const intro = `# What happens if

Every request of every program has been made to fail in every way that is listed here, and this
page is what became of it. It is written by ` + "`make faults`" + `; a test holds every cell to the rules below.

In a table, a line is what goes wrong, and a column is the request that it befalls. A cell has the
exit status, and in brackets the number of the outcome: [all outcomes](#outcomes) are below, each
with its message. "Once" means that the fault befalls the first try of the request, and that the
next one is spared; else it befalls every try. "–" means that there is no such cell, with the reason.

What holds for every cell, as the test does:

- Status 0 (of ms-exec: COMMAND starts): it is done, and what was to be printed was printed.
- Where the message says "may have been", or a hint says to look what is stored, either the old value
  is there or the new one, whole. Any other failure changes nothing: the old value is still there,
  and can be read.
- A failure prints nothing on standard output. It leaves no file, no temporary file, no folder and no
  test object; where parts of an upload or an upload without parts may be left, it says so.
- The first message begins with the name of the secret, or of the store. No message has a word of the
  secret, at -v as well.
- It takes no longer than the setting timeout, 30 s, and ten seconds more where parts are removed. A
  request is tried three times; a change that meets other writers is tried for as long as the timeout.

Two programs print what they see and do as they go. In the place of the second and the third rule, and of the fourth
where it asks for a name, they are held to these:

- ` + "`ms-check`" + ` changes nothing, and prints its table whatever fails. The status is 1 if a line of it is "no", else 0. A
  fault that stays is seen: a line is another one than usual, and stands in the list of outcomes as the message.
  It need not be seen where another request has had the answer, where only the words of a remedy depend on it, or
  where the service has answered what was to find out whether it answers. It waits for one thing
  after the other, 10 s for each. What ` + "`-write`" + ` may leave behind is named.
- ` + "`ms-init -n`" + ` changes nothing. What cannot be looked at is "?" in the plan, and its name begins a message.
- ` + "`ms-init`" + ` prints a line for what has been done, and for nothing else. The next run makes the rest: then everything is
  fit, and there is one key. If there is another one, which no alias names, a message has its ARN.

The services are 20 ms away, at an endpoint that is not Amazon's, so that conditions are tested first
("a test of conditions"). Of secrets over 8 MiB, those faults are tried that can end otherwise than with a
small one; the rest is "as with a small secret".

`

// title is what a fault is called in a line.
func (r *row) title() string {
	if r.once {
		return "once: " + r.fault.name
	}
	return r.fault.name
}

// text is a cell.
func (p *page) text(s *section, col column, v *verdict) string {
	if v.skipped != "" {
		return "– " + v.skipped
	}
	n := note{asRequest(v.said, col), v.wait, s.extra(v, col), v.state}
	if v.outcome.status == s.call.status && n.said == "" && n.wait == "" && n.extra == "" && n.state == "done" {
		return fmt.Sprint(v.outcome.status)
	}
	i := slices.Index(p.notes, n)
	if i < 0 {
		i = len(p.notes)
		p.notes = append(p.notes, n)
	}
	return fmt.Sprintf("%d [%d]", v.outcome.status, i+1)
}

// untested begins the messages about a test of conditions.
const untested = "it cannot be found out whether the server honours conditions: "

// asRequest puts the word REQUEST in the place of the operation that a message names, so
// that messages about different ones can be alike.
func asRequest(said string, col column) string {
	if strings.Contains(col.request, "(a test") {
		said = strings.TrimPrefix(said, untested)
	}
	return regexp.MustCompile(`\b`+col.op()+`( with (KEY|ARN))?`).ReplaceAllString(said, "REQUEST")
}

// extra says which requests were made beside the usual ones.
func (s *section) extra(v *verdict, col column) string {
	more := map[string]int{}
	for _, a := range v.outcome.log {
		more[strings.Fields(a.request)[0]]++
	}
	var parts []string
	for op, n := range more {
		if n -= s.usual[op]; n > 0 {
			if op == col.op() {
				op = "REQUEST"
			}
			switch {
			case n > 9:
				op = "many " + op
			case op == "REQUEST":
				op = fmt.Sprintf("%d %s", n, op)
			}
			parts = append(parts, op)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func (p *page) section(s *section) {
	p.printf("### %s\n\n| if |", s.call.title)
	for _, c := range s.columns {
		p.printf(" %s |", c)
	}
	p.printf("\n|%s\n", strings.Repeat("---|", len(s.columns)+1))
	type line struct {
		titles []string
		cells  string
	}
	var lines []*line
	for _, r := range s.rows {
		var cells []string
		for i, v := range r.cells {
			cells = append(cells, p.text(s, s.columns[i], v))
		}
		all := strings.Join(cells, " | ")
		i := slices.IndexFunc(lines, func(l *line) bool { return l.cells == all })
		if i < 0 {
			i = len(lines)
			lines = append(lines, &line{cells: all})
		}
		lines[i].titles = append(lines[i].titles, r.title())
	}
	for _, l := range lines {
		p.printf("| %s | %s |\n", strings.Join(l.titles, "; "), l.cells)
	}
	p.printf("\n")
	if s.halfway != nil {
		p.printf("If standard input fails half-way: %s.\n\n", p.text(s, column{request: "REQUEST"}, s.halfway))
	}
}

func (p *page) outcomes() {
	p.printf(`## Outcomes

REQUEST stands for the request of the column, THING for what a line of ms-init or ms-check is about, KEY for the KMS key and ARN for its ARN, HOST for an address, MESSAGE (CODE) for
what the service says, FILE for a file, "…" for what varies. In a column of a test of conditions the message begins
with "it cannot be found out whether the server honours conditions: ". "Time" is beside
the round trips: seconds are pauses between tries, drawn at random (not shown of secrets over 8 MiB). "More requests" are those that are not
made when nothing goes wrong.

| | first message, after the name | time | more requests | what is stored |
|---|---|---|---|---|
`)
	for i, n := range p.notes {
		said := cmp.Or(n.said, "–")
		if n.said != "" {
			said = "`" + strings.ReplaceAll(said, "|", "\\|") + "`"
		}
		p.printf("| %d | %s | %s | %s | %s |\n", i+1, said, cmp.Or(n.wait, "–"), cmp.Or(n.extra, "–"), n.state)
	}
}
