package awsclient

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	// dialTimeout bounds a connection that is opened in advance, TLS included.
	dialTimeout = 10 * time.Second

	// unusedTimeout is how long a connection that was opened in advance waits for
	// its request. A server that finds it idle may close it.
	unusedTimeout = 5 * time.Second
)

// dialer opens connections in advance, while what comes before their requests is
// under way, and hands each to the request that wants one to the same server.
type dialer struct {
	proxy  func(*http.Request) (*url.URL, error) // nil: none
	config *tls.Config
	plain  func(ctx context.Context, network, address string) (net.Conn, error)

	mu      sync.Mutex
	servers map[server]*serverConns
}

// server is what a connection leads to: an address, by TLS or not.
type server struct {
	address string
	tls     bool
}

// serverConns are the connections to one server.
type serverConns struct {
	open     int              // or being opened
	expected int              // requests that will want one
	unused   []chan *prepared // opened in advance
}

// prepared is the outcome of opening a connection in advance.
type prepared struct {
	conn net.Conn
	err  error
}

// dialAhead has a transport take the connections that are opened in advance.
func dialAhead(t *http.Transport) *dialer {
	d := &dialer{proxy: t.Proxy, config: &tls.Config{MinVersion: tls.VersionTLS12}, plain: t.DialContext, servers: map[server]*serverConns{}}
	if d.plain == nil {
		d.plain = new(net.Dialer).DialContext
	}
	if t.TLSClientConfig != nil { // which the transport changes when it is first used
		d.config = t.TLSClientConfig.Clone()
	}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return d.take(ctx, network, server{address, false})
	}
	t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return d.take(ctx, network, server{address, true})
	}
	return d
}

// take returns a connection that was opened in advance, or opens one.
func (d *dialer) take(ctx context.Context, network string, s server) (net.Conn, error) {
	for {
		d.mu.Lock()
		c := d.of(s)
		var next chan *prepared
		if len(c.unused) > 0 {
			next, c.unused = c.unused[0], c.unused[1:]
		}
		d.mu.Unlock()
		if next == nil {
			return d.dial(ctx, network, s)
		}
		select {
		case p, ok := <-next:
			if ok && p.err == nil {
				return p.conn, nil
			}
		case <-ctx.Done():
			go func() {
				if p, ok := <-next; ok && p.err == nil {
					p.conn.Close()
				}
			}()
			return nil, context.Cause(ctx)
		}
	}
}

func (d *dialer) of(s server) *serverConns {
	c := d.servers[s]
	if c == nil {
		c = &serverConns{}
		d.servers[s] = c
	}
	return c
}

// dial opens a connection, TLS included.
func (d *dialer) dial(ctx context.Context, network string, s server) (net.Conn, error) {
	d.count(s, 1)
	conn, err := d.plain(ctx, network, s.address)
	if err != nil {
		d.count(s, -1)
		return nil, err
	}
	counted := &countedConn{Conn: conn, closed: sync.OnceFunc(func() { d.count(s, -1) })}
	if !s.tls {
		return counted, nil
	}
	host, _, err := net.SplitHostPort(s.address)
	if err != nil {
		counted.Close()
		return nil, err
	}
	config := d.config.Clone()
	if config.ServerName == "" {
		config.ServerName = host
	}
	secured := tls.Client(counted, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		counted.Close()
		return nil, err
	}
	return secured, nil
}

func (d *dialer) count(s server, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.of(s).open += n
}

// countedConn is a connection that is counted until it is closed.
type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// expect says that a request to a URL will come, and opens a connection for it in
// advance unless there is one for each request that is expected. Done says that the
// request has come, or will not.
func (d *dialer) expect(to *url.URL) (done func()) {
	s, ok := d.serverOf(to)
	if !ok {
		return func() {}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.of(s)
	c.expected++
	if c.open < min(c.expected, connections) {
		c.open++ // until dial counts it
		next := make(chan *prepared, 1)
		c.unused = append(c.unused, next)
		go d.prepare(s, next)
	}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		c.expected--
	}
}

// prepare opens a connection for next, and closes it if nobody takes it.
func (d *dialer) prepare(s server, next chan *prepared) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	d.count(s, -1)
	conn, err := d.dial(ctx, "tcp", s)
	next <- &prepared{conn, err}
	time.AfterFunc(unusedTimeout, func() {
		select {
		case p := <-next:
			close(next) // whoever takes it later goes on to the next
			if p.err == nil {
				p.conn.Close()
			}
		default:
		}
	})
}

// serverOf is where the connection of a request to a URL leads: to the proxy, if
// there is one.
func (d *dialer) serverOf(to *url.URL) (server, bool) {
	if d.proxy != nil {
		proxy, err := d.proxy(&http.Request{URL: to})
		if err != nil {
			return server{}, false
		}
		if proxy != nil {
			to = proxy
		}
	}
	port := to.Port()
	switch {
	case to.Scheme != "http" && to.Scheme != "https":
		return server{}, false // a SOCKS proxy
	case port == "" && to.Scheme == "https":
		port = "443"
	case port == "":
		port = "80"
	}
	return server{net.JoinHostPort(to.Hostname(), port), to.Scheme == "https"}, true
}
