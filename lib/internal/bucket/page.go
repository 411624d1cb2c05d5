package bucket

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/printable"
)

// Bounds on an answer. S3 puts at most a thousand entries on a page, nests four
// elements, and allows keys of 1,024 bytes, which URL encoding makes three times
// as long.
const (
	pageBytes    = 8 << 20
	pageEntries  = 1000
	textBytes    = 16 << 10 // of one text, or of one tag
	elementDepth = 8
)

// Entry is a line of a listing: an object, a version of one, its deletion, or,
// where the listing has one level only, what several keys have in common.
type Entry struct {
	Info
	Common bool // Key is a common prefix, which ends in "/"

	// Of a listing of versions, where the Version of Info is "null" for what was
	// written while the bucket kept no history.
	Latest  bool
	Deleted bool // a deletion: Size and ETag are empty
}

// page is an answer to ListObjectsV2 or ListObjectVersions.
type page struct {
	entries []Entry // in the order of the answer
	more    bool
	next    position // where the page after it begins
	encoded bool     // keys are URL-encoded
	status  int      // of HTTP
	err     error    // of an answer that cannot be read
}

// position is where a page of a listing begins: a token, or the last version of
// the page before.
type position struct{ token, key, version string }

// fetch makes the SDK read an answer into p. Signing, endpoints, retries and
// errors stay the SDK's; its own decoding of a page has no bounds, takes longer,
// and loses the order of versions and deletions.
func (p *page) fetch(o *s3.Options) {
	read := func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		response, ok := out.RawResponse.(*smithyhttp.Response)
		if err != nil || !ok || response.StatusCode/100 != 2 {
			return out, metadata, err
		}
		*p = page{status: response.StatusCode}
		if err = p.read(response.Body); err != nil && !errors.As(err, new(*smithyhttp.RequestSendError)) {
			p.err, err = err, nil
		}
		response.Body.Close()
		response.Body = http.NoBody // which the SDK takes for an empty answer
		return out, metadata, err
	}
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("ReadPage", read), middleware.After)
	})
}

// read reads an answer, in which elements are either texts or hold other
// elements. The error does not show the answer.
func (p *page) read(answer io.Reader) error {
	r := bufio.NewReaderSize(io.LimitReader(answer, pageBytes), textBytes)
	var (
		path  []string // of the element that is being read, from the root
		leaf  bool     // no other element has ended in it
		ended bool     // the root
		e     Entry
	)
	for {
		text, t, err := readTag(r)
		switch {
		case err == io.EOF && ended:
			return p.decodeKeys()
		case err == io.EOF, err == bufio.ErrBufferFull, ended:
			return errNotListing
		case err != nil:
			return &smithyhttp.RequestSendError{Err: err} // so that the SDK tries again
		case t.name == "?xml" && len(path) == 0:
			continue
		}
		if t.starts {
			path, leaf = append(path, t.name), true
		}
		depth := len(path)
		switch {
		case depth == 0 || depth > elementDepth || path[0] != "ListBucketResult" && path[0] != "ListVersionsResult":
			return errNotListing
		case !t.ends:
			continue
		case path[depth-1] != t.name:
			return errNotListing
		case depth == 3 && leaf:
			err = e.set(t.name, text)
		case depth == 2 && leaf:
			p.set(t.name, text)
		case depth == 2:
			err = p.add(t.name, e)
			e = Entry{}
		}
		if err != nil {
			return err
		}
		path, leaf, ended = path[:depth-1], false, depth == 1
	}
}

// tag is <name>, </name> or, which starts and ends an element, <name/>.
type tag struct {
	name         string
	starts, ends bool
}

// readTag reads the text before the next tag, and the tag. It knows as much of
// XML as S3 writes: elements, entities, and attributes, which it skips, without
// ">". With encoding/xml a page takes four times as long. What is longer than r's
// buffer is a bufio.ErrBufferFull.
func readTag(r *bufio.Reader) (text string, t tag, err error) {
	before, err := r.ReadSlice('<')
	if err != nil {
		return "", tag{}, err
	}
	text = html.UnescapeString(string(before[:len(before)-1])) // HTML has XML's entities as well
	inside, err := r.ReadSlice('>')
	if err != nil {
		return "", tag{}, err
	}
	inside, closing := bytes.CutPrefix(inside[:len(inside)-1], []byte("/"))
	inside, empty := bytes.CutSuffix(inside, []byte("/"))
	name, _, _ := bytes.Cut(inside, []byte(" "))
	return text, tag{string(name), !closing, closing || empty}, nil
}

// set takes over what an answer says of itself.
func (p *page) set(name, text string) {
	switch name {
	case "IsTruncated":
		p.more = text == "true"
	case "NextContinuationToken":
		p.next.token = text
	case "NextKeyMarker":
		p.next.key = text
	case "NextVersionIdMarker":
		p.next.version = text
	case "EncodingType":
		p.encoded = text == "url"
	}
}

// add takes over an entry whose element has that name.
func (p *page) add(name string, e Entry) error {
	switch name {
	case "Contents", "Version":
	case "CommonPrefixes":
		e.Common = true
	case "DeleteMarker":
		e.Deleted = true
	default:
		return nil
	}
	if len(p.entries) == pageEntries {
		return errors.New("it has too many entries")
	}
	p.entries = append(p.entries, e)
	return nil
}

// set takes over what an answer says of an entry. This is the one place where
// ETags and version ids of listings are checked: they are printed, compared and
// sent.
func (e *Entry) set(name, text string) (err error) {
	switch name {
	case "Key", "Prefix":
		e.Key = text
	case "VersionId":
		e.Version = text
		if text != "" && !printable.Token(text) {
			err = errors.New("it has a version id that is not one word of printable ASCII")
		}
	case "ETag":
		e.ETag = Quoted(text)
		if text != "" && !printable.Token(text) {
			err = errors.New("it has an ETag that is not one word of printable ASCII")
		}
	case "IsLatest":
		e.Latest = text == "true"
	case "Size":
		if e.Size, err = strconv.ParseInt(text, 10, 64); err != nil || e.Size < 0 {
			err = errors.New("it has a size that is not a number")
		}
	case "LastModified":
		if err = e.Modified.UnmarshalText([]byte(text)); err != nil {
			err = errors.New("it has a time that is not in the form of RFC 3339")
		}
	}
	return err
}

// decodeKeys undoes the encoding of the keys, which a server need not have done
// although it was asked to, and may mention only after them.
func (p *page) decodeKeys() (err error) {
	if !p.encoded {
		return nil
	}
	if p.next.key, err = url.QueryUnescape(p.next.key); err != nil {
		return errNotEncoded
	}
	for i := range p.entries {
		key := &p.entries[i].Key
		if *key, err = url.QueryUnescape(*key); err != nil {
			return errNotEncoded
		}
	}
	return nil
}

// check refuses a page that cannot be read, one with keys that were not asked for
// or are longer than S3 allows, and one after which the same page would be asked
// for again.
func (p *page) check(operation, prefix string, asked position) error {
	long := func(e Entry) bool { return len(e.Key) > KeyMax }
	foreign := func(e Entry) bool { return !strings.HasPrefix(e.Key, prefix) }
	switch {
	case p.err != nil:
		return p.refused(operation, p.err)
	case slices.ContainsFunc(p.entries, long):
		return p.refused(operation, fmt.Errorf("it has a key of over %d bytes", KeyMax))
	case slices.ContainsFunc(p.entries, foreign):
		return p.refused(operation, errors.New("it has keys that were not asked for"))
	case p.more && (p.next == position{} || p.next == asked):
		return p.refused(operation, errors.New("the page after it would be the same again"))
	}
	return nil
}

// refused is the error of an answer that S3 would not give.
func (p *page) refused(operation string, why error) error {
	return awsclient.Unusable(operation, fmt.Sprintf("the answer, of HTTP status %d, is not one of S3's: %v", p.status, why))
}

// entries returns the entries of pages.
func entries(pages iter.Seq2[page, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for p, err := range pages {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range p.entries {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

var (
	errNotListing = errors.New("it is not a listing, or is too long")
	errNotEncoded = errors.New("it has a key that is not URL-encoded")
)
