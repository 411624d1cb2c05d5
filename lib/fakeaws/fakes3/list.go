package fakes3

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxPage is the greatest number of entries, names and common prefixes
// together, of one page.
const maxPage = 1000

// A listing is the parameters that all kinds of listing share.
type listing struct {
	prefix    string
	delimiter string
	max       int
	encode    bool // encoding-type=url
}

func (c *call) listing(maxParam string) (listing, error) {
	l := listing{prefix: c.query.Get("prefix"), delimiter: c.query.Get("delimiter"), max: maxPage}
	switch enc := c.query.Get("encoding-type"); enc {
	case "":
	case "url":
		l.encode = true
	default:
		return l, errInvalidArgument("encoding-type", "Invalid Encoding Method specified in Request")
	}
	if c.query.Has(maxParam) {
		n, err := strconv.Atoi(c.query.Get(maxParam))
		if err != nil || n < 0 {
			return l, errInvalidArgument(maxParam, "Argument %s must be an integer between 0 and 2147483647", maxParam)
		}
		l.max = min(n, maxPage)
	}
	return l, nil
}

// text is a key or prefix as the document has it.
func (l listing) text(s string) string {
	if l.encode {
		return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/")
	}
	return s
}

// header writes what every kind of listing says of the request.
func (l listing) header(d *xmlDoc, bucket, maxElement string) {
	d.elem("Name", bucket)
	d.elem("Prefix", l.text(l.prefix))
	d.optional("Delimiter", l.text(l.delimiter))
	d.number(maxElement, int64(l.max))
	if l.encode {
		d.elem("EncodingType", "url")
	}
}

func (l listing) prefixes(d *xmlDoc, prefixes []string) {
	for _, p := range prefixes {
		d.open("CommonPrefixes")
		d.elem("Prefix", l.text(p))
		d.close("CommonPrefixes")
	}
}

// common returns the prefix that key is rolled up into; "" if it stands for
// itself.
func (l listing) common(key string) string {
	if l.delimiter == "" {
		return ""
	}
	if i := strings.Index(key[len(l.prefix):], l.delimiter); i >= 0 {
		return key[:len(l.prefix)+i+len(l.delimiter)]
	}
	return ""
}

// walk calls visit for the objects with the prefix from the key after, in
// order. visit returns a prefix whose other keys are skipped by a seek, not one
// after another, or "", and whether to go on.
func (l listing) walk(x *index, after string, visit func(*object) (skip string, more bool)) {
	cur := x.seek(max(l.prefix, after))
	for {
		o := cur.next()
		if o == nil || !strings.HasPrefix(o.key, l.prefix) {
			return
		}
		skip, more := visit(o)
		if !more {
			return
		}
		if skip != "" {
			key, ok := afterPrefix(skip)
			if !ok {
				return
			}
			cur = x.seek(key)
		}
	}
}

// A page is one page of names.
type page struct {
	objects   []*object
	versions  []*version // the current one of each object
	prefixes  []string
	truncated bool
	next      string // the last entry, name or common prefix, that the page holds
}

// list collects a page of names that come after the marker. A marker that is a
// common prefix stands for all keys below it.
func (l listing) list(x *index, marker string) page {
	var p page
	if l.max == 0 {
		return p
	}
	from := marker
	if marker != "" {
		if from = marker + "\x00"; strings.HasPrefix(marker, l.prefix) && l.common(marker) == marker {
			var ok bool
			if from, ok = afterPrefix(marker); !ok {
				return p
			}
		}
	}
	l.walk(x, from, func(o *object) (string, bool) {
		v := o.current()
		if v == nil {
			return "", true
		}
		if len(p.objects)+len(p.prefixes) == l.max {
			p.truncated = true
			return "", false
		}
		if common := l.common(o.key); common != "" {
			p.prefixes = append(p.prefixes, common)
			p.next = common
			return common, true
		}
		p.objects, p.versions = append(p.objects, o), append(p.versions, v)
		p.next = o.key
		return "", true
	})
	return p
}

func (c *call) contents(d *xmlDoc, l listing, p page, owner bool) {
	for i, o := range p.objects {
		v := p.versions[i]
		d.open("Contents")
		d.elem("Key", l.text(o.key))
		d.time("LastModified", v.Time)
		d.etag(v.ETag)
		for name := range v.Sums {
			d.elem("ChecksumAlgorithm", strings.ToUpper(strings.TrimPrefix(name, checksumPrefix)))
		}
		d.optional("ChecksumType", v.SumType)
		d.number("Size", v.Size)
		if owner {
			d.open("Owner")
			d.elem("ID", c.conf().Account)
			d.close("Owner")
		}
		d.elem("StorageClass", storageClass(v))
		d.close("Contents")
	}
	l.prefixes(d, p.prefixes)
}

func storageClass(v *version) string {
	if class := v.Header["X-Amz-Storage-Class"]; class != "" {
		return class
	}
	return "STANDARD"
}

func (c *call) listObjectsV2() error {
	l, err := c.listing("max-keys")
	if err != nil {
		return err
	}
	marker := c.query.Get("start-after")
	token := c.query.Get("continuation-token")
	if c.query.Has("continuation-token") {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || token == "" {
			return errInvalidArgument("continuation-token", "The continuation token provided is incorrect")
		}
		marker = string(raw)
	}
	c.store.mu.RLock()
	p := l.list(&c.bucket.objects, marker)
	c.store.mu.RUnlock()

	d := newXML("ListBucketResult")
	l.header(d, c.bucketName, "MaxKeys")
	d.optional("StartAfter", l.text(c.query.Get("start-after")))
	d.optional("ContinuationToken", token)
	d.number("KeyCount", int64(len(p.objects)+len(p.prefixes)))
	d.bool("IsTruncated", p.truncated)
	if p.truncated {
		d.elem("NextContinuationToken", base64.RawURLEncoding.EncodeToString([]byte(p.next)))
	}
	c.contents(d, l, p, c.query.Get("fetch-owner") == "true")
	d.close("ListBucketResult")
	c.writeXML(http.StatusOK, d)
	return nil
}

// listObjects is the first version of the operation, which some clients still
// use.
func (c *call) listObjects() error {
	l, err := c.listing("max-keys")
	if err != nil {
		return err
	}
	c.store.mu.RLock()
	p := l.list(&c.bucket.objects, c.query.Get("marker"))
	c.store.mu.RUnlock()

	d := newXML("ListBucketResult")
	l.header(d, c.bucketName, "MaxKeys")
	d.elem("Marker", l.text(c.query.Get("marker")))
	d.bool("IsTruncated", p.truncated)
	if p.truncated && l.delimiter != "" {
		d.elem("NextMarker", l.text(p.next))
	}
	c.contents(d, l, p, true)
	d.close("ListBucketResult")
	c.writeXML(http.StatusOK, d)
	return nil
}

// A versionEntry is one version in a listing of versions.
type versionEntry struct {
	key    string
	v      *version
	latest bool
}

type versionPage struct {
	entries   []versionEntry
	prefixes  []string
	truncated bool
	nextKey   string
	nextID    string // "" after a common prefix
}

// listVersions collects a page of versions, newest first for each key, after a
// version (afterID) of the key after, or after all its versions if afterID is
// "".
func (l listing) listVersions(x *index, after, afterID string) versionPage {
	var p versionPage
	if l.max == 0 {
		return p
	}
	from := after
	if after != "" && afterID == "" {
		if from = after + "\x00"; strings.HasPrefix(after, l.prefix) && l.common(after) == after {
			var ok bool
			if from, ok = afterPrefix(after); !ok {
				return p
			}
		}
	}
	full := func() bool {
		p.truncated = len(p.entries)+len(p.prefixes) == l.max
		return p.truncated
	}
	l.walk(x, from, func(o *object) (string, bool) {
		if common := l.common(o.key); common != "" {
			if full() {
				return "", false
			}
			p.prefixes = append(p.prefixes, common)
			p.nextKey, p.nextID = common, ""
			return common, true
		}
		skipping := o.key == after && afterID != "" && o.version(afterID) != nil
		for i := len(o.versions) - 1; i >= 0; i-- {
			v := o.versions[i]
			if skipping {
				skipping = v.ID != afterID
				continue
			}
			if full() {
				return "", false
			}
			p.entries = append(p.entries, versionEntry{o.key, v, i == len(o.versions)-1})
			p.nextKey, p.nextID = o.key, v.ID
		}
		return "", true
	})
	return p
}

func (c *call) listObjectVersions() error {
	l, err := c.listing("max-keys")
	if err != nil {
		return err
	}
	keyMarker, idMarker := c.query.Get("key-marker"), c.query.Get("version-id-marker")
	if idMarker != "" && keyMarker == "" {
		return errInvalidArgument("version-id-marker", "A version-id marker cannot be specified without a key marker.")
	}
	c.store.mu.RLock()
	p := l.listVersions(&c.bucket.objects, keyMarker, idMarker)
	c.store.mu.RUnlock()

	d := newXML("ListVersionsResult")
	l.header(d, c.bucketName, "MaxKeys")
	d.elem("KeyMarker", l.text(keyMarker))
	d.elem("VersionIdMarker", idMarker)
	d.bool("IsTruncated", p.truncated)
	if p.truncated {
		d.elem("NextKeyMarker", l.text(p.nextKey))
		d.optional("NextVersionIdMarker", p.nextID)
	}
	account := c.conf().Account
	for _, e := range p.entries {
		kind := "Version"
		if e.v.Deleted {
			kind = "DeleteMarker"
		}
		d.open(kind)
		d.elem("Key", l.text(e.key))
		d.elem("VersionId", e.v.ID)
		d.bool("IsLatest", e.latest)
		d.time("LastModified", e.v.Time)
		if !e.v.Deleted {
			d.etag(e.v.ETag)
			d.number("Size", e.v.Size)
			d.elem("StorageClass", storageClass(e.v))
		}
		d.open("Owner")
		d.elem("ID", account)
		d.close("Owner")
		d.close(kind)
	}
	l.prefixes(d, p.prefixes)
	d.close("ListVersionsResult")
	c.writeXML(http.StatusOK, d)
	return nil
}
