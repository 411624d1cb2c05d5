package faults_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"microsecrets/lib/fakeaws"
)

// The ports of the services of a network, which all are at 127.0.0.1.
const (
	portS3      = "9000"
	portKMS     = "9001"
	portS3TLS   = "9443"
	portKMSTLS  = "9444"
	portSession = "9002" // gives credentials that expire
)

// roundTrip is how far away the services are.
const roundTrip = 20 * time.Millisecond

// A network is what is between a program and the emulator: connections in memory,
// on which a fault can befall a request, or the connection that it wants.
type network struct {
	server *fakeaws.Server
	http   *http.Server
	dialed chan net.Conn
	closed chan struct{}
	good   tls.Certificate
	bad    map[string]tls.Certificate // by what is wrong with it

	mu    sync.Mutex
	links map[*link]bool
	cell  *cell
}

func newNetwork(server *fakeaws.Server, certificates *certificates) *network {
	n := &network{
		server: server,
		dialed: make(chan net.Conn),
		closed: make(chan struct{}),
		good:   certificates.good,
		bad:    certificates.bad,
		links:  map[*link]bool{},
	}
	n.http = &http.Server{
		Handler:  n,
		ErrorLog: log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, linkKey{}, linkOf(c))
		},
	}
	go n.http.Serve(n)
	return n
}

// Accept, Close and Addr make the network the listener of its own server.
func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.dialed:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error   { return nil }
func (n *network) Addr() net.Addr { return address(portS3) }

func address(port string) *net.TCPAddr {
	a, _ := net.ResolveTCPAddr("tcp", "127.0.0.1:"+port)
	return a
}

// end closes all.
func (n *network) end() {
	close(n.closed)
	n.http.Close()
	n.hangUp()
}

// hangUp closes every connection.
func (n *network) hangUp() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for l := range n.links {
		l.cut(nil)
	}
	clear(n.links)
}

// A link is one connection.
type link struct {
	port   string
	client net.Conn // the client's end
	server net.Conn
	sender *sender       // of the client, by TLS
	gone   chan struct{} // closed when the client hangs up
	once   sync.Once
	used   bool // a request has come by it; the network's lock

	mu  sync.Mutex
	err error // of the client's reads and writes, once it is cut
}

type linkKey struct{}

func linkOf(c net.Conn) *link {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return c.(*serverEnd).link
}

// cut ends a link: the client reads its end, or err.
func (l *link) cut(err error) {
	l.mu.Lock()
	if l.err == nil {
		l.err = err
	}
	l.mu.Unlock()
	l.server.Close()
	if l.sender != nil {
		l.sender.stop()
	}
}

// serverEnd and clientEnd are the ends of a link.
type serverEnd struct {
	net.Conn
	link *link
}

type clientEnd struct {
	net.Conn
	link *link
}

func (c *clientEnd) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.fail("read", err)
}

func (c *clientEnd) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.fail("write", err)
}

// fail has an end fail as one of TCP does.
func (c *clientEnd) fail(op string, err error) error {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	switch {
	case err == nil:
		return nil
	case (err == io.EOF || err == io.ErrClosedPipe) && c.link.err != nil:
		err = os.NewSyscallError(op, c.link.err)
	case err == io.ErrClosedPipe && op == "write":
		err = os.NewSyscallError(op, syscall.EPIPE)
	default:
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: address("40000"), Addr: address(c.link.port), Err: err}
}

func (c *clientEnd) Close() error {
	c.link.once.Do(func() { close(c.link.gone) })
	return c.Conn.Close()
}

// A sender is an end of a pipe whose writes do not wait for a reader, as a socket's do not
// while its buffer has room: crypto/tls says goodbye under a lock.
type sender struct {
	net.Conn
	queue chan []byte
	done  chan struct{} // closed when nothing more is sent
	once  sync.Once
}

func newSender(c net.Conn) *sender {
	s := &sender{Conn: c, queue: make(chan []byte, 64), done: make(chan struct{})}
	go func() {
		for {
			select {
			case b := <-s.queue:
				if _, err := c.Write(b); err != nil {
					s.stop()
					return
				}
			case <-s.done:
				return
			}
		}
	}()
	return s
}

func (s *sender) Write(p []byte) (int, error) {
	select {
	case <-s.done:
		return 0, io.ErrClosedPipe
	default:
	}
	select {
	case s.queue <- bytes.Clone(p):
		return len(p), nil
	case <-s.done:
		return 0, io.ErrClosedPipe
	}
}

func (s *sender) stop() { s.once.Do(func() { close(s.done) }) }

func (s *sender) Close() error {
	s.stop()
	return s.Conn.Close()
}

func (c *clientEnd) LocalAddr() net.Addr  { return address("40000") }
func (c *clientEnd) RemoteAddr() net.Addr { return address(c.link.port) }
func (c *serverEnd) RemoteAddr() net.Addr { return address("40000") }
func (c *serverEnd) LocalAddr() net.Addr  { return address(c.link.port) }

// dial opens a connection for a program.
func (n *network) dial(ctx context.Context, _, to string) (net.Conn, error) {
	_, port, _ := net.SplitHostPort(to)
	n.mu.Lock()
	strike := n.cell.onDial(port)
	n.mu.Unlock()
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: address(port), Err: err}
	}
	certificate := n.good
	switch strike {
	case "":
	case refused:
		return fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	case unreachable:
		return fail(os.NewSyscallError("connect", syscall.EHOSTUNREACH))
	case noSuchHost:
		return fail(&net.DNSError{Err: "no such host", Name: "s3.example", IsNotFound: true})
	case dnsFails:
		return fail(&net.DNSError{Err: "server misbehaving", Name: "s3.example", Server: "192.0.2.53:53", IsTemporary: true})
	case silence:
		select {
		case <-time.After(time.Minute):
		case <-n.closed:
		}
		return fail(os.ErrDeadlineExceeded)
	default:
		certificate = n.bad[strike]
	}
	secure := port == portS3TLS || port == portKMSTLS
	ours, theirs := net.Pipe()
	l := &link{port: port, gone: make(chan struct{})}
	if secure {
		l.sender = newSender(ours)
		ours = l.sender
	}
	client, server := &clientEnd{ours, l}, &serverEnd{theirs, l}
	l.client, l.server = client, server
	n.mu.Lock()
	n.links[l] = true
	n.mu.Unlock()
	var serve net.Conn = server
	if secure {
		serve = tls.Server(server, &tls.Config{Certificates: []tls.Certificate{certificate}})
	}
	select {
	case n.dialed <- serve:
		return client, nil
	case <-n.closed:
		l.cut(nil)
		return fail(syscall.ECONNREFUSED)
	}
}

// dropUnused closes the connections to a service by which no request has come yet.
func (n *network) dropUnused(service string) {
	for l := range n.links {
		if !l.used && serviceOf(l.port) == service {
			l.cut(nil)
			delete(n.links, l)
		}
	}
}

func serviceOf(port string) string {
	switch port {
	case portS3, portS3TLS:
		return "s3"
	case portKMS, portKMSTLS:
		return "kms"
	}
	return ""
}

// ServeHTTP has the cell's fault befall a request.
func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, r: r, network: n, link: r.Context().Value(linkKey{}).(*link)}
	if x.link.port == portSession {
		n.cell.giveCredentials(w)
		return
	}
	n.mu.Lock()
	x.link.used = true
	x.request, x.distinct, x.attempt = n.cell.arrive(r)
	f := n.cell.befalls(x)
	if n.cell.fault.closes {
		w.Header().Set("Connection", "close")
	}
	n.mu.Unlock()
	n.pause(roundTrip)
	if f == nil {
		n.server.ServeHTTP(w, r)
		return
	}
	f(x)
}

// pause waits, unless the network ends.
func (n *network) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-n.closed:
	}
}

// An exchange is a request that a fault befalls, and what becomes of it.
type exchange struct {
	http.ResponseWriter
	r        *http.Request
	network  *network
	link     *link
	request  string // which of the program's requests
	distinct int    // how many of those there were, retries aside
	attempt  int    // at this one
}

func (x *exchange) kms() bool { return serviceOf(x.link.port) == "kms" }

// readBody reads a part of the body; -1 is all of it.
func (x *exchange) readBody(n int64) {
	if n < 0 {
		io.Copy(io.Discard, x.r.Body)
		return
	}
	io.CopyN(io.Discard, x.r.Body, n)
}

// act has the emulator answer, and keeps the answer.
func (x *exchange) act() *answer {
	a := &answer{header: http.Header{}}
	x.network.server.ServeHTTP(a, x.r)
	return a
}

// cut ends the connection.
func (x *exchange) cut(err error) {
	x.link.cut(err)
	panic(http.ErrAbortHandler)
}

// untilGone waits until the client hangs up.
func (x *exchange) untilGone() {
	select {
	case <-x.link.gone:
	case <-x.network.closed:
	}
	panic(http.ErrAbortHandler)
}

// send sends an answer in bytes of the caller's own, and closes the connection if it
// must.
func (x *exchange) send(a *answer) {
	for name, values := range a.header {
		x.Header()[name] = values
	}
	x.Header().Del("Content-Length")
	x.WriteHeader(a.status)
	if x.r.Method != http.MethodHead {
		x.Write(a.body.Bytes())
	}
}

// raw takes the connection and writes bytes, in pieces with a pause after each.
func (x *exchange) raw(b []byte, piece int, pause time.Duration) {
	conn, _, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err != nil {
		panic(err)
	}
	for len(b) > 0 {
		n := min(piece, len(b))
		if _, err := conn.Write(b[:n]); err != nil {
			break
		}
		if b = b[n:]; pause > 0 {
			x.network.pause(pause)
		}
	}
	conn.Close()
}

// An answer is what the emulator answered.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// bytes is the answer as it is sent, with a Content-Length that is more or less than
// the body by so many bytes.
func (a *answer) bytes(more int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	h := a.header.Clone()
	h.Del("Content-Length")
	h.Write(&b)
	switch length := a.header.Get("Content-Length"); {
	case a.body.Len() == 0 && length != "": // of a HEAD
		fmt.Fprintf(&b, "Content-Length: %s\r\n", length)
	case a.status != http.StatusNoContent:
		fmt.Fprintf(&b, "Content-Length: %d\r\n", a.body.Len()+more)
	}
	b.WriteString("\r\n")
	b.Write(a.body.Bytes())
	return b.Bytes()
}

// requestOf names a request in a way that does not vary from run to run.
func requestOf(r *http.Request) string {
	nobody := ""
	if strings.Contains(r.Header.Get("Authorization"), "Credential=nobody/") {
		nobody = byNobody
	}
	if _, op, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		return op + nobody
	}
	q := r.URL.Query()
	inKey := strings.Count(strings.Trim(r.URL.Path, "/"), "/") > 0
	name := ""
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/":
		name = identity
	case !inKey && r.Method == http.MethodHead:
		name = "HeadBucket"
	case !inKey && ofBucket(q) != "":
		name = map[string]string{http.MethodGet: "Get", http.MethodPut: "Put"}[r.Method] + ofBucket(q)
	case !inKey && r.Method == http.MethodPut:
		name = "CreateBucket"
	case r.Method == http.MethodGet && q.Has("versions"):
		name = "ListObjectVersions"
	case r.Method == http.MethodGet && !inKey:
		name = "ListObjectsV2"
	case r.Method == http.MethodGet:
		name = "GetObject"
	case r.Method == http.MethodHead:
		name = "HeadObject"
	case r.Method == http.MethodPut && q.Has("partNumber"):
		name = "UploadPart " + q.Get("partNumber")
	case r.Method == http.MethodPut:
		name = "PutObject"
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		name = "AbortMultipartUpload"
	case r.Method == http.MethodDelete && q.Has("versionId"):
		name = "DeleteObject of a version"
	case r.Method == http.MethodDelete:
		name = "DeleteObject"
	case r.Method == http.MethodPost && q.Has("uploads"):
		name = "CreateMultipartUpload"
	case r.Method == http.MethodPost && q.Has("uploadId"):
		name = "CompleteMultipartUpload"
	}
	if strings.Contains(r.URL.Path, "/ms-probe-") {
		name += " (a test of conditions)"
	}
	switch at := r.Header.Get("Range"); {
	case at == "" || at == "bytes=0-8388607":
	case at == "bytes=0-34":
		name += " (to look)"
	default:
		name += " from " + strings.TrimSuffix(strings.TrimPrefix(at, "bytes="), "-")
	}
	return name + nobody
}

// byNobody ends the name of a request that is signed by nobody, to see who answers.
const byNobody = " (by nobody)"

// ofBucket is what a request for a part of a bucket's configuration is for.
func ofBucket(q url.Values) string {
	for parameter, name := range map[string]string{
		"lifecycle": "BucketLifecycleConfiguration", "location": "BucketLocation", "ownershipControls": "BucketOwnershipControls",
		"policy": "BucketPolicy", "publicAccessBlock": "PublicAccessBlock", "versioning": "BucketVersioning",
	} {
		if q.Has(parameter) {
			return name
		}
	}
	return ""
}

// certificates are the one that the programs trust, and others.
type certificates struct {
	bundle string // for ca_bundle
	good   tls.Certificate
	bad    map[string]tls.Certificate
}

func newCertificates(t *testing.T) *certificates {
	t.Helper()
	early, late := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
	make := func(ip net.IP, until time.Time) (tls.Certificate, []byte) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test"}, NotBefore: early, NotAfter: until,
			IPAddresses: []net.IP{ip}, IsCA: true, BasicConstraintsValid: true,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	c := &certificates{bundle: filepath.Join(t.TempDir(), "bundle.pem"), bad: map[string]tls.Certificate{}}
	here := net.IPv4(127, 0, 0, 1)
	var trusted [3][]byte
	c.good, trusted[0] = make(here, late)
	c.bad[unknownAuthority], _ = make(here, late)
	c.bad[anotherHost], trusted[1] = make(net.IPv4(192, 0, 2, 1), late)
	c.bad[expired], trusted[2] = make(here, early.AddDate(1, 0, 0))
	if err := os.WriteFile(c.bundle, slices.Concat(trusted[:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// The kinds of what may befall a connection before there is one.
const (
	refused          = "refused"
	unreachable      = "unreachable"
	noSuchHost       = "no such host"
	dnsFails         = "DNS fails"
	silence          = "silence"
	unknownAuthority = "unknown authority"
	anotherHost      = "another host"
	expired          = "expired"
)
