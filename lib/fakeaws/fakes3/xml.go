package fakes3

import (
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// An xmlDoc is an S3 document in the making. Listings of a thousand names are
// written often, hence no reflection.
type xmlDoc []byte

func newXML(root string) *xmlDoc {
	d := xmlDoc(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<" + root + ` xmlns="` + s3Namespace + `">`)
	return &d
}

func (d *xmlDoc) open(name string)  { *d = append(append(append(*d, '<'), name...), '>') }
func (d *xmlDoc) close(name string) { *d = append(append(append(*d, "</"...), name...), '>') }

func (d *xmlDoc) elem(name, value string) {
	d.open(name)
	*d = appendXMLText(*d, value)
	d.close(name)
}

// optional writes the element unless value is empty.
func (d *xmlDoc) optional(name, value string) {
	if value != "" {
		d.elem(name, value)
	}
}

func (d *xmlDoc) number(name string, n int64) {
	d.open(name)
	*d = strconv.AppendInt(*d, n, 10)
	d.close(name)
}

func (d *xmlDoc) bool(name string, b bool) { d.elem(name, strconv.FormatBool(b)) }

func (d *xmlDoc) time(name string, t time.Time) {
	d.open(name)
	*d = t.UTC().AppendFormat(*d, "2006-01-02T15:04:05.000Z")
	d.close(name)
}

func (d *xmlDoc) etag(etag string) { d.elem("ETag", `"`+etag+`"`) }

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
