package fakes3

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"

	"microsecrets/lib/fakeaws/internal/service"
)

// A write's conditions are checked again when its body is there; what has
// changed meanwhile is a conflict.
func TestWriteCheck(t *testing.T) {
	old, other, gone := &version{ETag: "old"}, &version{ETag: "new"}, &version{Deleted: true}
	for _, row := range []struct {
		name           string
		header         string
		before, latest *version
		status         int
	}{
		{"unchanged", "If-Match", old, old, 0},
		{"changed", "If-Match", old, other, 409},
		{"deleted", "If-Match", old, gone, 404},
		{"removed", "If-Match", old, nil, 404},
		{"still absent", "If-None-Match", nil, nil, 0},
		{"still deleted", "If-None-Match", gone, gone, 0},
		{"created", "If-None-Match", nil, other, 409},
		{"created and deleted", "If-None-Match", nil, gone, 0},
	} {
		c := call{Call: &service.Call{Request: &http.Request{Header: http.Header{row.header: {"old"}}}}}
		err := c.writeCheck(row.before)(row.latest)
		apiErr, _ := errors.AsType[*service.Error](err)
		if status := 0; apiErr != nil && apiErr.Status != row.status || apiErr == nil && row.status != status {
			t.Errorf("%s: %v, want %d", row.name, err, row.status)
		}
	}
}

func TestIndex(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var x index
	model := map[string]bool{}
	for i := range 30_000 {
		key := fmt.Sprintf("%04x", random.IntN(6000))
		if i%3 == 2 && i > 15_000 || i > 25_000 {
			x.remove(key)
			delete(model, key)
		} else {
			x.getOrInsert(key)
			model[key] = true
		}
	}
	want := slices.Sorted(maps.Keys(model))
	if !slices.EqualFunc(x, want, func(o *object, key string) bool { return o.key == key }) {
		t.Fatalf("not the %d keys in order", len(want))
	}
	for range 1000 {
		key := fmt.Sprintf("%04x", random.IntN(6000))
		i, found := slices.BinarySearch(want, key)
		if at, ok := x.seek(key); at != i || ok != found || (x.get(key) != nil) != found {
			t.Fatalf("seek(%q) goes astray", key)
		}
	}
}

// A page costs about a page, wherever it is and however many keys its common
// prefixes hide.
func TestListingSteps(t *testing.T) {
	b := &bucket{}
	v := &version{ID: nullVersion}
	for i := range 200_000 {
		b.insert(fmt.Sprintf("svc%03d/%06d", i/1000, i), v, 0)
	}
	for _, row := range []struct {
		name   string
		l      listing
		marker string
		steps  int
	}{
		{"first page", listing{max: 1000}, "", 1001},
		{"a page in the middle", listing{max: 1000}, "svc100/100500", 1001},
		{"with a prefix", listing{max: 1000, prefix: "svc150/"}, "", 1000},
		{"of one key", listing{max: 1, prefix: "svc150/150999"}, "", 1},
		{"common prefixes", listing{max: 1000, delimiter: "/"}, "", 200},
		{"common prefixes after one", listing{max: 10, delimiter: "/"}, "svc100/", 11},
	} {
		for _, all := range []bool{false, true} {
			if n := row.l.page(b.objects, row.marker, "", all).visited; n != row.steps {
				t.Errorf("%s, all versions %v: %d keys visited, want %d", row.name, all, n, row.steps)
			}
		}
	}
}

func TestParseRange(t *testing.T) {
	for _, row := range []struct {
		header string
		size   int64
		off, n int64
		ok     bool
	}{
		{"bytes=0-0", 10, 0, 1, true},
		{"bytes=2-5", 10, 2, 4, true},
		{"bytes=2-", 10, 2, 8, true},
		{"bytes=-3", 10, 7, 3, true},
		{"bytes=-30", 10, 0, 10, true},
		{"bytes=5-50", 10, 5, 5, true},
		{"bytes=10-", 10, 10, 0, true},
		{"bytes=0-", 0, 0, 0, true},
		{"bytes=-0", 10, 10, 0, true},
		{"bytes=5-2", 10, 0, 0, false},
		{"bytes=0-1,3-4", 10, 0, 0, false},
		{"bytes=a-b", 10, 0, 0, false},
		{"lines=0-1", 10, 0, 0, false},
	} {
		off, n, ok := parseRange(row.header, row.size)
		if ok != row.ok || ok && (n != row.n || n > 0 && off != row.off) {
			t.Errorf("%s of %d: %d bytes at %d, %v", row.header, row.size, n, off, ok)
		}
	}
}
