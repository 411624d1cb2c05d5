package tool

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"microsecrets/lib/secret"
)

// Fetched is a secret, all of it verified.
type Fetched struct {
	*secret.Secret
	Plaintext []byte // nil if it was too large to be held
	large     *secret.Verified
}

// CopyTo writes the secret to w; it reads it again if it was not held.
func (f *Fetched) CopyTo(ctx context.Context, w io.Writer) error {
	if f.large != nil {
		return f.large.CopyTo(ctx, w)
	}
	_, err := w.Write(f.Plaintext)
	return err
}

// budget bounds the messages whose plaintexts are held at once, in bytes: a
// message is little longer than its plaintext, and one of secret.Held bytes is
// held.
const budget = secret.Held + 256<<10

// alone is how long a message is, in bytes, that is read while no other such one
// is: its frames may be as long, and are in memory beside what is held.
const alone = 1 << 20

// Fetcher gets secrets side by side.
type Fetcher struct {
	Store      *secret.Store
	Sums       Checksums
	SideBySide int  // at most so many at once
	Large      bool // what cannot be held is verified and, by CopyTo, read again
	Raw        bool // the stored messages in place of the secrets: only Sums verify them

	held    atomic.Int64
	reading sync.Mutex // by whoever reads more than alone
}

// Fetch returns the secrets by name when all of them are verified. Without
// Large, what together is longer than a message of secret.Held bytes fails with
// secret.ErrTooLarge. If any fails, the Failures tell of each that did, in the
// order of the names, and the others are returned beside them.
func (f *Fetcher) Fetch(ctx context.Context, names []string) (map[string]*Fetched, error) {
	got := make([]*Fetched, len(names))
	failed := make(Failures, len(names))
	var group errgroup.Group
	group.SetLimit(f.SideBySide)
	seen := map[string]bool{}
	for i, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		group.Go(func() error {
			got[i], failed[i] = f.fetch(ctx, name)
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

// Open begins to read a secret, or its message if that is asked for.
func (f *Fetcher) Open(ctx context.Context, name string) (*secret.Secret, error) {
	if f.Raw {
		return f.Store.OpenRaw(ctx, name)
	}
	return f.Store.Open(ctx, name)
}

func (f *Fetcher) fetch(ctx context.Context, name string) (*Fetched, error) {
	opened, err := f.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	got := &Fetched{Secret: opened}
	check := f.Sums.Check(opened)
	if opened.Size > alone {
		f.reading.Lock()
		defer f.reading.Unlock()
	}
	switch {
	case f.hold(opened.Size):
		if got.Plaintext, err = opened.All(budget); err == nil {
			check.Write(got.Plaintext)
		}
	case !f.Large:
		return nil, fmt.Errorf("%s: %w", name, secret.ErrTooLarge)
	case f.Raw && !check.Needed():
		got.large = opened.Unread()
		return got, nil
	default:
		got.large, err = opened.Verify(check)
	}
	if err == nil {
		err = check.Verify()
	}
	if err != nil {
		return nil, err
	}
	return got, nil
}

// hold tells whether a message of that size can be held beside the others.
func (f *Fetcher) hold(size int64) bool {
	if f.held.Add(size) <= budget {
		return true
	}
	f.held.Add(-size)
	return false
}
