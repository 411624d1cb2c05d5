package fakeaws

import (
	"bytes"
	"net/http"
	"strings"
)

// A reply is a response, as faults alter it on its way out.
type reply struct {
	w      http.ResponseWriter
	header http.Header
	status int // 0 until the answer begins
	trace  *trace
	traces *traces

	onSend      []func() error // called when the server has acted and the client knows nothing yet; an error drops the connection
	cut         int64          // connection closed after so many bytes of the body; -1: never
	corrupt     int64          // offset of a byte of the body to alter; -1: none
	badChecksum bool
	every       int64 // bytes of the body after which, each time, pause is called; an error closes the connection
	pause       func() error
	sent        int64
}

func (p *reply) Header() http.Header { return p.header }

func (p *reply) WriteHeader(status int) {
	p.status = status
	for _, f := range p.onSend {
		if err := f(); err != nil {
			p.traces.note(p.trace, "forgotten")
			panic(http.ErrAbortHandler)
		}
	}
	p.traces.answered(p.trace, status)
	for name, values := range p.header {
		if p.badChecksum && strings.HasPrefix(strings.ToLower(name), checksumPrefix) && !strings.HasSuffix(name, "-Type") {
			values = []string{wrongChecksum(values[0])}
		}
		p.w.Header()[name] = values
	}
	p.w.WriteHeader(status)
}

// wrongChecksum changes the first character, so that length and form stay.
func wrongChecksum(sum string) string {
	if strings.HasPrefix(sum, "A") {
		return "B" + sum[1:]
	}
	return "A" + sum[1:]
}

func (p *reply) Write(b []byte) (int, error) {
	if p.status == 0 {
		p.WriteHeader(http.StatusOK)
	}
	if i := p.corrupt - p.sent; p.corrupt >= 0 && i >= 0 && i < int64(len(b)) {
		b = bytes.Clone(b)
		b[i] ^= 0xff
	}
	if p.cut >= 0 && p.sent+int64(len(b)) > p.cut {
		p.send(b[:p.cut-p.sent])
		p.flush()
		panic(http.ErrAbortHandler)
	}
	return p.send(b)
}

// send writes b in the steps that a pause asks for.
func (p *reply) send(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		step := int64(len(b))
		if p.pause != nil {
			step = min(step, p.every-p.sent%p.every)
		}
		var m int
		m, err = p.w.Write(b[:step])
		n += m
		p.sent += int64(m)
		b = b[m:]
		if p.pause != nil && p.sent%p.every == 0 {
			p.flush()
			if p.pause() != nil {
				panic(http.ErrAbortHandler)
			}
		}
	}
	return n, err
}

func (p *reply) flush() { http.NewResponseController(p.w).Flush() }
