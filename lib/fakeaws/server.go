// Package fakeaws emulates Amazon S3, AWS KMS and AWS STS in one process, on one
// port of the loopback interface.
//
// It is for tests, demonstrations and work without a network. A Go test starts
// it in one line (package fakeawstest), a testscript script has one of its own
// (package fakescript), and ms-dev runs a command with one. The services
// themselves are http.Handlers (packages fakes3, fakekms and fakests). Around them the
// Server can be told, through a small language (see Help), to be slow, to fail,
// to deny and to lose replies, and it counts requests and round trips.
package fakeaws

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"microsecrets/lib/fakeaws/fakekms"
	"microsecrets/lib/fakeaws/fakes3"
	"microsecrets/lib/fakeaws/fakests"
	"microsecrets/lib/fakeaws/iam"
	"microsecrets/lib/fakeaws/internal/service"
)

// What a server has from the start.
const (
	DefaultBucket  = fakes3.DefaultBucket // versioned
	DefaultRegion  = fakekms.DefaultRegion
	DefaultAccount = iam.DefaultAccount
)

// ControlVariable names the environment variable that holds the URL to which a
// line of the control language is posted: curl --data-binary 'counts'
// "$FAKEAWS_CONTROL".
const ControlVariable = "FAKEAWS_CONTROL"

// Options are what a server is made with; the zero value is a server that keeps
// everything in memory.
type Options struct {
	// Dir keeps buckets, objects and keys between runs; it is made if it is not
	// there. At most one server at a time may use it.
	Dir string

	// TLS has the server speak TLS, under a certificate that AWS_CA_BUNDLE names
	// in Environ.
	TLS bool

	// InMemory has the server listen on no port. A client reaches it by DialContext,
	// as the one of fakeawstest's Config does. With server and clients in one bubble
	// of testing/synctest, time passes as fast as they work.
	InMemory bool

	// Plan, unless nil, is asked what befalls each request, beside the faults of the
	// control language. It may be called from several goroutines at once.
	Plan func(Request) Plan

	// Landed, unless nil, is told each change of an object, in their order. It must not
	// call the Server.
	Landed func(fakes3.Landing)
}

// A Server serves S3, KMS and STS until it is closed. It answers requests for
// its own hosts only, 127.0.0.1, localhost and BUCKET.localhost, so that no web page can reach it under a name of its own.
type Server struct {
	s3         *fakes3.Handler
	kms        *fakekms.Handler
	sts        *fakests.Handler
	principals *iam.Principals
	faults     faults
	plan       func(Request) Plan
	traces     traces

	dir      *folder
	listener net.Listener
	distance *distance
	bundle   string // the file of the certificate, by TLS
	http     *http.Server
	token    string        // makes the control path unguessable to web pages
	done     chan struct{} // closed by Close, releases what is held
	once     sync.Once

	clockMu sync.Mutex
	ahead   time.Duration
}

// New starts a server, as a rule on a free port of 127.0.0.1. It has one bucket,
// DefaultBucket, and one principal, whose credentials Environ has, that may do
// everything.
func New(o Options) (*Server, error) {
	s := &Server{done: make(chan struct{}), principals: iam.New(), token: rand.Text(), plan: o.Plan}
	if err := s.start(o); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *Server) start(o Options) (err error) {
	if s.dir, err = openFolder(o.Dir); err != nil {
		return err
	}
	if s.s3, err = fakes3.New(fakes3.Options{Principals: s.principals, Now: s.now, Dir: s.dir.root(), Landed: o.Landed}); err != nil {
		return err
	}
	if s.kms, err = fakekms.New(fakekms.Options{Principals: s.principals, Now: s.now, Dir: s.dir.root()}); err != nil {
		return err
	}
	s.sts = fakests.New(fakests.Options{Principals: s.principals, Now: s.now})
	if o.InMemory {
		s.listener = newMemoryListener()
	} else if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	s.distance = &distance{Listener: s.listener}
	serve := net.Listener(s.distance)
	if o.TLS {
		certificate, bundle, err := selfSigned()
		if err != nil {
			return err
		}
		s.bundle = bundle
		serve = tls.NewListener(s.distance, &tls.Config{Certificates: []tls.Certificate{certificate}})
	}
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0),
		ConnContext:       s.traces.accept,
		ConnState:         s.traces.connection,
	}
	go s.http.Serve(serve)
	return nil
}

// URL returns the endpoint of all services, without a trailing slash.
func (s *Server) URL() string {
	scheme := "http://"
	if s.bundle != "" {
		scheme = "https://"
	}
	return scheme + s.listener.Addr().String()
}

// Close stops the server at once, cutting the requests under way.
func (s *Server) Close() (err error) {
	s.once.Do(func() { err = s.close() })
	return err
}

func (s *Server) close() (err error) {
	close(s.done)
	if s.http != nil {
		err = s.http.Close()
	}
	if s.s3 != nil {
		err = errors.Join(err, s.s3.Close())
	}
	if s.bundle != "" {
		err = errors.Join(err, os.Remove(s.bundle))
	}
	return errors.Join(err, s.dir.close())
}

// Environ returns the variables, as KEY=VALUE, that lead the AWS SDKs, the AWS
// CLI and the programs of this project to the server, and away from the user's
// own configuration.
func (s *Server) Environ() []string {
	dev, _ := s.principals.Find(iam.DefaultPrincipal)
	environ := dev.Environ()
	if s.bundle != "" { // empty, it would turn verification off in some clients
		environ = append(environ, "AWS_CA_BUNDLE="+s.bundle)
	}
	return append(environ,
		"AWS_REGION="+DefaultRegion,
		"AWS_DEFAULT_REGION="+DefaultRegion,
		"AWS_ENDPOINT_URL_S3="+s.URL(),
		"AWS_ENDPOINT_URL_KMS="+s.URL(),
		"AWS_ENDPOINT_URL_STS="+s.URL(),
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"MS_STORE=s3://"+DefaultBucket,
		ControlVariable+"="+s.URL()+"/_fake/"+s.token)
}

// now is the server's clock, which the control language can set wrong.
func (s *Server) now() time.Time {
	s.clockMu.Lock()
	defer s.clockMu.Unlock()
	return time.Now().UTC().Add(s.ahead).Truncate(time.Millisecond)
}

// ServeHTTP answers a request to S3, to KMS, which has X-Amz-Target, to STS,
// which is a form, or in the control language.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !own(r.Host) {
		http.Error(w, "this server is not "+strconv.Quote(r.Host), http.StatusMisdirectedRequest)
		return
	}
	if token, ok := strings.CutPrefix(r.URL.Path, "/_fake/"); ok {
		s.serveControl(w, r, token)
		return
	}
	x := &exchange{ResponseWriter: w, server: s, out: w, ctx: r.Context(), cut: -1, corrupt: -1}
	defer x.finish()
	r = r.WithContext(service.WithObserver(r.Context(), x))
	var h http.Handler = s.s3
	if r.Header.Get("X-Amz-Target") != "" {
		h = s.kms
	} else if r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		h = s.sts
	}
	h.ServeHTTP(x, r)
	if x.rewrite != nil && !x.detached {
		x.sendRewritten()
	}
}

// own reports whether host is one of the server's, at any port, since a proxy
// before it has another.
func own(host string) bool {
	name, _, _ := strings.Cut(host, ":")
	return name == "127.0.0.1" || name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// serveControl runs the line in a POST's body, paths in it relative to the
// query's dir, and answers what it prints; 400 and the error's text if it
// fails.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request, token string) {
	if r.Method != http.MethodPost || subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) != 1 {
		http.Error(w, "post to the URL in $"+ControlVariable, http.StatusForbidden)
		return
	}
	line, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	out := ""
	if err == nil {
		out, err = s.ControlLine(r.URL.Query().Get("dir"), string(line))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	io.WriteString(w, out)
}

// wait sleeps for d; it fails if the client goes away or the server closes.
func (s *Server) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	return waitFor(ctx, s.done, t.C)
}

var errGone = errors.New("the client is gone, or the server closed")

func waitFor[T any](ctx context.Context, done <-chan struct{}, ch <-chan T) error {
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
	case <-done:
	}
	return errGone
}

// operations are those of all services, as the SDKs call them.
func operations() []string {
	return slices.Concat(fakes3.Operations(), fakekms.Operations(), fakests.Operations())
}
