package diff

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// pairs are the names that begin with two prefixes, those with the same rest side by
// side, sorted by it.
func (d *differ) pairs(ctx context.Context, prefix, other string) ([][2]side, error) {
	var first, second []string
	failed := make(tool.Failures, 2)
	var group sync.WaitGroup
	group.Go(func() { first, failed[0] = d.tool.ListNames(ctx, d.first, prefix) })
	group.Go(func() { second, failed[1] = d.tool.ListNames(ctx, d.second, other) })
	group.Wait()
	if d.other.Store != "" {
		failed[1] = d.other.Failed(failed[1], withFlag)
	}
	switch err := failed.Err(); {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	case len(first) == 0 && len(second) == 0:
		return nil, fmt.Errorf("%w: no name begins with %s in %s, or with %s in %s", secret.ErrNotFound, prefix, d.first, other, d.second)
	}
	return merge(first, second, prefix, other), nil
}

// merge puts sorted names side by side.
func merge(first, second []string, prefix, other string) (pairs [][2]side) {
	for len(first) > 0 || len(second) > 0 {
		order := 0
		switch {
		case len(second) == 0:
			order = -1
		case len(first) == 0:
			order = 1
		default:
			order = strings.Compare(first[0][len(prefix):], second[0][len(other):])
		}
		var p [2]side
		if order <= 0 {
			p[0], first = side{name: first[0], listed: true}, first[1:]
		}
		if order >= 0 {
			p[1], second = side{name: second[0], listed: true}, second[1:]
		}
		pairs = append(pairs, p)
	}
	return pairs
}
