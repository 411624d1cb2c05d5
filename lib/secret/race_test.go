package secret_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/racetest"
	"microsecrets/lib/secret"
)

const (
	raceNames   = 20
	raceWorkers = 16
)

// race is what writers have set out to write, by content, and what was
// reported to them as written.
type race struct {
	t       *testing.T
	store   *secret.Store
	rotator *secret.Rotator

	ids   atomic.Int64
	mu    sync.Mutex
	begun map[string]bool
	done  map[string]bool
}

// TestRace has writers, mergers, a rotator, removers and readers work on the
// same names side by side, then goes through the history of each name. A line is
// written by one put, which replaces all, or by one merge, which adds it to what
// there is. Every read must be of lines that were written, whole. Every version
// must be a put, a merge or a rotation of the one before, or a deletion, so that
// whatever a merge that succeeded has added is there until a later put or
// deletion; and each write that succeeded must be in the history once.
func TestRace(t *testing.T) {
	server := fakeawstest.Start(t)
	server.Setenv()
	open := func(key string) *secret.Store {
		s, err := secret.Open(t.Context(), fakeaws.DefaultBucket, &secret.Options{
			Key: key, Unsigned: true, // signing would take most of the time
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const before, after = "alias/microsecrets-before", "alias/microsecrets-after"
	r := &race{
		t:       t,
		store:   open(before + "," + after),
		rotator: open(after).NewRotator(&secret.RotateOptions{From: before}),
		begun:   map[string]bool{},
		done:    map[string]bool{},
	}
	operations := 10_000
	if racetest.Quick() {
		operations = 1_000
	}
	var workers sync.WaitGroup
	for w := range raceWorkers {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for range operations / raceWorkers {
				r.act(t.Context(), random.IntN(100), fmt.Sprintf("svc/name%02d", random.IntN(raceNames)))
			}
		})
	}
	workers.Wait()
	for i := range raceNames {
		r.history(t.Context(), fmt.Sprintf("svc/name%02d", i))
	}
	for line := range r.done {
		t.Errorf("%.20q was written and is nowhere", line)
	}
}

// act does one operation, chosen by dice of 0 to 99.
func (r *race) act(ctx context.Context, dice int, name string) {
	var err error
	switch {
	case dice < 10:
		line := r.line("put", name)
		_, err = r.store.Put(ctx, name, strings.NewReader(line), nil)
		r.written(line, err)
	case dice < 22:
		line := r.line("merge", name)
		_, err = r.store.Merge(ctx, name, func(old []byte) ([]byte, error) {
			r.check(name, string(old))
			return []byte(string(old) + line), nil
		}, nil)
		r.written(line, err)
	case dice < 26:
		if err = r.store.Remove(ctx, name, nil); errors.Is(err, secret.ErrNotFound) {
			err = nil
		}
	case dice < 30:
		_, err = r.rotator.Rotate(ctx, name)
		if errors.Is(err, secret.ErrNotFound) || errors.Is(err, secret.ErrChanged) {
			err = nil
		}
	default:
		var value []byte
		value, err = r.store.Get(ctx, name, nil)
		if errors.Is(err, secret.ErrNotFound) {
			err = nil
		}
		r.check(name, string(value))
	}
	if err != nil {
		r.t.Error(err)
	}
}

// line returns a new line, which states its own length.
func (r *race) line(kind, name string) string {
	id := r.ids.Add(1)
	line := fmt.Sprintf("%s %s %d %s\n", kind, name, id, strings.Repeat("x", int(id%700)))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun[line] = true
	return line
}

func (r *race) written(line string, err error) {
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.done[line] = true
	}
}

// check wants a value to be of lines that were written to the name.
func (r *race) check(name, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := true
	for line := range strings.Lines(value) {
		if !r.begun[line] || !strings.Contains(line, " "+name+" ") || !first && strings.HasPrefix(line, "put") {
			r.t.Errorf("%s: %.40q was never written so", name, line)
		}
		first = false
	}
}

// history goes through the versions of a name, and strikes what they tell of off
// the list of what was written.
func (r *race) history(ctx context.Context, name string) {
	var versions []secret.Version
	for v, err := range r.store.Versions(ctx, name) {
		if err != nil {
			r.t.Error(err)
			return
		}
		versions = append(versions, v)
	}
	last := ""
	for _, v := range slices.Backward(versions) {
		if v.Deleted {
			last = ""
			continue
		}
		value, err := r.store.Get(ctx, name, &secret.GetOptions{Version: v.ID})
		if err != nil {
			r.t.Error(err)
			return
		}
		added, grown := strings.CutPrefix(string(value), last)
		switch {
		case grown && added == "" && last != "": // a rotation
		case grown && strings.HasPrefix(added, "merge") && strings.Count(added, "\n") == 1:
			r.strike(name, added)
		case strings.HasPrefix(string(value), "put") && strings.Count(string(value), "\n") == 1:
			r.strike(name, string(value))
		default:
			r.t.Errorf("%s: version %s is no write to the one before", name, v.ID)
		}
		last = string(value)
	}
}

func (r *race) strike(name, line string) {
	if !r.done[line] {
		r.t.Errorf("%s: %.40q is in the history twice, or was not reported", name, line)
	}
	delete(r.done, line)
}
