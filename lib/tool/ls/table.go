package ls

import (
	"bufio"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"microsecrets/lib/tool"
)

// A format is how sizes and times look.
type format interface {
	size(n int64) string
	time(t time.Time) string
}

// plain is the format for programs.
type plain struct{}

func (plain) size(n int64) string     { return fmt.Sprint(n) }
func (plain) time(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// human is the format for people.
type human struct{}

func (human) size(n int64) string     { return tool.Size(n) }
func (human) time(t time.Time) string { return t.Local().Format(time.DateTime) }

// alignedAtOnce is how many rows are aligned with each other on a terminal.
const alignedAtOnce = 256

// widest is how many characters a column takes at most on a terminal, but for the
// cells that are longer.
const widest = 64

// A column is as wide as what was printed in it, or as its least width.
type column struct {
	width int // in characters
	left  bool
}

// A table is standard output: text, or rows of columns and a name. On a terminal rows
// are kept until there are alignedAtOnce, and are aligned with each other.
type table struct {
	out     *bufio.Writer
	format  format
	columns []column
	adapts  bool
	rows    [][]string
}

func newTable(w io.Writer, o *options) *table {
	t := &table{out: bufio.NewWriterSize(w, 64<<10), format: plain{}}
	if o.long {
		t.columns = append(t.columns, column{width: 12}, column{width: 20}, column{width: 32})
	}
	if o.versions {
		t.columns = append(t.columns, column{width: 32}, column{width: 7, left: true})
	}
	if o.long && o.versions {
		t.columns = append(t.columns, column{left: true})
	}
	if o.long && !o.json && tool.IsTerminal(w) {
		t.format, t.adapts = human{}, true
		for i := range t.columns {
			t.columns[i].width = 0
		}
	}
	return t
}

func (t *table) text(s string) error {
	_, err := t.out.WriteString(s)
	return err
}

// row prints what is in the columns, and a name.
func (t *table) row(cells []string) error {
	if !t.adapts {
		return t.write(cells)
	}
	t.rows = append(t.rows, cells)
	if len(t.rows) < alignedAtOnce {
		return nil
	}
	return t.flush()
}

func (t *table) write(cells []string) error {
	for i, c := range t.columns {
		width := c.width
		if c.left {
			width = -width
		}
		fmt.Fprintf(t.out, "%*s  ", width, cells[i])
	}
	return t.text(cells[len(cells)-1] + "\n")
}

// flush prints what is kept.
func (t *table) flush() error {
	for _, cells := range t.rows {
		for i := range t.columns {
			t.columns[i].width = max(t.columns[i].width, min(utf8.RuneCountInString(cells[i]), widest))
		}
	}
	for _, cells := range t.rows {
		if err := t.write(cells); err != nil {
			return err
		}
	}
	t.rows = t.rows[:0]
	return t.out.Flush()
}
