package edit

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"microsecrets/lib/environ"
)

// A merger is what becomes of a text when another has stored something meanwhile.
type merger struct {
	text    []byte   // to go on with
	line    int      // at which both have changed it, or 0
	changed []string // the variables that the other has changed, of an environment
	both    []string // those of them that the user has changed as well, to something else
}

// merge puts what was edited on top of what another has stored. Base is what both began
// with; nil is none. What only one of them has changed is as that one has it. Where both
// have, the text has what the user wrote, and says what the other did.
func (f form) merge(base, mine, theirs []byte) (merger, error) {
	if f.env {
		b, errB := parse(base)
		m, errM := parse(mine)
		t, errT := parse(theirs)
		if errT == nil && errM == nil && (errB == nil || base == nil) {
			merged, changed, both := mergeVariables(b, m, t)
			if f.asIs {
				text, line := mergeLines(base, mine, theirs)
				return merger{text, line, changed, both}, nil
			}
			text, err := f.render(merged)
			if err != nil {
				return merger{}, err
			}
			text, line := f.note(text, both, t)
			return merger{text, line, changed, both}, nil
		}
		if !f.asIs { // what is stored now is no environment: the user's own is all there is to show
			text, err := f.show(mine)
			return merger{text: text}, err
		}
	}
	text, line := mergeLines(base, mine, theirs)
	return merger{text: text, line: line}, nil
}

// mergeVariables returns the variables as both have changed them, those of mine where
// both have changed the same one, and the names of what theirs has changed and both
// have.
func mergeVariables(base, mine, theirs environ.Env) (merged environ.Env, changed, both []string) {
	merged = maps.Clone(mine)
	if merged == nil {
		merged = environ.Env{}
	}
	all, _ := base.Merge(theirs)
	for _, name := range all.Names() {
		was, wasThere := base[name]
		has, isThere := theirs[name]
		if was == has && wasThere == isThere {
			continue
		}
		changed = append(changed, name)
		own, ownThere := mine[name]
		switch {
		case own == has && ownThere == isThere:
		case own != was || ownThere != wasThere:
			both = append(both, name)
		case isThere:
			merged[name] = has
		default:
			delete(merged, name)
		}
	}
	return merged, changed, both
}

// note puts what another has stored of some variables before them, as comments, where
// the format has comments. It returns the line of the first.
func (f form) note(text []byte, both []string, theirs environ.Env) ([]byte, int) {
	if f.format == environ.JSON {
		return text, 0
	}
	var b bytes.Buffer
	first, n := 0, 1
	write := func(line string) {
		b.WriteString(line)
		n += strings.Count(line, "\n")
	}
	left := slices.Clone(both)
	comment := func(name string) {
		if first == 0 {
			first = n
		}
		left = slices.DeleteFunc(left, func(other string) bool { return other == name })
		value, ok := theirs[name]
		if !ok {
			write("# another has removed " + name + "\n")
			return
		}
		shown, err := environ.Env{name: value}.Render(f.format)
		if err != nil {
			write("# another has stored another " + name + ", which cannot be shown here\n")
			return
		}
		write("# another has stored:\n")
		for line := range strings.Lines(string(shown)) {
			write("# " + line)
		}
	}
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, "=")
		if slices.Contains(left, name) {
			comment(name)
		}
		write(line)
	}
	for _, name := range slices.Clone(left) { // which the user has removed
		comment(name)
	}
	return b.Bytes(), first
}

// The lines around what both have changed.
const (
	markMine   = "<<<<<<< what you have saved"
	markTheirs = "======= what another has stored"
	markEnd    = ">>>>>>> end"
)

// conflictMarker is the number of the first line that marks what both have changed, or
// 0.
func conflictMarker(text []byte) int {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		switch string(bytes.TrimRight(line, "\r\n")) {
		case markMine, markTheirs, markEnd:
			return n
		}
	}
	return 0
}

// mergeLines merges texts line by line. Each of the two has changed one stretch of base,
// from the first line that differs to the last: where these do not touch, both are in
// the result; where they do, it has both texts, with marks around them, and the number
// of the first such line.
func mergeLines(base, mine, theirs []byte) (merged []byte, line int) {
	b, m, t := lines(base), lines(mine), lines(theirs)
	mStart, mEnd := stretch(b, m)
	tStart, tEnd := stretch(b, t)
	mNew := m[mStart : len(m)-(len(b)-mEnd)]
	tNew := t[tStart : len(t)-(len(b)-tEnd)]
	join := func(parts ...[]string) []byte { return []byte(strings.Join(slices.Concat(parts...), "")) }
	switch {
	case slices.Equal(m, t), mStart == mEnd && len(mNew) == 0:
		return theirs, 0
	case tStart == tEnd && len(tNew) == 0:
		return mine, 0
	case mEnd < tStart:
		return join(b[:mStart], mNew, b[mEnd:tStart], tNew, b[tEnd:]), 0
	case tEnd < mStart:
		return join(b[:tStart], tNew, b[tEnd:mStart], mNew, b[mEnd:]), 0
	}
	start, end := min(mStart, tStart), max(mEnd, tEnd)
	return join(b[:start],
		[]string{markMine + "\n"}, closed(m[start:len(m)-(len(b)-end)]),
		[]string{markTheirs + "\n"}, closed(t[start:len(t)-(len(b)-end)]),
		[]string{markEnd + "\n"}, b[end:]), start + 1
}

func lines(text []byte) []string { return slices.Collect(strings.Lines(string(text))) }

// closed are lines of which the last ends in a newline too.
func closed(lines []string) []string {
	if n := len(lines); n > 0 && !strings.HasSuffix(lines[n-1], "\n") {
		lines = append(slices.Clone(lines[:n-1]), lines[n-1]+"\n")
	}
	return lines
}

// stretch is what of base another text has changed: lines from start to end.
func stretch(base, other []string) (start, end int) {
	n := min(len(base), len(other))
	for start < n && base[start] == other[start] {
		start++
	}
	same := 0
	for same < n-start && base[len(base)-1-same] == other[len(other)-1-same] {
		same++
	}
	return start, len(base) - same
}
