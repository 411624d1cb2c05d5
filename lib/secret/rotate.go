package secret

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"microsecrets/lib/internal/keyring"
	"microsecrets/lib/message"
)

// The encryption context's keys of who encrypted a secret anew, and when: what
// contextBy and contextAt say of the secret itself stays as it is.
const (
	contextRotatedBy = "ms-rotated-by"
	contextRotatedAt = "ms-rotated-at"
)

// rotateTries is how often a secret that others change meanwhile is taken up
// again.
const rotateTries = 8

// rotatedAlone is the size of a message in bytes above which no two are rotated
// at once, for the memory that an upload takes.
const rotatedAlone = 1 << 20

// Rotator encrypts secrets anew under the keys that the store's setting key
// names today. It is safe for concurrent use.
type Rotator struct {
	store *Store
	from  string
	alone sync.Mutex

	mu    sync.Mutex
	today map[string]func() ([]string, error) // the ARNs of today's keys, by their names in the setting
}

// Rotator returns a Rotator that reads what is under the keys of the store, and
// under those of from, further ones in the form of Options.Key; it may be empty.
func (s *Store) Rotator(from string) *Rotator {
	return &Rotator{store: s, from: from, today: map[string]func() ([]string, error){}}
}

// Rotation tells what became of a secret, or would.
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
// looked at again. One that is under today's keys already, by its header, is left
// as it is. The first of a service takes one more GenerateDataKey, whose answer
// tells the ARNs of today's keys.
func (r *Rotator) Rotate(ctx context.Context, name string) (*Rotation, error) {
	for tries := 1; ; tries++ {
		rotation, err := r.rotate(ctx, name)
		if !errors.Is(err, ErrChanged) || tries == rotateTries {
			return rotation, err
		}
	}
}

func (r *Rotator) rotate(ctx context.Context, name string) (*Rotation, error) {
	s := r.store
	if err := s.writable(name, PutOptions{}); err != nil {
		return nil, s.named(name, err)
	}
	today, err := r.keys(ctx, name)
	if err != nil {
		return nil, s.named(name, err)
	}
	ring, err := r.reading(name)
	if err != nil {
		return nil, s.named(name, err)
	}
	var h *message.Header
	rotation := &Rotation{Name: name, New: today}
	opened, err := s.open(ctx, name, func(opened *Secret) error {
		reader, err := message.NewReader(stored{opened}, message.ReaderOptions{AcceptUnsigned: s.options.Unsigned},
			func(header *message.Header) ([]byte, error) {
				h = header
				if err := s.bound(h, name); err != nil {
					return nil, err
				}
				if slices.Equal(wrappedBy(h), today) {
					return nil, errCurrent
				}
				return ring.Unwrap(ctx, h)
			})
		opened.content = reader
		return err
	})
	switch {
	case errors.Is(err, errCurrent):
		rotation.Current, rotation.Old = true, today
		return rotation, nil
	case err != nil:
		return nil, err
	}
	defer opened.Close()
	if opened.Size > rotatedAlone {
		r.alone.Lock()
		defer r.alone.Unlock()
	}
	rotation.Old = shown(wrappedBy(h))
	_, err = s.PutWith(ctx, name, opened, PutOptions{If: opened.ETag, Claims: r.claims(h)})
	return rotation, err
}

// Look tells what Rotate would do, by the header alone, of the latest version or
// of the one that At was given.
func (r *Rotator) Look(ctx context.Context, name, version string) (*Rotation, error) {
	s := r.store.At(version)
	today, err := r.keys(ctx, name)
	if err != nil {
		return nil, s.named(name, err)
	}
	_, h, err := s.Inspect(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := s.bound(h, name); err != nil {
		return nil, s.named(name, err)
	}
	old := wrappedBy(h)
	return &Rotation{Name: name, Current: slices.Equal(old, today), Old: shown(old), New: today}, nil
}

// keys are the ARNs of today's keys for a name. KMS tells them when it makes a
// data key, which whoever rotates may have it do anyway.
func (r *Rotator) keys(ctx context.Context, name string) ([]string, error) {
	named, err := keyring.Keys(r.store.options.Key, Service(name))
	if err != nil {
		return nil, err
	}
	id := strings.Join(named, ",")
	r.mu.Lock()
	today := r.today[id]
	if today == nil {
		today = sync.OnceValues(func() ([]string, error) {
			key, wrapped, err := keyring.New(r.store.cloud, named).Wrap(ctx, r.store.context(name, nil))
			clear(key)
			return wrappedBy(&message.Header{DataKeys: wrapped}), err
		})
		r.today[id] = today
	}
	r.mu.Unlock()
	return today()
}

// reading is a keyring of those to rotate from, the likelier ones, and of
// today's keys.
func (r *Rotator) reading(name string) (*keyring.Keyring, error) {
	setting := r.store.options.Key
	if r.from != "" {
		setting = r.from + "," + setting
	}
	keys, err := keyring.Keys(setting, Service(name))
	if err != nil {
		return nil, err
	}
	return keyring.New(r.store.cloud, keys), nil
}

// claims are those of the old message, and who rotates it when.
func (r *Rotator) claims(h *message.Header) map[string]string {
	claims := maps.Clone(h.Context)
	delete(claims, message.PublicKey)
	claims[contextRotatedBy] = r.store.options.By
	claims[contextRotatedAt] = time.Now().UTC().Format(time.RFC3339)
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

// shown quotes what is no ARN: anybody may have written a header.
func shown(arns []string) []string {
	safe := make([]string, len(arns))
	for i, arn := range arns {
		safe[i] = keyring.Show(arn)
	}
	return safe
}
