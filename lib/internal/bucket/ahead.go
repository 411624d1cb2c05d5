package bucket

import (
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// aheadDigits is how many characters, behind what the keys of a page have in
// common, are looked at.
const aheadDigits = 8

// ahead guesses up to n keys above a page's last one and below end, sorted, at
// the distances at which the page's keys let nine tenths of a page fit between
// them. Keys are read as numbers whose digits are the characters that vary on
// the page: that is exact for numbered names, right on average for random ones,
// and for others a guess.
func ahead(p *page, dir, end string, n int) []string {
	i := slices.IndexFunc(p.entries, func(e Entry) bool { return strings.HasPrefix(e.Key, dir) })
	if n <= 0 || i < 0 {
		return nil
	}
	in := p.entries[i:]
	first, last := in[0].Key, in[len(in)-1].Key
	same := 0
	for same < min(len(first), len(last)) && first[same] == last[same] {
		same++
	}
	digits := varying(in, same)
	at := same
	for at > len(dir) && strings.IndexByte(digits, last[at-1]) >= 0 {
		at--
	}
	num := numerals{digits, same - at + aheadDigits}
	value := num.parse(last[at:])
	step := new(big.Int).Sub(value, num.parse(first[at:]))
	step.Mul(step, big.NewInt(9*int64(len(p.entries))))
	step.Div(step, big.NewInt(10*int64(len(in))))
	if step.Sign() <= 0 {
		return nil
	}
	var keys []string
	for previous := last; len(keys) < n; {
		text, ok := num.format(value.Add(value, step))
		key := last[:at] + text
		if !ok || key <= previous || end != "" && key >= end || len(key) > keyMax || !utf8.ValidString(key) {
			break
		}
		keys = append(keys, key)
		previous = key
	}
	return keys
}

// kinds are characters that, where one of them varies, all do.
var kinds = []string{"0123456789", "abcdef", "abcdefghijklmnopqrstuvwxyz", "ABCDEF", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}

// varying returns, sorted, the ASCII characters that keys have behind their
// first same bytes, and those of their kinds.
func varying(entries []Entry, same int) string {
	var has [utf8.RuneSelf]bool
	for _, e := range entries {
		for _, c := range []byte(e.Key[same:min(len(e.Key), same+aheadDigits)]) {
			if c < utf8.RuneSelf {
				has[c] = true
			}
		}
	}
	for i, kind := range kinds {
		beyond := i > 0 && strings.HasPrefix(kind, kinds[i-1]) // all letters, not a to f alone
		for _, c := range []byte(kind) {
			if has[c] && !(beyond && strings.IndexByte(kinds[i-1], c) >= 0) {
				for _, k := range []byte(kind) {
					has[k] = true
				}
				break
			}
		}
	}
	var digits []byte
	for c, ok := range has {
		if ok {
			digits = append(digits, byte(c))
		}
	}
	return string(digits)
}

// numerals are how numbers below len(digits) to the power of width are written.
type numerals struct {
	digits string
	width  int
}

// parse reads the first width characters of s. One that is no digit counts as
// the next one that is.
func (n numerals) parse(s string) *big.Int {
	base, value := big.NewInt(int64(len(n.digits))), new(big.Int)
	for i := range n.width {
		digit := 0
		if i < len(s) {
			digit, _ = slices.BinarySearch([]byte(n.digits), s[i])
		}
		value.Mul(value, base)
		value.Add(value, big.NewInt(int64(min(digit, len(n.digits)-1))))
	}
	return value
}

// format writes a number, unless it is too great.
func (n numerals) format(value *big.Int) (string, bool) {
	base, rest, digit := big.NewInt(int64(len(n.digits))), new(big.Int).Set(value), new(big.Int)
	text := make([]byte, n.width)
	for i := n.width - 1; i >= 0; i-- {
		rest.DivMod(rest, base, digit)
		text[i] = n.digits[digit.Int64()]
	}
	return string(text), rest.Sign() == 0
}
