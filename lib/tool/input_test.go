package tool

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
)

// TestOutput writes in one go what goes out in pieces.
func TestOutput(t *testing.T) {
	for _, size := range []int{0, 1, pieceLen, pieceLen + 1, 5*pieceLen - 1} {
		var out bytes.Buffer
		p := make([]byte, size)
		for i := range p {
			p[i] = byte(i >> 8)
		}
		n, err := New("ms-x", "", nil, &out, io.Discard).Output(t.Context()).Write(p)
		if n != size || err != nil || !bytes.Equal(out.Bytes(), p) {
			t.Errorf("%d bytes: %d, %v; %d came out", size, n, err, out.Len())
		}
	}
}

// TestOutputLeft leaves a write behind, then uses the memory of what was written
// for something else.
func TestOutputLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	w := stuck{begun: make(chan struct{}), goOn: make(chan struct{}), out: make(chan string, 1)}
	out := New("ms-x", "", nil, w, io.Discard).Output(ctx)
	p := []byte("authentic")
	failed := make(chan error)
	go func() {
		_, err := out.Write(p)
		failed <- err
	}()
	<-w.begun
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	copy(p, "of others")
	if n, err := out.Write(p); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("a write after it: %d, %v", n, err)
	}
	close(w.goOn)
	if got := <-w.out; got != "authentic" {
		t.Errorf("%q came out", got)
	}
}

// stuck is a destination that takes what it is given when it is told to go on.
type stuck struct {
	begun chan struct{}
	goOn  chan struct{}
	out   chan string
}

func (s stuck) Write(p []byte) (int, error) {
	s.begun <- struct{}{}
	<-s.goOn
	s.out <- string(p)
	return len(p), nil
}
