package fakes3

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

const s3Namespace = ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`

// A node is an element of an S3 document. What is in it is a string, an optional,
// rawXML, a number, a bool, a time, or nodes. Listings of a thousand names are
// written often, hence no reflection.
type node struct {
	name  string
	value any
}

type nodes []node

// An optional is text without which there is no element either.
type optional string

// rawXML goes out as it is.
type rawXML string

func appendXML(b []byte, value any) []byte {
	switch v := value.(type) {
	case nodes:
		for _, n := range v {
			if n.value == optional("") {
				continue
			}
			b = append(append(append(b, '<'), n.name...), '>')
			b = appendXML(b, n.value)
			b = append(append(append(b, "</"...), n.name...), '>')
		}
		return b
	case string:
		return appendXMLText(b, v)
	case optional:
		return appendXMLText(b, string(v))
	case rawXML:
		return append(b, v...)
	case time.Time:
		return v.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	}
	return fmt.Append(b, value)
}

// quoted is an ETag as it goes out.
func quoted(etag string) string { return `"` + etag + `"` }

// appendXMLText escapes as S3 does: what XML 1.0 cannot hold at all goes out as
// a character reference, which is why encoding-type=url exists.
func appendXMLText(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '"':
			b = append(b, "&quot;"...)
		case r < 0x20, r == 0xfffe, r == 0xffff:
			b = fmt.Appendf(b, "&#x%x;", r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

// answer writes a document, and returns nil.
func (c *call) answer(root string, value any) error {
	c.writeXML(http.StatusOK, root, s3Namespace, value)
	return nil
}

func (c *call) writeXML(status int, root, attributes string, value any) {
	doc := appendXML([]byte(xml.Header+"<"+root+attributes+">"), value)
	doc = append(doc, "</"+root+">"...)
	c.Header().Set("Content-Type", "application/xml")
	c.Header().Set("Content-Length", strconv.Itoa(len(doc)))
	c.WriteHeader(status)
	c.Write(doc)
}

// readXML reads the request's document into v.
func (c *call) readXML(v any) error {
	in, err := c.receive("", maxXML)
	if err != nil {
		return err
	}
	data, err := in.body.bytes()
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(data, v); err != nil && err != io.EOF {
		return errMalformedXML
	}
	return nil
}
