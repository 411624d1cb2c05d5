package put

import (
	"context"
	"crypto/sha256"
	"fmt"

	"microsecrets/lib/environ"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// change merges over into the stored environment and removes what -u names.
func (o *options) change(ctx context.Context, t *tool.Tool, name string, over environ.Env) error {
	for _, variable := range o.unset.Names {
		if _, both := over[variable]; both {
			return fmt.Errorf("%s: %w", name, tool.Usagef("variable %s is in the input, and flag -u removes it", variable))
		}
	}
	o.progress(t, 0)
	store, err := o.open(ctx, t, name)
	if err != nil {
		return err
	}
	var plain [sha256.Size]byte
	receipt, err := store.Merge(ctx, name, func(old []byte) ([]byte, error) {
		if old == nil && !o.merges() {
			return nil, fmt.Errorf("%w in %s", secret.ErrNotFound, store)
		}
		changed, err := o.merged(old, over)
		plain = sha256.Sum256(changed)
		return changed, err
	}, &o.condition)
	if err != nil {
		return err
	}
	if o.variable != "" && receipt.Outcome == secret.Created && !o.quiet {
		t.Notef("%s: is new in %s: %s is its only variable", name, store, o.variable)
	}
	return o.print(t, receipt, plain[:])
}

func (o *options) merged(old []byte, over environ.Env) ([]byte, error) {
	var env environ.Env
	if len(old) > 0 {
		var err error
		if env, err = environ.Parse(old, environ.Auto); err != nil {
			return nil, fmt.Errorf("what is stored is not an environment: %w", err)
		}
	}
	env, _ = env.Merge(over)
	for _, variable := range o.unset.Names {
		delete(env, variable)
	}
	if len(env) == 0 && !o.empty {
		return nil, tool.Usagef("no variable would be left (-empty accepts it)")
	}
	return env.Marshal()
}
