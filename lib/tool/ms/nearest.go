package ms

import (
	"slices"
	"strings"
)

// nearest returns those of words that a person who typed word may have meant: the
// ones that begin with it, or else the ones that the fewest slips of one letter
// (another, one more, one less, two swapped) make of it. It is one slip at most for
// a word of up to four bytes, two for a longer one.
func nearest(word string, words []string) []string {
	var near []string
	if len(word) > 1 {
		for _, w := range words {
			if strings.HasPrefix(w, word) {
				near = append(near, w)
			}
		}
	}
	if len(near) > 0 {
		return near
	}
	most := 1
	if len(word) > 4 {
		most = 2
	}
	for _, w := range words {
		if abs(len(w)-len(word)) > most {
			continue
		}
		switch n := slips(word, w); {
		case n < most:
			most, near = n, []string{w}
		case n == most:
			near = append(near, w)
		}
	}
	return slices.Compact(near)
}

func abs(n int) int { return max(n, -n) }

// slips is the distance of two words: Damerau and Levenshtein's, where no letter is
// changed twice.
func slips(a, b string) int {
	var before, last []int // the rows above
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
