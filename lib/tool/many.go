package tool

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// ManyAtOnce is how many secrets a program works on at once where there may be
// thousands: each is a request or two at a time, on connections that are kept.
const ManyAtOnce = 16

// CheckDash checks how the name "-", which stands for names on standard input,
// goes with the others and with the flag -0.
func CheckDash(names []string, nul bool) error {
	switch i := slices.Index(names, "-"); {
	case i >= 0 && slices.Contains(names[i+1:], "-"):
		return Usagef(`the name "-", standard input, is given twice`)
	case i < 0 && nul:
		return Usagef(`flag -0 goes with the name "-", names on standard input`)
	}
	return nil
}

// Names puts the names from standard input in the place of "-".
func (t *Tool) Names(ctx context.Context, args []string, nul bool) ([]string, error) {
	i := slices.Index(args, "-")
	if i < 0 {
		return args, nil
	}
	read, err := t.ReadNames(ctx, nul)
	if err != nil {
		return nil, err
	}
	return slices.Concat(args[:i], read, args[i+1:]), nil
}

// Each calls do for each name, ManyAtOnce at a time, and returns what failed in
// the order of the names. When the context ends no further one is begun, and
// what is left fails with the context's error.
func Each(ctx context.Context, names []string, do func(name string) error) Failures {
	return each(ctx, ManyAtOnce, names, do)
}

// Gather calls get once for each distinct name, limit at a time, and returns what
// it got by name. If any fails, the Failures say so of each that did, in the order
// of the names, and what the others got is returned as well.
func Gather[T any](ctx context.Context, limit int, names []string, get func(name string) (T, error)) (map[string]T, error) {
	got := make(map[string]T, len(names))
	var mu sync.Mutex
	failed := each(ctx, limit, distinct(names), func(name string) error {
		v, err := get(name)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			got[name] = v
		}
		return err
	})
	if ctx.Err() != nil {
		return got, context.Cause(ctx)
	}
	return got, failed.Err()
}

// finishTimeout is how long what is under way may take when a signal comes.
const finishTimeout = 10 * time.Second

// Finish returns a context for what a signal lets come to its end: it ends ten seconds
// after ctx, so that nothing is changed without its line.
func Finish(ctx context.Context) (context.Context, context.CancelFunc) {
	finish, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(finishTimeout, cancel) })
	return finish, func() {
		stop()
		cancel()
	}
}

// First returns the names that Gather begins with, at most limit.
func First(limit int, names []string) []string {
	names = distinct(names)
	return names[:min(limit, len(names))]
}

func distinct(names []string) (once []string) {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			once = append(once, name)
		}
	}
	return once
}

func each(ctx context.Context, limit int, names []string, do func(name string) error) Failures {
	failed := make(Failures, len(names))
	var group errgroup.Group
	group.SetLimit(limit)
	for i, name := range names {
		group.Go(func() error {
			if failed[i] = context.Cause(ctx); failed[i] == nil {
				failed[i] = do(name)
			}
			return nil
		})
	}
	group.Wait()
	return failed
}
