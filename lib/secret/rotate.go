package secret

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/internal/keyring"
	"microsecrets/lib/message"
)

// The encryption context's keys of who encrypted a secret anew, and when: what
// contextBy and contextAt say of the secret itself stays as it is.
const (
	contextRotatedBy = "ms-rotated-by"
	contextRotatedAt = "ms-rotated-at"
)

// largeRotation is the size in bytes above which messages are rotated one at a time,
// because of the memory that an upload takes.
const largeRotation = 1 << 20

// RotateOptions say which keys the secrets may be under.
type RotateOptions struct {
	From string // keys beside the store's, in the form of Options.Key
}

// Rotator encrypts secrets anew under the keys that the store's Options.Key
// names today. It is safe for concurrent use.
type Rotator struct {
	store *Store
	from  string
	large chan struct{} // holds a value while a large secret is rotated

	mu    sync.Mutex
	today map[string]chan []string // each holds the ARNs of today's keys, nil until they are known, by their names in the setting
}

// NewRotator returns a Rotator. It asks KMS for today's keys of a service until it has
// been told them once.
func (s *Store) NewRotator(o *RotateOptions) *Rotator {
	return &Rotator{store: s, from: orZero(o).From, large: make(chan struct{}, 1), today: map[string]chan []string{}}
}

// Rotation says what became of a secret, or would.
type Rotation struct {
	Name    string
	Current bool     // it is under today's keys: nothing was done
	Old     []string // the ARNs of its keys, as its header claims, safe to print
	New     []string // of today's keys
}

// errCurrent ends the reading of a secret that need not be rotated.
var errCurrent = errors.New("under today's keys")

// Rotate decrypts a secret, verifies it, encrypts it under new data keys, and
// stores it on condition that it is still the same: one GetObject, one Decrypt,
// one GenerateDataKey, one PutObject. A secret that others replace meanwhile is
// looked at again. One whose header says that it is under today's keys is left as it
// is. The first of a service takes one more GenerateDataKey, whose answer has the
// ARNs of today's keys.
func (r *Rotator) Rotate(ctx context.Context, name string) (*Rotation, error) {
	t, ring, err := r.resolve(name)
	if err != nil {
		return nil, r.store.fail("rotate", name, err)
	}
	for try := 1; ; try++ {
		rotation, err := r.rotate(ctx, t, ring)
		if try == attempts || !isConflict(err) && !errors.Is(err, ErrChanged) {
			return rotation, r.store.fail("rotate", name, err)
		}
	}
}

// resolve resolves a name, and the keyring of those keys to rotate from, the
// likelier ones, and of today's.
func (r *Rotator) resolve(name string) (target, *keyring.Keyring, error) {
	s := r.store
	t, err := s.resolveToWrite(name)
	if err != nil {
		return t, nil, err
	}
	keys := t.kms
	if r.from != "" {
		from, err := s.keys(r.from, name)
		if err != nil {
			return t, nil, err
		}
		keys = append(from, keys...)
	}
	return t, keyring.New(s.client, keys), nil
}

func (r *Rotator) rotate(ctx context.Context, t target, ring *keyring.Keyring) (*Rotation, error) {
	s := r.store
	today, err := r.keys(ctx, t)
	if err != nil {
		return nil, err
	}
	object, err := s.bucket.Get(ctx, t.key, "")
	if err != nil {
		return nil, err
	}
	old, err := s.decrypt(ctx, t, object, nil, message.ReaderOptions{AcceptUnsigned: s.options.Unsigned},
		func(ctx context.Context, h *message.Header) ([]byte, error) {
			if slices.Equal(wrappedBy(h), today) {
				return nil, errCurrent
			}
			return ring.Unwrap(ctx, h)
		})
	rotation := &Rotation{Name: t.name, New: today}
	switch {
	case errors.Is(err, errCurrent):
		rotation.Current, rotation.Old = true, today
		return rotation, nil
	case err != nil:
		return nil, err
	}
	defer object.Close()
	if old.Size > largeRotation {
		select {
		case r.large <- struct{}{}:
			defer func() { <-r.large }()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	rotation.Old = shown(wrappedBy(old.header))
	condition, err := bucket.Matching(object.ETag)
	if err != nil {
		return nil, err
	}
	w, err := s.seal(ctx, t, old.content, condition, claim{kept: r.claims(old.header)})
	if err != nil {
		return nil, err
	}
	if _, err := w.commit(ctx); err != nil {
		return nil, w.abort(err)
	}
	return rotation, nil
}

// Plan says what Rotate would do, by the header alone, of the latest version or
// of the one that is given.
func (r *Rotator) Plan(ctx context.Context, name, version string) (*Rotation, error) {
	rotation, err := r.plan(ctx, name, version)
	return rotation, r.store.fail("rotate", name, err)
}

func (r *Rotator) plan(ctx context.Context, name, version string) (*Rotation, error) {
	t, err := r.store.resolve(name)
	if err != nil {
		return nil, err
	}
	today, err := r.keys(ctx, t)
	if err != nil {
		return nil, err
	}
	_, h, err := r.store.Inspect(ctx, name, &GetOptions{Version: version})
	if err != nil {
		return nil, err
	}
	if err := r.store.bound(h, name); err != nil {
		return nil, err
	}
	old := wrappedBy(h)
	return &Rotation{Name: name, Current: slices.Equal(old, today), Old: shown(old), New: today}, nil
}

// keys returns the ARNs of today's keys for a name. KMS returns them with a data
// key, and a caller who rotates needs the permission to generate one anyway.
func (r *Rotator) keys(ctx context.Context, t target) ([]string, error) {
	id := strings.Join(t.kms, ",")
	r.mu.Lock()
	today := r.today[id]
	if today == nil {
		today = make(chan []string, 1)
		today <- nil
		r.today[id] = today
	}
	r.mu.Unlock()
	var arns []string
	select {
	case arns = <-today: // and whoever comes meanwhile waits for them
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { today <- arns }()
	if arns != nil {
		return arns, nil
	}
	wrapped, err := keyring.New(r.store.client, t.kms).Wrap(ctx, r.store.context(t.name, claim{}, 0))
	clear(wrapped.Key)
	if err != nil {
		return nil, err
	}
	arns = wrappedBy(&message.Header{DataKeys: wrapped.DataKeys})
	return arns, nil
}

// claims returns those of the old message, and who rotates it, and when.
func (r *Rotator) claims(h *message.Header) map[string]string {
	claims := maps.Clone(h.Context)
	delete(claims, message.PublicKey)
	delete(claims, contextRotatedBy)
	if by := *r.store.options.By; by != "" {
		claims[contextRotatedBy] = by
	}
	claims[contextRotatedAt] = timestamp(0)
	return claims
}

// wrappedBy returns the ARNs of the KMS keys that a header claims.
func wrappedBy(h *message.Header) []string {
	var arns []string
	for _, k := range h.DataKeys {
		if k.Provider == keyring.Provider {
			arns = append(arns, k.Info)
		}
	}
	return arns
}

// shown quotes what is not an ARN, since anybody may have written a header.
func shown(arns []string) []string {
	safe := make([]string, len(arns))
	for i, arn := range arns {
		safe[i] = keyring.Show(arn)
	}
	return safe
}
