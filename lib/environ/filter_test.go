package environ

import (
	"maps"
	"strings"
	"testing"
)

func TestFilter(t *testing.T) {
	env := Env{"A": "canary", "PATH": "canary", "LD_PRELOAD": "canary"}
	_, path := Unsafe("PATH")
	_, preload := Unsafe("LD_PRELOAD")
	if !path || !preload {
		t.Fatal("PATH and LD_PRELOAD are unsafe")
	}
	for _, test := range []struct {
		name   string
		filter Filter
		want   string // names, or
		err    string
	}{
		{"unsafe names", Filter{}, "", "unsafe variables: " +
			"LD_PRELOAD (the dynamic loader: loads the libraries that it names into every program), " +
			"PATH (every program that starts another: finds the program by it): name them with -only, or use -allow-unsafe"},
		{"allowed", Filter{AllowUnsafe: true}, "A LD_PRELOAD PATH", ""},
		{"dropping needs a list", Filter{AllowUnsafe: true, DropOthers: true}, "A LD_PRELOAD PATH", ""},
		{"named", Filter{Only: []string{"PATH", "A", "LD_PRELOAD"}}, "A LD_PRELOAD PATH", ""},
		{"named and one absent", Filter{Only: []string{"PATH", "A", "LD_PRELOAD", "B"}}, "A LD_PRELOAD PATH", ""},
		{"others", Filter{Only: []string{"A"}}, "", "not named with -only: LD_PRELOAD, PATH: name them as well, or leave them out with -drop-others"},
		{"others although safe", Filter{Only: []string{"PATH"}, AllowUnsafe: true}, "", "not named with -only: A, LD_PRELOAD: name them as well, or leave them out with -drop-others"},
		{"others dropped", Filter{Only: []string{"PATH", "B"}, DropOthers: true}, "PATH", ""},
		{"none", Filter{Only: []string{}, DropOthers: true}, "", ""},
		{"needed, and others", Filter{Need: []string{"PATH", "LD_PRELOAD"}}, "A LD_PRELOAD PATH", ""},
		{"needed, others unsafe", Filter{Need: []string{"PATH", "B"}}, "", "unsafe variables: " +
			"LD_PRELOAD (the dynamic loader: loads the libraries that it names into every program): name them with -only or -need, or use -allow-unsafe"},
		{"needed, others unsafe and allowed", Filter{Need: []string{"PATH"}, AllowUnsafe: true}, "A LD_PRELOAD PATH", ""},
		{"needed, others dropped", Filter{Need: []string{"PATH"}, DropOthers: true}, "PATH", ""},
		{"needed adds to only", Filter{Only: []string{"A", "LD_PRELOAD"}, Need: []string{"PATH"}}, "A LD_PRELOAD PATH", ""},
		{"needed adds to none", Filter{Only: []string{}, Need: []string{"PATH"}}, "", "not named with -only or -need: A, LD_PRELOAD: name them as well, or leave them out with -drop-others"},
		{"needed and only, others dropped", Filter{Only: []string{"A"}, Need: []string{"PATH"}, DropOthers: true}, "A PATH", ""},
		{"none allowed", Filter{Only: []string{}}, "", "not named with -only: A, LD_PRELOAD, PATH: name them as well, or leave them out with -drop-others"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := maps.Clone(env)
			got, err := test.filter.Apply(env)
			if names := strings.Join(got.Names(), " "); names != test.want || errorText(err) != test.err {
				t.Errorf("%s, %v\nwant %s, %s", names, err, test.want, test.err)
			}
			if !maps.Equal(env, before) {
				t.Error("the argument was changed")
			}
		})
	}
}

func TestMissing(t *testing.T) {
	f := Filter{Need: []string{"D", "A", "B", "D", "C"}}
	for _, test := range []struct {
		in   []Env
		want string
	}{
		{nil, "D A B C"},
		{[]Env{{"A": "", "X": "canary"}, {"C": "canary"}}, "D B"},
		{[]Env{{"A": "", "B": "", "C": "", "D": ""}}, ""},
	} {
		if got := strings.Join(f.Missing(test.in...), " "); got != test.want {
			t.Errorf("%v: %q, want %q", test.in, got, test.want)
		}
	}
	if got := (Filter{}).Missing(); got != nil {
		t.Errorf("%q", got)
	}
}
