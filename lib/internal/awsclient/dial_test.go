package awsclient

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// counting is a transport whose connections are counted.
func counting(t *http.Transport) (*dialer, *atomic.Int64) {
	var dials atomic.Int64
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return dialAhead(t), &dials
}

// Each connection that was opened in advance is used by the request that it was
// opened for, by TLS or not, and no other is opened.
func TestExpectedConnections(t *testing.T) {
	for name, start := range map[string]func(http.Handler) *httptest.Server{"plain": httptest.NewServer, "TLS": httptest.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			const requests = 5
			var together sync.WaitGroup
			together.Add(requests)
			server := start(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				together.Done()
				together.Wait()
			}))
			defer server.Close()
			transport := server.Client().Transport.(*http.Transport).Clone()
			transport.DialContext = nil
			defer transport.CloseIdleConnections()
			d, dials := counting(transport)
			to, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			var expected []func()
			for range requests {
				expected = append(expected, d.expect(to))
			}
			client := &http.Client{Transport: transport}
			var group sync.WaitGroup
			for range requests {
				group.Go(func() {
					resp, err := client.Get(server.URL)
					if err != nil {
						t.Error(err)
						return
					}
					resp.Body.Close()
				})
			}
			group.Wait()
			for _, done := range expected {
				done()
			}
			if n := dials.Load(); n != requests {
				t.Errorf("%d connections for %d requests", n, requests)
			}
			// There are idle ones now.
			d.expect(to)()
			if n := dials.Load(); n != requests {
				t.Errorf("%d connections where there were %d", n, requests)
			}
		})
	}
}

// A connection that cannot be opened in advance is no failure of a request, and one
// that nobody takes is closed.
func TestUnusedConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var refuse atomic.Bool
		var open atomic.Int64
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			if refuse.Load() {
				return nil, errors.New("refused")
			}
			open.Add(1)
			conn, peer := net.Pipe()
			go func() {
				peer.Read(make([]byte, 1)) // ends when the other side is closed
				open.Add(-1)
			}()
			return conn, nil
		}}
		d := dialAhead(transport)
		to := &url.URL{Scheme: "http", Host: "example.com"}

		refuse.Store(true)
		done := d.expect(to)
		synctest.Wait()
		refuse.Store(false)
		conn, err := transport.DialContext(t.Context(), "tcp", "example.com:80")
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		done()

		done = d.expect(to)
		synctest.Wait()
		if open.Load() != 1 {
			t.Errorf("%d connections", open.Load())
		}
		time.Sleep(unusedTimeout + time.Second)
		synctest.Wait()
		if open.Load() != 0 {
			t.Error("an unused connection stays open")
		}
		if conn, err = transport.DialContext(t.Context(), "tcp", "example.com:80"); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		done()
		synctest.Wait()
		if n := d.of(server{"example.com:80", false}).open; n != 0 {
			t.Errorf("%d connections are counted", n)
		}
	})
}

func TestServerOf(t *testing.T) {
	proxy := func(text string) func(*http.Request) (*url.URL, error) {
		return func(*http.Request) (*url.URL, error) { return url.Parse(text) }
	}
	for _, test := range []struct {
		proxy func(*http.Request) (*url.URL, error)
		to    string
		want  server
		ok    bool
	}{
		{nil, "https://kms.eu-west-1.amazonaws.com/", server{"kms.eu-west-1.amazonaws.com:443", true}, true},
		{nil, "http://127.0.0.1:9000/b", server{"127.0.0.1:9000", false}, true},
		{nil, "http://[::1]/b", server{"[::1]:80", false}, true},
		{proxy("http://proxy:3128"), "https://s3.amazonaws.com/", server{"proxy:3128", false}, true},
		{proxy("https://proxy"), "http://s3.amazonaws.com/", server{"proxy:443", true}, true},
		{proxy("socks5://proxy:1080"), "https://s3.amazonaws.com/", server{}, false},
		{func(*http.Request) (*url.URL, error) { return nil, errors.New("no") }, "https://s3.amazonaws.com/", server{}, false},
	} {
		to, err := url.Parse(test.to)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := (&dialer{proxy: test.proxy}).serverOf(to)
		if got != test.want || ok != test.ok {
			t.Errorf("%s: %v, %v", test.to, got, ok)
		}
	}
}
