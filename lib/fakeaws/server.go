// Package fakeaws emulates Amazon S3 and AWS KMS in one process, on one port of
// the loopback interface.
//
// It is for tests, demonstrations and work without a network. What it does, it
// does as the services document it: status codes, error codes, headers,
// conditions, versions, delete markers, checksums and signatures. Buckets are
// named in the path. What it does not do, it refuses with NotImplemented. It
// can be told, through a small language (see Server.Do), to be slow, to fail,
// to deny and to lose replies, and it counts requests and round trips.
package fakeaws

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// The defaults of a server.
const (
	DefaultBucket  = "example-microsecrets"
	DefaultRegion  = "us-east-1"
	DefaultAccount = "111122223333"
)

// autoKeyPrefix begins the aliases whose keys are made on first use.
const autoKeyPrefix = "alias/microsecrets-"

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

	// NoAutoKeys makes an alias/microsecrets-… that nobody has created an
	// error, as it is at AWS. Else its key is made when a data key is first
	// asked of it.
	NoAutoKeys bool
}

// A Server serves S3 and KMS until it is closed.
type Server struct {
	store  *store
	kms    *kms
	access *access
	faults faults
	traces traces

	listener net.Listener
	http     *http.Server
	token    string        // makes the control path unguessable to web pages
	done     chan struct{} // closed by Close, releases what is held

	clockMu sync.Mutex
	ahead   time.Duration
}

// New starts a server on a free port of 127.0.0.1. It has one bucket,
// DefaultBucket, versioned, and one principal, whose credentials Environ gives,
// that may do everything.
func New(o Options) (*Server, error) {
	s := &Server{done: make(chan struct{}), access: newAccess()}
	s.store = &store{buckets: map[string]*bucket{}, now: s.now}
	s.kms = newKMS(s.now, !o.NoAutoKeys)
	if o.Dir != "" {
		d, err := openDisk(o.Dir, s.store)
		if err != nil {
			return nil, err
		}
		s.store.disk = d
		if err := s.kms.load(d); err != nil {
			return nil, errors.Join(err, d.close())
		}
	}
	if s.store.bucket(DefaultBucket) == nil {
		conf := bucketConf{Name: DefaultBucket, Account: DefaultAccount, Versioning: versioned}
		if err := s.store.configure(conf); err != nil {
			return nil, errors.Join(err, s.store.disk.close())
		}
	}
	var token [16]byte
	rand.Read(token[:])
	s.token = hex.EncodeToString(token[:])
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, errors.Join(err, s.store.disk.close())
	}
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0),
		ConnState:         s.traces.connection,
	}
	go s.http.Serve(s.listener)
	return s, nil
}

// URL returns the endpoint of both services, without a trailing slash.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Close stops the server at once, cutting the requests under way.
func (s *Server) Close() error {
	close(s.done)
	err := s.http.Close()
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	return errors.Join(err, s.store.disk.close())
}

// Environ returns the variables, as KEY=VALUE, that lead the AWS SDKs, the AWS
// CLI and the programs of this project to the server, and away from the user's
// own configuration.
func (s *Server) Environ() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + defaultAccessKey,
		"AWS_SECRET_ACCESS_KEY=" + defaultSecretKey,
		"AWS_REGION=" + DefaultRegion,
		"AWS_DEFAULT_REGION=" + DefaultRegion,
		"AWS_ENDPOINT_URL_S3=" + s.URL(),
		"AWS_ENDPOINT_URL_KMS=" + s.URL(),
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"MS_STORE=s3://" + DefaultBucket,
		ControlVariable + "=" + s.URL() + "/_fake/" + s.token,
	}
}

// now is the server's clock, which the control language can set wrong.
func (s *Server) now() time.Time {
	s.clockMu.Lock()
	defer s.clockMu.Unlock()
	return time.Now().UTC().Add(s.ahead).Truncate(time.Millisecond)
}

// ServeHTTP answers a request to S3, to KMS (told by X-Amz-Target) or in the
// control language.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if token, ok := strings.CutPrefix(r.URL.Path, "/_fake/"); ok {
		s.serveControl(w, r, token)
		return
	}
	c := &call{s: s, r: r, ctx: r.Context(), id: newRequestID(), query: r.URL.Query()}
	c.out = &reply{w: w, header: http.Header{}, cut: -1, corrupt: -1}
	c.out.header.Set("Date", s.now().Format(http.TimeFormat))
	if _, ok := r.Header["X-Amz-Target"]; ok {
		c.protocol = kmsProtocol{}
	} else {
		c.protocol = s3Protocol{}
	}
	c.serve()
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
		out, err = s.DoLine(r.URL.Query().Get("dir"), string(line))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	io.WriteString(w, out)
}

func newRequestID() string {
	var raw [8]byte
	rand.Read(raw[:])
	return strings.ToUpper(hex.EncodeToString(raw[:]))
}

// wait sleeps for d; it fails if the client goes away or the server closes.
func (s *Server) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	return s.waitFor(ctx, t.C)
}

var errGone = errors.New("the client is gone, or the server closed")

func (s *Server) waitFor(ctx context.Context, ch <-chan time.Time) error {
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
	case <-s.done:
	}
	return errGone
}
