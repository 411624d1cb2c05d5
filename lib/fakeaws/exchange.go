package fakeaws

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"strings"

	"microsecrets/lib/fakeaws/internal/service"
)

// An exchange is one request and its response, as faults alter it on its way
// out, and as it is counted. It is the service's Observer and ResponseWriter.
type exchange struct {
	http.ResponseWriter
	server *Server
	ctx    context.Context
	call   *service.Call
	trace  *trace
	out    io.Writer // the response writer, or the connection

	rewrite  *rewrite // the response is kept and sent rewritten
	respond  bool     // and nothing is acted on
	detached bool     // the client is gone: nothing is sent
	instead  error    // answered in place of what the service answers
	status   int
	kept     []byte // of the body

	midway      []func(*exchange) error
	onSend      []func(*exchange) error // called when the server has acted and the client knows nothing yet; an error drops the connection
	cut         int64                   // connection closed after so many bytes of the body; -1: never
	corrupt     int64                   // offset of a byte of the body to alter; -1: none
	badChecksum bool
	every       int64 // bytes of the body after which, each time, pause is called; an error closes the connection
	pause       func() error
	sent        int64

	done func() // called at the end; may be nil
}

// Arrived counts the request.
func (x *exchange) Arrived(c *service.Call) {
	x.call, x.trace = c, x.server.traces.arrive(c)
}

// Before has faults befall the request. Those that break it off do not return.
func (x *exchange) Before(c *service.Call) error {
	planned, err := x.planned(c)
	if err != nil {
		return err
	}
	for _, f := range append(x.server.faults.match(c), planned...) {
		if err := x.unlessGone(f.befall(x)); err != nil {
			return err
		}
	}
	if x.respond {
		io.Copy(io.Discard, c.Request.Body)
		x.WriteHeader(cmp.Or(x.rewrite.status, http.StatusOK))
		x.sendRewritten()
		panic(http.ErrAbortHandler)
	}
	return nil
}

// Midway does what faults do in the middle of a write.
func (x *exchange) Midway() error { return x.unlessGone(x.each(x.midway)) }

// unlessGone drops the connection where err says so.
func (x *exchange) unlessGone(err error) error {
	if err == errDrop || err == errGone {
		x.drop("dropped")
	}
	return err
}

// each calls functions in their order until one fails.
func (x *exchange) each(list []func(*exchange) error) error {
	for _, f := range list {
		if err := f(x); err != nil {
			return err
		}
	}
	return nil
}

// Acted has the request fail although it was acted on, if a fault says so.
func (x *exchange) Acted() error {
	err := x.instead
	if x.instead = nil; err != nil {
		clear(x.Header())
	}
	return err
}

// Authenticated notes who signed the request.
func (x *exchange) Authenticated(name string) { x.server.traces.update(func() { x.trace.who = name }) }

// Failed notes the error.
func (x *exchange) Failed(code string) {
	x.instead = nil
	x.server.traces.update(func() { x.trace.code = code })
}

// drop closes the connection.
func (x *exchange) drop(why string) {
	x.server.traces.update(func() { x.trace.code = why })
	panic(http.ErrAbortHandler)
}

func (x *exchange) finish() {
	x.server.traces.finish(x.trace)
	if x.done != nil {
		x.done()
	}
}

// WriteHeader begins the response.
func (x *exchange) WriteHeader(status int) {
	if x.instead != nil {
		return
	}
	if x.each(x.onSend) != nil {
		x.drop("forgotten")
	}
	x.server.traces.answered(x.trace, status)
	for name, values := range x.Header() {
		if x.badChecksum && strings.HasPrefix(name, "X-Amz-Checksum-") && name != "X-Amz-Checksum-Type" {
			x.Header().Set(name, wrongChecksum(values[0]))
		}
	}
	x.status = status
	if x.rewrite == nil && !x.detached {
		x.ResponseWriter.WriteHeader(status)
	}
}

// wrongChecksum changes the first character, so that length and form stay.
func wrongChecksum(sum string) string {
	if strings.HasPrefix(sum, "A") {
		return "B" + sum[1:]
	}
	return "A" + sum[1:]
}

// Write sends a part of the body.
func (x *exchange) Write(b []byte) (int, error) {
	switch {
	case x.rewrite != nil && x.rewrite.body == nil && x.instead == nil:
		x.kept = append(x.kept, b...)
		return len(b), nil
	case x.rewrite != nil, x.detached, x.instead != nil:
		return len(b), nil
	}
	return x.emit(b)
}

// emit sends bytes, altered and paused as faults have it.
func (x *exchange) emit(b []byte) (int, error) {
	if i := x.corrupt - x.sent; x.corrupt >= 0 && i >= 0 && i < int64(len(b)) {
		b = bytes.Clone(b)
		b[i] ^= 0xff
	}
	if x.cut >= 0 && x.sent+int64(len(b)) > x.cut {
		x.send(b[:x.cut-x.sent])
		x.flush()
		panic(http.ErrAbortHandler)
	}
	return x.send(b)
}

// send writes b in the steps that a pause asks for.
func (x *exchange) send(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		step := int64(len(b))
		if x.pause != nil {
			step = min(step, x.every-x.sent%x.every)
		}
		var m int
		m, err = x.out.Write(b[:step])
		n += m
		x.sent += int64(m)
		b = b[m:]
		if x.pause != nil && x.sent%x.every == 0 {
			x.flush()
			if x.pause() != nil {
				panic(http.ErrAbortHandler)
			}
		}
	}
	return n, err
}

func (x *exchange) flush() {
	if x.out == io.Writer(x.ResponseWriter) {
		http.NewResponseController(x.ResponseWriter).Flush()
	}
}

// persist reads the request whole; it will be acted on whether or not the client is
// there.
func (x *exchange) persist() error {
	r := x.call.Request
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return errGone
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	x.ctx = context.WithoutCancel(x.ctx)
	return nil
}

// detach is persist, and closes the connection.
func (x *exchange) detach() error {
	if err := x.persist(); err != nil {
		return err
	}
	conn, _, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err != nil {
		return err
	}
	conn.Close()
	x.detached = true
	return nil
}
