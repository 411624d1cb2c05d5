// Package service is what the emulated services have in common: the way of a
// request from its arrival to its answer.
package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"microsecrets/lib/fakeaws/iam"
	"microsecrets/lib/fakeaws/sigv4"
)

// A Call is one request on its way through a service.
type Call struct {
	http.ResponseWriter
	Request *http.Request
	ID      string // the request id

	Op               string              // as the SDKs call it: GetObject, Decrypt
	Resource         string              // what it is about, for a log
	Names            []string            // what patterns of faults and rules are matched against
	Context          map[string][]string // condition keys of policies, in lower case, to their values
	IgnoreConditions bool                // act as if there were no If-Match and If-None-Match

	Payload string // the body's hash in hex, after ReadBody
	Sig     *sigv4.Signature
	Caller  iam.Principal

	observer Observer
}

// A Protocol is how a service understands requests and spells errors.
type Protocol interface {
	Parse() error           // sets Op, Resource and Names
	Act() error             // answers, or returns an error and has not begun an answer
	Fail(*Error)            // answers with an error
	Translate(error) *Error // spells an error of iam and sigv4, and ErrThrottled
}

// ErrThrottled is for an Observer to return from Before.
var ErrThrottled = errors.New("throttled")

// An Observer follows a call; it may hold it, alter it or break it off by a
// panic.
type Observer interface {
	Arrived(*Call)             // Op, Resource and Names are known as far as they can be
	Before(*Call) error        // the call was understood and will be acted on unless this fails
	Authenticated(name string) // the principal
	Midway() error             // the conditions of a write were checked, and it is about to be made
	Acted() error              // the service has answered; an error is answered instead
	Failed(code string)        // what error will be answered
}

type observerKey struct{}

// WithObserver returns a context whose requests o observes.
func WithObserver(ctx context.Context, o Observer) context.Context {
	return context.WithValue(ctx, observerKey{}, o)
}

type nobody struct{}

func (nobody) Arrived(*Call)        {}
func (nobody) Before(*Call) error   { return nil }
func (nobody) Authenticated(string) {}
func (nobody) Midway() error        { return nil }
func (nobody) Acted() error         { return nil }
func (nobody) Failed(string)        {}

// maxDrain is how much of a refused body is read, so that the client has sent
// it when it gets the answer, and not a connection reset in the middle. The Go
// SDK asks by "Expect: 100-continue" and does not wait.
const maxDrain = 1 << 30

// NewCall returns the call that a request begins.
func NewCall(w http.ResponseWriter, r *http.Request) *Call {
	var id [8]byte
	rand.Read(id[:])
	return &Call{ResponseWriter: w, Request: r, ID: fmt.Sprintf("%X", id), Op: "Unknown",
		Context: map[string][]string{"aws:securetransport": {fmt.Sprint(r.TLS != nil)}}}
}

// Serve takes the call from its arrival to its answer.
func (c *Call) Serve(p Protocol, principals *iam.Principals, now time.Time) {
	c.Header().Set("Date", now.Format(http.TimeFormat))
	c.observer = nobody{}
	if o, ok := c.Request.Context().Value(observerKey{}).(Observer); ok {
		c.observer = o
	}
	err := p.Parse()
	c.observer.Arrived(c)
	if err == nil {
		err = c.observer.Before(c)
	}
	if err == nil {
		err = c.authenticate(principals, now)
	}
	if err == nil {
		c.observer.Authenticated(c.Caller.Name)
		err = p.Act()
	}
	if err == nil {
		err = c.observer.Acted()
	}
	if err == nil {
		return
	}
	failure, ok := errors.AsType[*Error](err)
	if !ok {
		if failure = p.Translate(err); failure == nil {
			failure = Errorf(http.StatusInternalServerError, "InternalError", "%v", err)
		}
	}
	c.observer.Failed(failure.Code)
	io.CopyN(io.Discard, c.Request.Body, maxDrain)
	for name, value := range failure.Header {
		c.Header().Set(name, value)
	}
	p.Fail(failure)
}

func (c *Call) authenticate(principals *iam.Principals, now time.Time) (err error) {
	if c.Sig, err = sigv4.Parse(c.Request); err != nil {
		return err
	}
	if c.Payload != "" {
		c.Sig.Payload = c.Payload
	}
	c.Context["aws:requestedregion"] = []string{c.Sig.Region}
	c.Caller, err = principals.Authenticate(c.Request, c.Sig, now)
	return err
}

// ReadBody reads the body whole, up to limit bytes, where it is not streamed. It
// sets Payload.
func (c *Call) ReadBody(limit int64) ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(c, c.Request.Body, limit))
	c.Payload = fmt.Sprintf("%x", sha256.Sum256(data))
	return data, err
}

// Midway is for a service to call between the check of a write's conditions and
// the write.
func (c *Call) Midway() error { return c.observer.Midway() }

// Allow fails with AccessDenied unless the caller may do action to the resource
// arn, which names also denote.
func (c *Call) Allow(action, arn string, names []string) error {
	if c.Caller.Allowed(iam.Request{Action: action, Resource: arn, Context: c.Context}, names) {
		return nil
	}
	return Errorf(http.StatusForbidden, "AccessDenied",
		"User: %s is not authorized to perform: %s on resource: %q because no identity-based policy allows the %s action",
		c.Caller.ARN(), action, arn, action)
}
