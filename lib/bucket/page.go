package bucket

import (
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
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"microsecrets/lib/cloud"
)

const (
	// pageMax bounds an answer in bytes: a thousand keys of the greatest length
	// take half of it.
	pageMax = 8 << 20

	// pageEntries is how many entries S3 puts on a page.
	pageEntries = 1000

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
func (p *page) decode(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		d := &pageDeserializer{page: p}
		sdk, err := stack.Deserialize.Swap(d.ID(), d)
		d.sdk = sdk
		return err
	})
}

// pageDeserializer takes the place of the SDK's deserializer, to which it
// leaves whatever is no success.
type pageDeserializer struct {
	sdk  middleware.DeserializeMiddleware
	page *page
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
	return out, metadata, d.page.read(response.Body)
}

// documents are buffers for the bytes of pages.
var documents = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (p *page) read(body io.Reader) error {
	doc := documents.Get().(*bytes.Buffer)
	defer documents.Put(doc)
	doc.Reset()
	n, err := doc.ReadFrom(io.LimitReader(body, pageMax+1))
	if err != nil {
		return &smithyhttp.RequestSendError{Err: err} // which the SDK tries again
	}
	if n > pageMax {
		err = errors.New("it is too long")
	} else {
		*p, err = scanPage(doc.Bytes())
	}
	if err != nil {
		return unreadable(err)
	}
	return nil
}

func unreadable(why error) error {
	return &cloud.Error{Operation: "ListObjectsV2", Detail: "the answer cannot be used: " + why.Error()}
}

// scanPage takes a ListBucketResult apart. What S3 says beyond what an Entry
// has is skipped.
func scanPage(doc []byte) (page, error) {
	var (
		p         page
		e         Entry
		objects   = make([]Entry, 0, pageEntries)
		common    []Entry
		truncated bool
		encoded   bool
	)
	err := elements(doc, func(path [][]byte, text []byte) (err error) {
		if string(path[0]) != "ListBucketResult" {
			return errors.New("it is no ListBucketResult")
		}
		if len(path) > 3 || len(path) < 2 {
			return nil
		}
		switch string(path[1]) {
		case "IsTruncated":
			truncated = string(text) == "true"
		case "NextContinuationToken":
			p.next = string(text)
		case "EncodingType":
			encoded = string(text) == "url"
		case "CommonPrefixes":
			if len(path) == 2 {
				common = append(common, e)
				e = Entry{}
			} else if string(path[2]) == "Prefix" {
				e.Key, e.Common = string(text), true
			}
		case "Contents":
			if len(path) == 2 {
				objects = append(objects, e)
				e = Entry{}
			} else {
				err = e.set(string(path[2]), text)
			}
		}
		return err
	})
	if err != nil {
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
func (e *Entry) set(name string, text []byte) (err error) {
	switch name {
	case "Key":
		e.Key = string(text)
	case "ETag":
		e.ETag = string(text)
	case "Size":
		if e.Size, err = strconv.ParseInt(string(text), 10, 64); err != nil || e.Size < 0 {
			return errors.New("a size is no number")
		}
	case "LastModified":
		if e.Modified, err = time.Parse(time.RFC3339, string(text)); err != nil {
			return errors.New("a time is not in the form of RFC 3339")
		}
	}
	return nil
}

// elements calls end for each element of a document when it ends, with the
// names from the root to it and the text behind its last inner tag. It knows as
// much of XML as S3 sends: elements, attributes, the five entities and
// characters by number. All else is refused.
func elements(doc []byte, end func(path [][]byte, text []byte) error) error {
	path := make([][]byte, 0, depthMax)
	doc = bytes.TrimLeft(doc, space)
	if bytes.HasPrefix(doc, []byte("<?xml")) {
		_, rest, ok := bytes.Cut(doc, []byte("?>"))
		if !ok {
			return errNotXML
		}
		doc = bytes.TrimLeft(rest, space)
	}
	for first := true; first || len(path) > 0; first = false {
		text, rest, ok := bytes.Cut(doc, []byte("<"))
		if !ok || first && len(text) > 0 {
			return errNotXML
		}
		t, rest, err := cutTag(rest)
		if err != nil {
			return err
		}
		doc = rest
		if !t.closes {
			if len(path) == depthMax {
				return errNotXML
			}
			path = append(path, t.name)
		}
		if !t.closes && !t.empty {
			continue
		}
		if len(path) == 0 || !bytes.Equal(t.name, path[len(path)-1]) {
			return errNotXML
		}
		if t.empty {
			text = nil
		} else if text, err = unescapeText(text); err != nil {
			return err
		}
		if err := end(path, text); err != nil {
			return err
		}
		path = path[:len(path)-1]
	}
	if len(bytes.TrimLeft(doc, space)) > 0 {
		return errNotXML
	}
	return nil
}

const space = " \t\r\n"

var errNotXML = errors.New("it is not XML as S3 writes it")

type tag struct {
	name          []byte
	closes, empty bool // </name>, <name/>
}

// cutTag takes a tag, whose "<" is gone already, from the front of doc.
func cutTag(doc []byte) (t tag, rest []byte, err error) {
	doc, t.closes = bytes.CutPrefix(doc, []byte("/"))
	n := 0
	for n < len(doc) && inName(doc[n]) {
		n++
	}
	t.name, doc = doc[:n], doc[n:]
	if n == 0 {
		return tag{}, nil, errNotXML
	}
	for quote := byte(0); len(doc) > 0; doc = doc[1:] {
		switch c := doc[0]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<', c == '/' && t.closes:
			return tag{}, nil, errNotXML
		case c == '/' && len(doc) > 1 && doc[1] == '>':
			t.empty = true
		case c == '>':
			return t, doc[1:], nil
		}
	}
	return tag{}, nil, errNotXML
}

func inName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.' || c == ':'
}

var entities = map[string]string{"lt": "<", "gt": ">", "amp": "&", "quot": `"`, "apos": "'"}

// unescapeText returns text with its entities replaced.
func unescapeText(text []byte) ([]byte, error) {
	if bytes.IndexByte(text, '&') < 0 {
		return text, nil
	}
	var out []byte
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
