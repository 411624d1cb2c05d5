package secret

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"microsecrets/lib/bucket"
	"microsecrets/lib/message"
)

// Receipt tells what a Put has stored.
type Receipt struct {
	Name    string
	SHA256  [sha256.Size]byte // of the stored message: it pins this write and tells nothing of the secret
	Size    int64             // of the plaintext, in bytes
	ETag    string            // without its quotes
	Version string            // empty where the bucket keeps no versions
	Key     string            // the ARN of the KMS key that made the data key
}

// ErrReplica is the error of putting into a store that has an origin.
var ErrReplica = errors.New("a store with an origin is a replica: it can only be read")

// Put encrypts what src yields, to its end, and stores it under name in place
// of what was there: one GenerateDataKey and, up to 8 MiB, one PutObject.
// Nothing is stored if src or anything else fails.
func (s *Store) Put(ctx context.Context, name string, src io.Reader) (*Receipt, error) {
	r, err := s.put(ctx, name, src)
	if err != nil {
		return nil, s.named(name, err)
	}
	return r, nil
}

func (s *Store) put(ctx context.Context, name string, src io.Reader) (*Receipt, error) {
	key, err := s.location.key(name)
	if err != nil {
		return nil, err
	}
	if s.options.Origin != "" {
		return nil, ErrReplica
	}
	upload := s.bucket.Upload(ctx, key, bucket.Condition{})
	receipt, err := s.encrypt(ctx, name, src, upload)
	if err != nil {
		if left := upload.Abort(); left != nil {
			err = fmt.Errorf("%w; stored parts are left behind: %w", err, left)
		}
		return nil, err
	}
	return receipt, nil
}

func (s *Store) encrypt(ctx context.Context, name string, src io.Reader, upload *bucket.Upload) (*Receipt, error) {
	ring, err := s.keyring(name)
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	w, err := message.NewWriter(io.MultiWriter(upload, hash), message.WriterOptions{
		Suite: s.suite(),
		Context: map[string]string{
			contextStore: s.location.String(),
			contextName:  name,
			contextBy:    s.options.By,
			contextAt:    time.Now().UTC().Format(time.RFC3339),
		},
	}, func(encryptionContext map[string]string) ([]byte, []message.EncryptedDataKey, error) {
		return ring.Wrap(ctx, encryptionContext)
	})
	if err != nil {
		return nil, err
	}
	size, err := io.Copy(w, src)
	if err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	written, err := upload.Close()
	if err != nil {
		return nil, err
	}
	return &Receipt{
		Name:    name,
		SHA256:  [sha256.Size]byte(hash.Sum(nil)),
		Size:    size,
		ETag:    unquote(written.ETag),
		Version: written.Version,
		Key:     w.Header().DataKeys[0].Info,
	}, nil
}

// Exists tells whether there is a secret of that name, by one HeadObject.
func (s *Store) Exists(ctx context.Context, name string) (bool, error) {
	key, err := s.location.key(name)
	if err != nil {
		return false, &nameError{name, err}
	}
	_, err = s.bucket.Head(ctx, key, "")
	err = s.named(name, err)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
