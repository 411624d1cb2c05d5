package fakeaws

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// distance has connections take as long as if the client were far away.
type distance struct {
	net.Listener
	roundTrip atomic.Int64 // a time.Duration
}

func (d *distance) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &distantConn{Conn: conn, distance: d, opened: time.Now(), hears: true}, nil
}

// distantConn delays what is said by half a round trip each time that the other side
// begins to speak, and the first words by a whole one more, which is what it takes to
// open a connection.
type distantConn struct {
	net.Conn
	distance *distance
	opened   time.Time

	mu           sync.Mutex
	hears, tells bool // the next read, or write, is the first after the other side's
}

func (c *distantConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.turn(&c.hears, &c.tells) {
		roundTrip := time.Duration(c.distance.roundTrip.Load())
		time.Sleep(max(roundTrip/2, time.Until(c.opened.Add(roundTrip+roundTrip/2))))
	}
	return n, err
}

func (c *distantConn) Write(p []byte) (int, error) {
	if c.turn(&c.tells, &c.hears) {
		time.Sleep(time.Duration(c.distance.roundTrip.Load()) / 2)
	}
	return c.Conn.Write(p)
}

// turn reports whether one side begins to speak, and waits for the other.
func (c *distantConn) turn(mine, theirs *bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	began := *mine
	*mine, *theirs = false, true
	return began
}

// selfSigned returns a certificate for the server's own hosts, and writes it to a
// file for AWS_CA_BUNDLE.
func selfSigned() (certificate tls.Certificate, file string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "fakeaws"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(30 * 24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:              []string{"localhost", "*.localhost"},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	f, err := os.CreateTemp("", "fakeaws-*.pem")
	if err != nil {
		return tls.Certificate{}, "", err
	}
	defer f.Close()
	err = pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, f.Name(), err
}
