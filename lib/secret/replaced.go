package secret

import (
	"bytes"
	"context"
	"io"

	"microsecrets/lib/message"
)

// replacedMax is the length in bytes of the longest message that is read because it
// is about to be replaced.
const replacedMax = 16 << 20

// A replaced secret is what a put is about to replace, read side by side with it. That
// it cannot be read is no failure of the put.
type replaced struct {
	cancel context.CancelFunc
	read   chan struct{} // closed when the message has been read, and may be replaced
	done   chan struct{} // closed when the message has been decrypted
	text   []byte
	ok     bool
}

func (s *Store) readReplaced(ctx context.Context, t target) *replaced {
	ctx, cancel := context.WithCancel(ctx)
	r := &replaced{cancel: cancel, read: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		stored, err := s.readStored(ctx, t)
		close(r.read)
		if err != nil {
			return
		}
		r.text, err = s.decryptStored(ctx, t, stored)
		r.ok = err == nil
	}()
	return r
}

// wait returns the plaintext, if there is one.
func (r *replaced) wait() ([]byte, bool) {
	<-r.done
	return r.text, r.ok
}

func (r *replaced) close() {
	r.cancel()
	<-r.done
	clear(r.text)
}

// readStored reads a stored message as a whole, so that its connection is free again.
func (s *Store) readStored(ctx context.Context, t target) ([]byte, error) {
	object, err := s.bucket.Get(ctx, t.key, "")
	if err != nil {
		return nil, err
	}
	defer object.Close()
	if object.Size > replacedMax {
		return nil, ErrTooLarge
	}
	stored, err := io.ReadAll(io.LimitReader(object, replacedMax+1))
	if err == nil && len(stored) > replacedMax {
		err = ErrTooLarge
	}
	return stored, err
}

func (s *Store) decryptStored(ctx context.Context, t target, stored []byte) ([]byte, error) {
	_, ring, err := s.resolveToRead(t.name, GetOptions{})
	if err != nil {
		return nil, err
	}
	m, err := message.NewReader(bytes.NewReader(stored), message.ReaderOptions{AcceptUnsigned: s.options.Unsigned}, func(h *message.Header) ([]byte, error) {
		if err := s.bound(h, t.name); err != nil {
			return nil, err
		}
		return ring.Unwrap(ctx, h)
	})
	if err != nil {
		return nil, err
	}
	h := holder{make([]byte, 0, len(stored)), replacedMax}
	if _, err := m.WriteTo(&h); err != nil {
		clear(h.bytes)
		return nil, err
	}
	return h.bytes, nil
}
