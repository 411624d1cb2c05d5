// Package faults_test makes every request of every program fail in every way, and
// prints what becomes of it as doc/faults.md. The table is in table_test.go.
package faults_test

import (
	"crypto/md5"
	"encoding/hex"
	"flag"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"
	"testing"
	"testing/synctest"

	"microsecrets/lib/tool/suite"
	"microsecrets/lib/tool/suite/suitetest"
)

var update = flag.Bool("update", false, "write doc/faults.md")

// golden is the page, from the top-level folder. What a process leaves that is killed at
// one moment or the next may differ from run to run, so the test holds each cell to the
// rules, and the page to nothing.
const golden = "doc/faults.md"

func md5hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// TestFaults walks the table. With -short and under the race detector it takes a
// sample, and leaves the page alone.
func TestFaults(t *testing.T) {
	for _, p := range suite.Programs {
		called := slices.ContainsFunc(calls, func(c call) bool { return c.program == p.Name })
		if called == (tableless[p.Name] != "") {
			t.Errorf("%s has no row in the table of faults, or it has and is said to have none", p.Name)
		}
	}
	log.SetOutput(io.Discard) // as tool.Main has it
	defer log.SetOutput(os.Stderr)
	// The runtime must not start to watch for signals, which ms-exec stops, in a bubble.
	watched := make(chan os.Signal, 1)
	signal.Notify(watched, os.Interrupt)
	signal.Stop(watched)
	certificates := newCertificates(t)
	environ(t, certificates)
	sample := testing.Short() || suitetest.RaceDetector
	sections := make([]*section, len(calls))
	t.Run("calls", func(t *testing.T) {
		for i, c := range calls {
			t.Run(c.title, func(t *testing.T) {
				t.Parallel()
				if sample && c.slow {
					t.Skip("large secrets take a while")
				}
				dir, err := os.MkdirTemp("", "faults-") // t.TempDir has the call's name, and a "="
				if err != nil {
					t.Fatal(err)
				}
				defer os.RemoveAll(dir)
				synctest.Test(t, func(t *testing.T) { sections[i] = walk(t, c, certificates, dir, sample) })
				if !sample {
					sections[i].rows = append(sections[i].rows, processRows(t, c, sections[i].columns, dir)...)
				}
			})
		}
	})
	if sample || t.Failed() || slices.Contains(sections, nil) {
		return
	}
	page := &page{}
	page.b.WriteString(intro)
	for _, p := range suite.Programs {
		page.printf("## %s\n\n", p.Name)
		if why := tableless[p.Name]; why != "" {
			page.printf("It has no table: %s.\n\n", why)
		}
		for _, s := range sections {
			if s.call.program == p.Name {
				page.section(s)
			}
		}
	}
	if !machine(t, page) {
		return
	}
	page.outcomes()
	if *update {
		if err := os.WriteFile(golden, []byte(page.b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMachine holds the programs to the rules under what befalls their machine.
func TestMachine(t *testing.T) {
	if !testing.Short() && !suitetest.RaceDetector {
		t.Skip("TestFaults does it")
	}
	machine(t, &page{})
}

// walk makes one call under all faults.
func walk(t *testing.T, c call, certificates *certificates, dir string, sample bool) *section {
	bench := func() *bench { return newBench(t, certificates, dir, c, c.names()...) }
	b := bench()
	defer func() { b.close() }()
	s := &section{call: c, columns: b.columns(t, c), usual: map[string]int{}}
	usual := map[string]string{}
	renew := func() { // where what a call has made cannot be unmade
		if c.kind == makes {
			b.close()
			b = bench()
		}
		b.usual, b.columnsOf = usual, s.columns
	}
	if c.kind != ofSecrets {
		for _, f := range faults {
			if _, ok := usual[f.flags]; !ok {
				renew()
				usual[f.flags] = b.run(t, c, fault{flags: f.flags}, column{}, false).outcome.stdout
			}
		}
	}
	renew()
	for _, col := range s.columns {
		s.usual[col.op()]++
	}
	if c.stdin != "" {
		s.halfway = b.run(t, c, fault{halfway: true}, column{}, false)
		for _, w := range s.halfway.wrong {
			t.Errorf("%s, if standard input fails half-way: %s\n%s", c.title, w, s.halfway.outcome.stderr)
		}
	}
	cells, every := 0, 7
	switch c.kind {
	case reports, plans: // they make many requests
		every = 29
	case makes: // and each cell is several calls, and a server of its own
		every = 101
	}
	if suitetest.RaceDetector { // all is several times slower
		every *= 2
	}
	for _, f := range faults {
		for _, once := range []bool{false, true} {
			if once && !f.passes {
				continue
			}
			r := row{fault: f, once: once}
			for _, col := range s.columns {
				if cells++; sample && cells%every != len(c.title)%every {
					continue
				}
				v := b.run(t, c, f, col, once)
				if v.skipped == "" {
					renew()
				}
				for _, w := range v.wrong {
					t.Errorf("%s, if %s, at %s: %s\nstatus %d, %v:\n%s%s", c.title, r.title(), col, w, v.outcome.status, v.outcome.took,
						v.outcome.stdout[:min(80, len(v.outcome.stdout))], v.outcome.stderr)
				}
				r.cells = append(r.cells, v)
			}
			s.rows = append(s.rows, r)
		}
	}
	return s
}
