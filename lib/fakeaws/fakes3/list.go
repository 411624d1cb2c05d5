package fakes3

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"slices"
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
	encoding  string // url, or "" for none
}

func (c *call) listing(maxParam string) (listing, error) {
	l := listing{prefix: c.query.Get("prefix"), delimiter: c.query.Get("delimiter"), max: maxPage, encoding: c.query.Get("encoding-type")}
	if l.encoding != "" && l.encoding != "url" {
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
	if l.encoding != "" {
		return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/")
	}
	return s
}

// header is what every kind of listing says of the request.
func (l listing) header(nameElement, bucket, maxElement string) nodes {
	return nodes{{nameElement, bucket}, {"Prefix", l.text(l.prefix)}, {"Delimiter", optional(l.text(l.delimiter))},
		{maxElement, l.max}, {"EncodingType", optional(l.encoding)}}
}

func (l listing) prefixes(prefixes []string) (list nodes) {
	for _, p := range prefixes {
		list = append(list, node{"CommonPrefixes", nodes{{"Prefix", l.text(p)}}})
	}
	return list
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
func (l listing) walk(x index, after string, visit func(*object) (skip string, more bool)) {
	for i, _ := x.seek(max(l.prefix, after)); i < len(x) && strings.HasPrefix(x[i].key, l.prefix); {
		skip, more := visit(x[i])
		if !more {
			return
		}
		if i++; skip != "" {
			key, ok := afterPrefix(skip)
			if !ok {
				return
			}
			i, _ = x.seek(key)
		}
	}
}

// An entry is one version in a listing.
type entry struct {
	key string
	*version
	latest bool
}

// A page is one page of a listing.
type page struct {
	entries   []entry
	prefixes  []string
	truncated bool

	// The last entry, or common prefix, that the page holds; a prefix has no ID.
	nextKey, nextID string

	visited int // keys, which is what the page costs
}

// page collects a page of versions, newest first for each key, or, unless all is
// set, of the current ones alone. It begins after a version (afterID) of the key
// after, or after all its versions if afterID is "". A marker that is a common
// prefix stands for all keys below it.
func (l listing) page(x index, after, afterID string, all bool) (p page) {
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
		p.visited++
		if !all && o.current() == nil {
			return "", true
		}
		if common := l.common(o.key); common != "" {
			if full() {
				return "", false
			}
			p.prefixes = append(p.prefixes, common)
			p.nextKey, p.nextID = common, ""
			return common, true
		}
		skipping := o.key == after && afterID != "" && o.version(afterID) != nil
		for i, v := range slices.Backward(o.versions) {
			latest := i == len(o.versions)-1
			if skipping || !all && !latest {
				skipping = skipping && v.ID != afterID
				continue
			}
			if full() {
				return "", false
			}
			p.entries = append(p.entries, entry{o.key, v, latest})
			p.nextKey, p.nextID = o.key, v.ID
		}
		return "", true
	})
	return p
}

// page is a page of the bucket as it is now.
func (c *call) page(l listing, after, afterID string, all bool) page {
	c.store.mu.RLock()
	defer c.store.mu.RUnlock()
	return l.page(c.bucket.objects, after, afterID, all)
}

func (c *call) contents(l listing, p page, owner bool) (list nodes) {
	for _, e := range p.entries {
		object := nodes{{"Key", l.text(e.key)}, {"LastModified", e.Time}, {"ETag", quoted(e.ETag)}, {"ChecksumType", optional(e.SumType)},
			{"Size", e.Size}, {"StorageClass", storageClass(e.version)}}
		for name := range e.Sums {
			object = append(object, node{"ChecksumAlgorithm", strings.ToUpper(strings.TrimPrefix(name, checksumPrefix))})
		}
		if owner {
			object = append(object, node{"Owner", nodes{{"ID", c.conf().Account}}})
		}
		list = append(list, node{"Contents", object})
	}
	return append(list, l.prefixes(p.prefixes)...)
}

func storageClass(v *version) string { return cmp.Or(v.Header["X-Amz-Storage-Class"], "STANDARD") }

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
	p := c.page(l, marker, "", false)
	next := ""
	if p.truncated {
		next = base64.RawURLEncoding.EncodeToString([]byte(p.nextKey))
	}
	return c.answer("ListBucketResult", slices.Concat(l.header("Name", c.bucketName, "MaxKeys"), nodes{
		{"StartAfter", optional(l.text(c.query.Get("start-after")))},
		{"ContinuationToken", optional(token)},
		{"KeyCount", len(p.entries) + len(p.prefixes)},
		{"IsTruncated", p.truncated},
		{"NextContinuationToken", optional(next)},
	}, c.contents(l, p, c.query.Get("fetch-owner") == "true")))
}

// listObjects is the first version of the operation, which some clients still
// use.
func (c *call) listObjects() error {
	l, err := c.listing("max-keys")
	if err != nil {
		return err
	}
	marker := c.query.Get("marker")
	p := c.page(l, marker, "", false)
	next := ""
	if p.truncated && l.delimiter != "" {
		next = l.text(p.nextKey)
	}
	return c.answer("ListBucketResult", slices.Concat(l.header("Name", c.bucketName, "MaxKeys"), nodes{
		{"Marker", l.text(marker)}, {"IsTruncated", p.truncated}, {"NextMarker", optional(next)},
	}, c.contents(l, p, true)))
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
	p := c.page(l, keyMarker, idMarker, true)
	doc := append(l.header("Name", c.bucketName, "MaxKeys"), nodes{
		{"KeyMarker", l.text(keyMarker)}, {"VersionIdMarker", idMarker}, {"IsTruncated", p.truncated},
	}...)
	if p.truncated {
		doc = append(doc, nodes{{"NextKeyMarker", l.text(p.nextKey)}, {"NextVersionIdMarker", optional(p.nextID)}}...)
	}
	owner := nodes{{"ID", c.conf().Account}}
	for _, e := range p.entries {
		kind, v := "DeleteMarker", nodes{{"Key", l.text(e.key)}, {"VersionId", e.ID}, {"IsLatest", e.latest}, {"LastModified", e.Time}, {"Owner", owner}}
		if !e.Deleted {
			kind, v = "Version", append(v, nodes{{"ETag", quoted(e.ETag)}, {"Size", e.Size}, {"StorageClass", storageClass(e.version)}}...)
		}
		doc = append(doc, node{kind, v})
	}
	return c.answer("ListVersionsResult", append(doc, l.prefixes(p.prefixes)...))
}
