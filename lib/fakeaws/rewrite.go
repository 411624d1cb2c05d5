package fakeaws

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"

	"microsecrets/lib/fakeaws/internal/control"
)

// A rewrite is what the fault replace makes of a response, or the fault respond
// answers. It goes out as it is written here, where net/http would correct it.
type rewrite struct {
	status  int // 0: the service's
	reason  string
	headers []string // NAME: VALUE, or NAME for one that is left out
	body    []byte   // nil: the service's
	tail    string   // repeated after the body
	size    int64    // of the repeated tail; below 0: it has no end
	gzip    bool
	chunked bool   // no Content-Length
	length  string // the Content-Length, or the difference to the true one, +N or -N
	raw     bool   // the body is the whole response, its head included
}

// parseRewrite takes a rewrite's options off the line.
func parseRewrite(l *control.Line) *rewrite {
	rw := &rewrite{
		status:  l.Number("status", l.Option("status", "0")),
		reason:  l.Unescape(l.Option("reason", "")),
		tail:    l.Unescape(l.Option("tail", "")),
		size:    int64(l.Number("size", l.Option("size", "-1"))),
		gzip:    l.Flag("gzip"),
		chunked: l.Flag("chunked"),
		length:  l.Option("length", ""),
		raw:     l.Flag("raw"),
	}
	l.Number("length", cmp.Or(rw.length, "0"))
	for _, header := range l.Options("header") {
		rw.headers = append(rw.headers, l.Unescape(header))
	}
	for _, text := range l.Options("text") {
		rw.body = append([]byte{}, l.Unescape(text)...)
	}
	for _, file := range l.Options("body") {
		rw.body = append([]byte{}, l.ReadFile(file)...)
	}
	switch {
	case rw.tail == "":
		rw.size = 0
	case rw.size < 0 && rw.gzip:
		l.Fail("gzip goes with a tail that has a size")
	case rw.size < 0:
		rw.chunked = true
	}
	if rw.gzip && rw.body != nil { // now, since much of it takes seconds
		rw.compress()
	}
	return rw
}

// content is the body and its size, which an endless tail has not.
func (rw *rewrite) content() (io.Reader, int64) {
	body, size := io.Reader(bytes.NewReader(rw.body)), int64(len(rw.body))
	if rw.tail == "" {
		return body, size
	}
	tail := io.Reader(&repeated{text: []byte(strings.Repeat(rw.tail, 1+pieceSize/len(rw.tail)))})
	if rw.size >= 0 {
		tail = io.LimitReader(tail, rw.size)
	}
	return io.MultiReader(body, tail), size + rw.size
}

// compress makes the body what it is compressed, tail included.
func (rw *rewrite) compress() {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	content, _ := rw.content()
	io.Copy(z, content)
	z.Close()
	rw.body, rw.tail, rw.size = b.Bytes(), "", 0
}

// sendRewritten sends what the rewrite makes of the service's response.
func (x *exchange) sendRewritten() {
	rw := x.rewrite
	if rw.body == nil {
		rw = new(*rw)
		if rw.body = x.kept; rw.gzip {
			rw.compress()
		}
	}
	conn, _, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err != nil {
		x.drop("dropped")
	}
	defer conn.Close()
	sent := make(chan struct{})
	defer close(sent)
	go func() {
		select {
		case <-x.server.done:
			conn.Close()
		case <-sent:
		}
	}()
	x.out = conn

	body, size := rw.content()
	declared := size
	if n, _ := strconv.ParseInt(rw.length, 10, 64); strings.HasPrefix(rw.length, "+") || strings.HasPrefix(rw.length, "-") {
		declared += n
	} else if rw.length != "" {
		declared = n
	}
	var head []byte
	if !rw.raw {
		head = x.head(rw, declared, declared >= size)
	}
	if _, err := x.emit(head); err != nil || x.call.Request.Method == http.MethodHead && !rw.raw {
		return
	}
	if rw.chunked && !rw.raw {
		w := httputil.NewChunkedWriter(emitter{x})
		if _, err := io.Copy(w, body); err == nil && w.Close() == nil {
			x.emit([]byte("\r\n"))
		}
	} else if _, err := io.Copy(emitter{x}, body); err == nil && declared < size {
		io.Copy(io.Discard, conn) // until the client, who may use the connection again, hangs up
	}
}

// head is the response's status line and header.
func (x *exchange) head(rw *rewrite, length int64, last bool) []byte {
	status := cmp.Or(rw.status, x.status, http.StatusOK)
	h := x.Header().Clone()
	if x.call.Request.Method != http.MethodHead {
		h.Del("Content-Length")
		if rw.chunked {
			h.Set("Transfer-Encoding", "chunked")
		} else {
			h.Set("Content-Length", strconv.FormatInt(length, 10))
		}
	}
	if rw.gzip {
		h.Set("Content-Encoding", "gzip")
	}
	if last {
		h.Set("Connection", "close")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, cmp.Or(rw.reason, http.StatusText(status)))
	former := h.Clone()
	for _, line := range rw.headers {
		name, _, _ := strings.Cut(line, ":")
		h.Del(name)
	}
	for _, line := range rw.headers {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fmt.Fprintf(&b, "%s:%s\r\n", name, strings.ReplaceAll(value, "{}", former.Get(name)))
		}
	}
	h.Write(&b)
	b.WriteString("\r\n")
	return b.Bytes()
}

// pieceSize is about how much of a repeated tail is written at once.
const pieceSize = 64 << 10

// A repeated is text again and again.
type repeated struct {
	text []byte
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

// An emitter writes to the client of an exchange.
type emitter struct{ x *exchange }

func (e emitter) Write(b []byte) (int, error) { return e.x.emit(b) }
