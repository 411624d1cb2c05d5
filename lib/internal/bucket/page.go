package bucket

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"microsecrets/lib/internal/awsclient"
)

const (
	// pageMax bounds an answer in bytes: a thousand keys of the greatest length
	// take half of it.
	pageMax = 8 << 20

	// pageEntries is how many entries S3 puts on a page.
	pageEntries = 1000

	// textsUsual is how many bytes the keys and ETags of a page have, usually.
	textsUsual = 64 << 10

	// depthMax bounds how elements are nested; S3 nests four.
	depthMax = 8
)

// page is one answer to ListObjectsV2.
type page struct {
	entries []Entry // sorted
	next    string  // the continuation token; empty where nothing follows
}

// decode makes the SDK scan an answer into p: its own decoding takes most of
// the processor time of a listing. Requests, retries and errors stay the SDK's.
// What comes behind the first key above end, unless that is empty, is left out.
func (p *page) decode(end string) func(*s3.Options) {
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			d := &pageDeserializer{page: p, end: end}
			sdk, err := stack.Deserialize.Swap(d.ID(), d)
			d.sdk = sdk
			return err
		})
	}
}

// pageDeserializer takes the place of the SDK's deserializer, to which it
// leaves whatever is no success.
type pageDeserializer struct {
	sdk  middleware.DeserializeMiddleware
	page *page
	end  string
}

// ID is the name of the middleware in whose place this one is.
func (d *pageDeserializer) ID() string { return "OperationDeserializer" }

// HandleDeserialize reads the answer to one attempt.
func (d *pageDeserializer) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok || response.StatusCode/100 != 2 {
		return d.sdk.HandleDeserialize(ctx, in, middleware.DeserializeHandlerFunc(
			func(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
				return out, metadata, err
			}))
	}
	defer response.Body.Close()
	out.Result = &s3.ListObjectsV2Output{}
	return out, metadata, d.page.read(response.Body, d.end)
}

// read scans an answer. One that breaks off is tried again by the SDK.
func (p *page) read(body io.Reader, end string) (err error) {
	bounded := &io.LimitedReader{R: body, N: pageMax}
	*p, err = scanPage(bounded, end)
	var broken *brokenOff
	switch {
	case errors.As(err, &broken):
		return &smithyhttp.RequestSendError{Err: broken.err}
	case bounded.N == 0:
		return unreadable(errors.New("it is too long"))
	case err != nil:
		return unreadable(err)
	}
	io.Copy(io.Discard, bounded) // so that the connection is kept
	return nil
}

// brokenOff is the error of a document whose source failed.
type brokenOff struct{ err error }

func (e *brokenOff) Error() string { return e.err.Error() }

func unreadable(why error) error {
	return &awsclient.Error{Operation: "ListObjectsV2", Detail: "the answer cannot be used: " + why.Error()}
}

// errBeyond ends the scan of a page at a key that is above what was asked for.
var errBeyond = errors.New("beyond the end")

// scanPage takes a ListBucketResult apart, up to the first key above end, unless
// that is empty. What S3 says beyond what an Entry has is skipped.
func scanPage(doc io.Reader, end string) (page, error) {
	var (
		p         page
		e         Entry
		text      = texts{}
		objects   = make([]Entry, 0, pageEntries)
		common    []Entry
		truncated bool
		encoded   bool
	)
	text.Grow(textsUsual)
	err := elements(doc, func(path [][]byte, content []byte) (err error) {
		if string(path[0]) != "ListBucketResult" {
			return errors.New("it is no ListBucketResult")
		}
		if len(path) > 3 || len(path) < 2 {
			return nil
		}
		switch string(path[1]) {
		case "IsTruncated":
			truncated = string(content) == "true"
		case "NextContinuationToken":
			p.next = string(content)
		case "EncodingType":
			encoded = string(content) == "url"
		case "CommonPrefixes":
			if len(path) == 2 {
				e.Common = true
				common = append(common, e)
				e = Entry{}
			} else if string(path[2]) == "Prefix" {
				e.Key = text.of(content)
			}
		case "Contents":
			if len(path) == 2 {
				objects = append(objects, e)
				if end != "" && encoded {
					if key, err := url.QueryUnescape(e.Key); err == nil && key > end {
						return errBeyond
					}
				}
				e = Entry{}
			} else {
				err = e.set(string(path[2]), content, &text)
			}
		}
		return err
	})
	switch {
	case err == errBeyond:
		truncated = false
	case err != nil:
		return page{}, err
	}
	p.entries = append(objects, common...)
	if encoded {
		if err := p.unescape(); err != nil {
			return page{}, err
		}
	}
	if len(common) > 0 {
		slices.SortStableFunc(p.entries, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	}
	switch {
	case !truncated:
		p.next = ""
	case p.next == "":
		return page{}, errors.New("it is cut short, and does not say how to go on")
	}
	return p, nil
}

// unescape undoes encoding-type=url.
func (p *page) unescape() (err error) {
	for i := range p.entries {
		key := &p.entries[i].Key
		if *key, err = url.QueryUnescape(*key); err != nil {
			return errors.New("a key is not URL-encoded")
		}
	}
	return nil
}

// set takes over an element of Contents.
func (e *Entry) set(name string, text []byte, all *texts) (err error) {
	switch name {
	case "Key":
		e.Key = all.of(text)
	case "ETag":
		e.ETag = all.of(text)
	case "Size":
		if e.Size, err = strconv.ParseInt(string(text), 10, 64); err != nil || e.Size < 0 {
			return errors.New("a size is no number")
		}
	case "LastModified":
		if err = e.Modified.UnmarshalText(text); err != nil {
			return errors.New("a time is not in the form of RFC 3339")
		}
	}
	return nil
}

// texts holds the strings of a page in one piece of memory, not in thousands.
type texts struct{ strings.Builder }

func (t *texts) of(text []byte) string {
	at := t.Len()
	t.Write(text)
	return t.String()[at:]
}

// windows are what documents are read through. No tag or text is larger.
var windows = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 32<<10) }}

// elements calls end for each element of a document when it ends, with the
// names from the root to it and its text, which are good until it returns. It knows as much of XML as S3 sends: elements,
// attributes, the five entities and characters by number. All else is refused.
func elements(doc io.Reader, end func(path [][]byte, text []byte) error) error {
	window := windows.Get().(*bufio.Reader)
	defer windows.Put(window)
	window.Reset(doc)
	var (
		path   = make([][]byte, 0, depthMax)
		names  = make([]byte, 0, 256) // of path
		copied []byte
		leaf   bool // nothing has ended since the last element began
	)
	for first := true; first || len(path) > 0; {
		text, inside, err := cut(window, &copied)
		if err != nil {
			return err
		}
		if first {
			if len(bytes.TrimLeft(text, space)) > 0 {
				return errNotXML
			}
			if bytes.HasPrefix(inside, []byte("?xml")) && bytes.HasSuffix(inside, []byte("?")) {
				continue
			}
			first = false
		}
		t, err := parseTag(inside)
		if err != nil {
			return err
		}
		if (!t.closes || !leaf) && len(bytes.TrimLeft(text, space)) > 0 {
			return errNotXML // an element has a text or elements, not both
		}
		if !t.closes {
			if len(path) == depthMax {
				return errNotXML
			}
			names = append(names, t.name...)
			path = append(path, names[len(names)-len(t.name):])
		}
		if leaf = !t.closes; leaf && !t.empty {
			continue
		}
		if len(path) == 0 || !bytes.Equal(t.name, path[len(path)-1]) {
			return errNotXML
		}
		content := text
		if t.empty {
			content = nil
		} else if content, err = unescapeText(text); err != nil {
			return err
		}
		if err := end(path, content); err != nil {
			return err
		}
		path, names, leaf = path[:len(path)-1], names[:len(names)-len(t.name)], false
	}
	switch rest, err := upTo(window, '<'); {
	case err == nil, len(bytes.TrimLeft(rest, space)) > 0:
		return errNotXML
	case err != errNotXML:
		return err
	}
	return nil
}

// cut reads a text and the tag behind it, both good until the next read. Where
// they are not in the window together the text is copied.
func cut(window *bufio.Reader, copied *[]byte) (text, inside []byte, err error) {
	held, _ := window.Peek(window.Buffered())
	if i := bytes.IndexByte(held, '<'); i >= 0 {
		if j := bytes.IndexByte(held[i:], '>'); j >= 0 {
			window.Discard(i + j + 1)
			return held[:i], held[i+1 : i+j], nil
		}
	}
	if text, err = upTo(window, '<'); err != nil {
		return nil, nil, err
	}
	*copied = append((*copied)[:0], text...)
	inside, err = upTo(window, '>')
	return *copied, inside, err
}

// upTo reads up to a delimiter, which it drops. Without one the error is
// errNotXML.
func upTo(r *bufio.Reader, delimiter byte) ([]byte, error) {
	b, err := r.ReadSlice(delimiter)
	switch err {
	case nil:
		return b[:len(b)-1], nil
	case io.EOF, bufio.ErrBufferFull:
		return b, errNotXML
	}
	return nil, &brokenOff{err}
}

const space = " \t\r\n"

var errNotXML = errors.New("it is not XML as S3 writes it")

type tag struct {
	name          []byte
	closes, empty bool // </name>, <name/>
}

// parseTag takes apart what stands between "<" and ">".
func parseTag(inside []byte) (t tag, err error) {
	inside, t.closes = bytes.CutPrefix(inside, []byte("/"))
	if !t.closes {
		inside, t.empty = bytes.CutSuffix(inside, []byte("/"))
	}
	n := 0
	for n < len(inside) && inName[inside[n]] {
		n++
	}
	t.name = inside[:n]
	attributes := inside[n:]
	if n > 0 && len(attributes) == 0 {
		return t, nil
	}
	for _, quote := range []string{`"`, "'"} { // of an attribute that holds a ">"
		if bytes.Count(attributes, []byte(quote))%2 != 0 {
			return tag{}, errNotXML
		}
	}
	if n == 0 || bytes.IndexByte(attributes, '<') >= 0 || t.closes && len(bytes.TrimLeft(attributes, space)) > 0 {
		return tag{}, errNotXML
	}
	return t, nil
}

// inName has the bytes that an element's name is made of.
var inName = func() (in [256]bool) {
	for c := range in {
		in[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.' || c == ':'
	}
	return in
}()

var entities = map[string]string{"lt": "<", "gt": ">", "amp": "&", "quot": `"`, "apos": "'"}

// unescapeText replaces the entities in text, in its place.
func unescapeText(text []byte) ([]byte, error) {
	if bytes.IndexByte(text, '&') < 0 {
		return text, nil
	}
	out := text[:0] // what stands for a character is longer than it
	for {
		plain, rest, more := bytes.Cut(text, []byte("&"))
		out = append(out, plain...)
		if !more {
			return out, nil
		}
		name, rest, ok := bytes.Cut(rest, []byte(";"))
		if !ok {
			return nil, errNotXML
		}
		text = rest
		if s, ok := entities[string(name)]; ok {
			out = append(out, s...)
			continue
		}
		r, err := character(string(name))
		if err != nil {
			return nil, err
		}
		out = append(out, string(r)...)
	}
}

// character is what #N or #xN stands for.
func character(name string) (rune, error) {
	digits, ok := strings.CutPrefix(name, "#")
	base := 10
	if hex, is := strings.CutPrefix(digits, "x"); is {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if !ok || err != nil || n == 0 || n > 0x10ffff || 0xd800 <= n && n <= 0xdfff {
		return 0, fmt.Errorf("%w: an unknown entity", errNotXML)
	}
	return rune(n), nil
}
