package fakeaws

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// memoryBuffer is how many bytes a connection in memory holds in each direction
// before whoever writes must wait, as those of a network do.
const memoryBuffer = 64 << 10

// memoryPort is that of a server in memory: nobody listens there, so that a client
// that does not know how to reach the server is refused.
const memoryPort = 1

// memoryListener hands the ends of connections in memory to a server.
type memoryListener struct {
	dialled chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func newMemoryListener() *memoryListener {
	return &memoryListener{dialled: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.dialled:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return memoryAddr }

var memoryAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: memoryPort}

func (l *memoryListener) dial(ctx context.Context) (net.Conn, error) {
	there, back := newStream(), newStream()
	select {
	case l.dialled <- &memoryConn{in: there, out: back}:
		return &memoryConn{in: back, out: there}, nil
	case <-l.closed:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// DialContext opens a connection to the server, for a client of a server in memory.
// What is no host and port of the server's own is refused.
func (s *Server) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	_, want, _ := net.SplitHostPort(s.listener.Addr().String())
	_, port, _ := net.SplitHostPort(address)
	memory, inMemory := s.listener.(*memoryListener)
	err := error(syscall.ECONNREFUSED)
	switch {
	case port != want || !own(address):
	case !inMemory:
		return new(net.Dialer).DialContext(ctx, network, s.listener.Addr().String())
	default:
		var conn net.Conn
		if conn, err = memory.dial(ctx); err == nil {
			return conn, nil
		}
	}
	return nil, &net.OpError{Op: "dial", Net: network, Addr: memoryAddr, Err: err}
}

// A memoryConn is one end of a connection in memory. Unlike net.Pipe's, what is
// written need not be read at once: two sides that both write do not wait for each
// other.
type memoryConn struct{ in, out *stream }

func (c *memoryConn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, failed("read", err)
}

func (c *memoryConn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, failed("write", err)
}

func failed(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: memoryAddr, Addr: memoryAddr, Err: err}
}

// Close ends both directions. What was written can still be read.
func (c *memoryConn) Close() error {
	c.in.update(func() { c.in.deaf = true })
	c.out.update(func() { c.out.ended = true })
	c.SetDeadline(time.Time{}) // no timer is left
	return nil
}

func (c *memoryConn) LocalAddr() net.Addr  { return memoryAddr }
func (c *memoryConn) RemoteAddr() net.Addr { return memoryAddr }

func (c *memoryConn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *memoryConn) SetReadDeadline(t time.Time) error {
	c.in.expire(&c.in.reading, t)
	return nil
}

func (c *memoryConn) SetWriteDeadline(t time.Time) error {
	c.out.expire(&c.out.writing, t)
	return nil
}

// A stream is one direction of a connection in memory.
type stream struct {
	mu      sync.Mutex
	changed *sync.Cond

	bytes            []byte // written, and not read yet
	ended            bool   // by the writer
	deaf             bool   // the reader has closed
	reading, writing deadline
}

// A deadline is the zero one for none.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func newStream() *stream {
	s := &stream{}
	s.changed = sync.NewCond(&s.mu)
	return s
}

func (s *stream) update(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.changed.Broadcast()
}

func (s *stream) expire(d *deadline, at time.Time) {
	s.update(func() {
		if d.timer != nil {
			d.timer.Stop()
		}
		if d.at, d.timer = at, nil; !at.IsZero() && !d.passed() {
			d.timer = time.AfterFunc(time.Until(at), func() { s.update(func() {}) })
		}
	})
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.deaf:
			return 0, net.ErrClosed
		case s.reading.passed():
			return 0, os.ErrDeadlineExceeded
		case len(s.bytes) > 0 || len(p) == 0:
			n := copy(p, s.bytes)
			if s.bytes = s.bytes[n:]; len(s.bytes) == 0 {
				s.bytes = nil
			}
			s.changed.Broadcast()
			return n, nil
		case s.ended:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.ended:
			return n, net.ErrClosed
		case s.writing.passed():
			return n, os.ErrDeadlineExceeded
		case s.deaf:
			return n, syscall.EPIPE
		}
		room := min(len(p), memoryBuffer-len(s.bytes))
		s.bytes = append(s.bytes, p[:room]...)
		p, n = p[room:], n+room
		if room > 0 {
			s.changed.Broadcast()
		}
		if len(p) == 0 {
			return n, nil
		}
		s.changed.Wait()
	}
}
