package completion

import (
	"context"
	"fmt"

	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/names"
)

// list returns the names that begin with prefix, one level of them: a group ends in
// a slash. It returns none if anything is in the way. Where a repository may have
// brought the file that names the store, the store is not asked.
func list(ctx context.Context, t *tool.Tool, prefix string) []string {
	s, err := t.Settings()
	if err != nil || secret.CheckPrefix(prefix) != nil {
		return nil
	}
	kept, err := names.Open(s, true)
	if err == nil {
		defer kept.Close()
		if listed, ok := kept.Get(prefix); ok {
			return listed
		}
	}
	if s.Found {
		return nil
	}
	listed, err := ask(ctx, t, prefix)
	if err != nil {
		return nil
	}
	if kept != nil {
		_ = kept.Put(prefix, listed) // the next time asks again
	}
	return listed
}

// ask lists names in the store.
func ask(ctx context.Context, t *tool.Tool, prefix string) ([]string, error) {
	store, err := t.OpenQuietly(ctx, Limit)
	if err != nil {
		return nil, err
	}
	var listed []string
	for e, err := range store.List(ctx, prefix, &secret.ListOptions{OneLevel: true}) {
		switch {
		case err != nil:
			return nil, err
		case !e.Valid || !names.Fits(e.Name, prefix):
			continue
		case len(listed) == names.Max:
			return nil, fmt.Errorf("more than %d names", names.Max)
		}
		listed = append(listed, e.Name)
	}
	return listed, ctx.Err()
}
