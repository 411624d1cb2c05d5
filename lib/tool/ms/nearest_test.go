package ms

import (
	"slices"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	words := []string{"help", "put", "get", "ls", "exec", "rm", "rotate", "dev"}
	for word, want := range map[string]string{
		"gte": "get", "pt": "put", "putt": "put", "gut": "put get", "rotaet": "rotate", "rottae": "rotate",
		"ro": "rotate", "rot": "rotate", "exce": "exec", "exex": "exec", "l": "ls", "sl": "ls", "mr": "rm",
		"": "", "x": "", "hunter2": "", "list": "", "PUT": "", "rotates": "rotate", "rotating": "", "p": "",
		strings.Repeat("put", 1000): "",
	} {
		if got := nearest(word, words); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestSlips(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "ab", 2}, {"ab", "", 2}, {"put", "put", 0}, {"put", "pt", 1}, {"put", "ptu", 1},
		{"put", "puts", 1}, {"put", "pot", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3},
	} {
		if got := slips(test.a, test.b); got != test.want {
			t.Errorf("%q to %q: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
