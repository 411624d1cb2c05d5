package tool

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"microsecrets/lib/secret"
)

// Fetched is a secret, all of it verified.
type Fetched struct {
	*secret.Secret
	Plaintext []byte
}

// budget bounds the messages whose plaintexts are held at once, in bytes: a
// message is little longer than its plaintext.
const budget = secret.Held + 1<<20

// Fetch gets secrets side by side, at most sideBySide at once, and returns them
// by name when all of them are verified. What together has over secret.Held
// bytes fails with secret.ErrTooLarge. If any fails, the Failures tell of each
// that did, in the order of the names, and the others are returned beside them.
func Fetch(ctx context.Context, store *secret.Store, names []string, sums Checksums, sideBySide int) (map[string]*Fetched, error) {
	got := make([]*Fetched, len(names))
	failed := make(Failures, len(names))
	var held atomic.Int64
	var group errgroup.Group
	group.SetLimit(sideBySide)
	seen := map[string]bool{}
	for i, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		group.Go(func() error {
			got[i], failed[i] = fetch(ctx, store, name, sums, &held)
			return nil
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	all := make(map[string]*Fetched, len(seen))
	for i, f := range got {
		if f != nil {
			all[names[i]] = f
		}
	}
	return all, failed.Err()
}

func fetch(ctx context.Context, store *secret.Store, name string, sums Checksums, held *atomic.Int64) (*Fetched, error) {
	opened, err := store.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	if held.Add(opened.Size) > budget {
		return nil, fmt.Errorf("%s: %w", name, secret.ErrTooLarge)
	}
	plaintext, err := opened.All(secret.Held)
	if err != nil {
		return nil, err
	}
	if sum, ok := sums[name]; ok {
		plain := sum.Hash()
		plain.Write(plaintext)
		if err := sum.Check(name, opened.MessageSum(), plain.Sum(nil)); err != nil {
			return nil, err
		}
	}
	return &Fetched{opened, plaintext}, nil
}
