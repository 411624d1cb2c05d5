package simulate

import (
	"cmp"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	seedsFlag   = flag.String("seeds", "", "the seeds to run: FROM-TO, or N for 1-N; empty: fixed ones of every profile")
	profileFlag = flag.String("profile", "", "what is done: mixed, which is the default, focus, copies or parts")
	withoutFlag = flag.String("without", "", "clients, operations and requests of a shrunk seed that are left alone, with spaces")
	stopFlag    = flag.Int("stop", 0, "end after so many seeds in which a promise is broken, and shrink none; 0: shrink up to five")
	tellFlag    = flag.Bool("tell", false, "print the history of each seed")
)

// TestMain runs one goroutine at a time: which one is next depends on less.
func TestMain(m *testing.M) {
	flag.Parse()
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)
	m.Run()
}

// parseSeeds reads FROM-TO or N.
func parseSeeds(text string) (from, to uint64, err error) {
	first, last, between := strings.Cut(text, "-")
	if !between {
		first, last = "1", text
	}
	if from, err = strconv.ParseUint(first, 10, 64); err == nil {
		to, err = strconv.ParseUint(last, 10, 64)
	}
	if err == nil && to < from {
		err = fmt.Errorf("no seeds in %q", text)
	}
	return from, to, err
}

// fixed are the seeds that run where none are given.
var fixed = []struct{ profile, seeds string }{{"mixed", "1-300"}, {"focus", "1-300"}, {"copies", "1-300"}, {"parts", "1-20"}}

func TestSeeds(t *testing.T) {
	for _, f := range fixed {
		if *seedsFlag == "" && (*profileFlag == "" || *profileFlag == f.profile) {
			runSeeds(t, f.profile, f.seeds)
		}
	}
	if *seedsFlag != "" {
		runSeeds(t, cmp.Or(*profileFlag, "mixed"), *seedsFlag)
	}
}

func runSeeds(t *testing.T, profile, seeds string) {
	from, to, err := parseSeeds(seeds)
	if err != nil || profiles[profile] == nil {
		t.Fatalf("-seeds %q -profile %q: %v", seeds, profile, err)
	}
	limit := cmp.Or(*stopFlag, 5)
	began := time.Now()
	operations, requests, broken := 0, 0, 0
	outcomes := map[outcome]int{}
	for seed := from; seed <= to && broken < limit; seed++ {
		c := choose(profile, seed)
		c.without = strings.Fields(*withoutFlag)
		s := run(t, c)
		for _, r := range s.records {
			operations++
			outcomes[r.outcome]++
		}
		requests += s.requests
		if *tellFlag {
			fmt.Print(s.story())
		}
		switch {
		case len(s.violations) == 0:
			continue
		case *stopFlag > 0:
			t.Errorf("seed %d breaks %s", seed, strings.Join(s.labels(), ", "))
		default:
			report(t, s)
		}
		broken++
	}
	took := time.Since(began)
	fmt.Printf("%s: seeds %d to %d, %d operations (%d done, %d refused, %d unknown, %d failed), %d requests in %v, %.0f operations a second\n",
		profile, from, to, operations, outcomes[done], outcomes[refused], outcomes[unknown], outcomes[failed], requests,
		took.Round(time.Millisecond), float64(operations)/took.Seconds())
}

// report shrinks a scenario in which a promise was broken, and prints its history.
func report(t *testing.T, s *simulation) {
	small, runs := shrink(t, s)
	command := fmt.Sprintf("make simulate SEEDS=%d-%d PROFILE=%s", s.seed, s.seed, s.profile)
	if len(small.without) > 0 {
		command += fmt.Sprintf(" WITHOUT='%s'", strings.Join(small.without, " "))
	}
	t.Errorf("seed %d breaks %s; shrunk in %d runs:\n%s%s", s.seed, strings.Join(s.labels(), ", "), runs, small.story(), command)
}

// maxRuns bounds a shrinking.
const maxRuns = 400

// shrink leaves out clients, operations and what befalls requests, as long as the
// first promise stays broken.
func shrink(t *testing.T, s *simulation) (*simulation, int) {
	label, runs, best := s.violations[0].label, 0, s
	try := func(what string) bool {
		if runs++; runs > maxRuns || best.leaves(what) {
			return false
		}
		c := *best.scenario
		c.without = append(slices.Clone(best.without), what)
		again := run(t, &c)
		if !slices.Contains(again.labels(), label) {
			return false
		}
		best = again
		return true
	}
	for changed := true; changed && runs < maxRuns; {
		changed = false
		for i, operations := range s.clients {
			if name := fmt.Sprintf("c%d", i); best.leaves(name) || try(name) {
				continue
			}
			for _, o := range operations {
				changed = try(o.id) || changed
			}
		}
		for _, tag := range best.faults {
			changed = try(tag) || changed
		}
	}
	return best, runs
}
