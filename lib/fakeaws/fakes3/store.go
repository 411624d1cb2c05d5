package fakes3

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
	"unicode/utf8"
)

// Versioning states of a bucket, as S3 spells them.
const (
	neverVersioned = ""
	versioned      = "Enabled"
	suspended      = "Suspended"
)

// nullVersion is the id of what was written while a bucket had no versioning.
const nullVersion = "null"

// A store holds buckets. Its lock guards everything below it but versions and
// bodies, which never change.
type store struct {
	mu      sync.RWMutex
	buckets map[string]*bucket
	now     func() time.Time
	disk    *disk         // nil: memory only
	landed  func(Landing) // nil: nobody is told
}

// bucketConf is what a bucket has besides objects; it is kept in the journal.
type bucketConf struct {
	Name       string    `json:"name"`
	Account    string    `json:"account"`
	Region     string    `json:"region,omitempty"` // requests signed for another region are refused; "": any is taken
	Versioning string    `json:"versioning,omitempty"`
	MFADelete  bool      `json:"mfaDelete,omitempty"`
	RequireSSE string    `json:"requireSSE,omitempty"` // the x-amz-server-side-encryption that writes must ask for
	Created    time.Time `json:"created"`

	Documents map[string]string `json:"documents,omitempty"` // by the parameter that names them; never changed
}

type bucket struct {
	bucketConf
	objects index
	uploads map[string]*upload
}

// An object is every version of a key, the oldest first. An index holds none
// without versions.
type object struct {
	key      string
	versions []*version
}

type version struct {
	ID       string            `json:"id"` // nullVersion, or 32 characters
	Time     time.Time         `json:"time"`
	Deleted  bool              `json:"deleted,omitempty"` // a delete marker
	ETag     string            `json:"etag,omitempty"`    // without quotes
	Size     int64             `json:"size,omitempty"`
	Header   map[string]string `json:"header,omitempty"`  // what GET and HEAD repeat: Content-Type, x-amz-meta-…
	Sums     map[string]string `json:"sums,omitempty"`    // x-amz-checksum-… header to its value
	SumType  string            `json:"sumType,omitempty"` // COMPOSITE or FULL_OBJECT
	Parts    []int64           `json:"parts,omitempty"`   // sizes, of an object that was uploaded in parts
	Body     body              `json:"body,omitempty"`
	SSE      string            `json:"sse,omitempty"`
	SSEKeyID string            `json:"sseKeyId,omitempty"`
}

// current returns the newest version unless that is a delete marker.
func (o *object) current() *version {
	if v := o.version(""); v != nil && !v.Deleted {
		return v
	}
	return nil
}

// version returns the version of an id, with "" the newest; nil if there is none.
func (o *object) version(id string) *version {
	if o == nil {
		return nil
	}
	for _, v := range slices.Backward(o.versions) {
		if v.ID == id || id == "" {
			return v
		}
	}
	return nil
}

// insert adds v to the versions of key, below the newest of them that are
// younger. There is at most one null version: an older one goes.
func (b *bucket) insert(key string, v *version, younger int) {
	o := b.objects.getOrInsert(key)
	if v.ID == nullVersion {
		o.versions = slices.DeleteFunc(o.versions, func(old *version) bool { return old.ID == nullVersion })
	}
	o.versions = slices.Insert(o.versions, max(0, len(o.versions)-younger), v)
}

// replace puts v in the place of the version that has its id: stored bytes that
// somebody altered.
func (b *bucket) replace(key string, v *version) {
	o := b.objects.get(key)
	if o == nil {
		return
	}
	for i, old := range o.versions {
		if old.ID == v.ID {
			o.versions[i] = v
		}
	}
}

// drop removes one version for good, and the key with its last version.
func (b *bucket) drop(key, id string) {
	o := b.objects.get(key)
	if o == nil {
		return
	}
	o.versions = slices.DeleteFunc(o.versions, func(v *version) bool { return v.ID == id })
	if len(o.versions) == 0 {
		b.objects.remove(key)
	}
}

// always is the check of a write without conditions.
func always(*version) error { return nil }

// put stores v, whose ID it sets, as a version of key, as a rule the newest, if
// check allows it over what is there now (nil if there is nothing, a delete
// marker perhaps). By is the request that asks for it, nil of the control language.
func (st *store) put(b *bucket, key string, v *version, by *http.Request, check func(latest *version) error) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if err := check(b.objects.get(key).version("")); err != nil {
		return err
	}
	return st.putLocked(b, key, v, by)
}

// putLocked sets the time of v unless it has one: an upload in parts has that of
// its beginning, and where there are versions it comes below those that were
// begun later.
func (st *store) putLocked(b *bucket, key string, v *version, by *http.Request) error {
	v.ID = nullVersion
	younger := 0
	if b.Versioning == versioned {
		v.ID = newID()
		if o := b.objects.get(key); o != nil && !v.Time.IsZero() {
			for younger < len(o.versions) && o.versions[len(o.versions)-1-younger].Time.After(v.Time) {
				younger++
			}
		}
	}
	if v.Time.IsZero() {
		v.Time = st.now()
	}
	return st.commit(record{Put: &change{Bucket: b.Name, Key: key, Version: v, Younger: younger, by: by}})
}

// commit writes a record to the journal and does what it says.
func (st *store) commit(rec record) error {
	if err := st.disk.log(rec); err != nil {
		return err
	}
	if err := st.apply(rec); err != nil || st.landed == nil {
		return err
	}
	if c := cmp.Or(rec.Put, rec.Drop); c != nil {
		st.landed(st.landing(c))
	}
	return nil
}

// apply does what a record says.
func (st *store) apply(rec record) error {
	c := cmp.Or(rec.Put, rec.Replace, rec.Drop)
	switch {
	case rec.Bucket != nil:
		b := st.buckets[rec.Bucket.Name]
		if b == nil {
			b = &bucket{uploads: map[string]*upload{}}
			st.buckets[rec.Bucket.Name] = b
		}
		b.bucketConf = *rec.Bucket
		return nil
	case c == nil || c.Version == nil && c != rec.Drop || c.Younger < 0:
		return errors.New("a record of no known kind")
	}
	b := st.buckets[c.Bucket]
	if b == nil {
		return fmt.Errorf("no bucket %q", c.Bucket)
	}
	switch c {
	case rec.Put:
		b.insert(c.Key, c.Version, c.Younger)
	case rec.Replace:
		b.replace(c.Key, c.Version)
	case rec.Drop:
		b.drop(c.Key, c.ID)
	}
	return nil
}

// del deletes the version of an id for good, or, with id "", does what DELETE
// without a version does: it adds a delete marker, or removes the object in a
// bucket that never had versioning. It returns the marker, or else what is gone,
// nil for nothing.
func (st *store) del(b *bucket, key, id string, by *http.Request, check func(latest *version) error) (*version, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	o := b.objects.get(key)
	if err := check(o.version("")); err != nil {
		return nil, err
	}
	if id == "" && b.Versioning != neverVersioned {
		marker := &version{Deleted: true}
		return marker, st.putLocked(b, key, marker, by)
	}
	gone := o.version(id)
	if gone == nil {
		return nil, nil
	}
	return gone, st.commit(record{Drop: &change{Bucket: b.Name, Key: key, ID: gone.ID, gone: gone, by: by}})
}

func (st *store) bucket(name string) *bucket {
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.buckets[name]
}

// conf returns a bucket's configuration as it is now.
func (st *store) conf(b *bucket) bucketConf {
	st.mu.RLock()
	defer st.mu.RUnlock()
	return b.bucketConf
}

// version returns a version of key, with id "" the newest, which a delete marker
// can be; nil if there is none.
func (st *store) version(b *bucket, key, id string) *version {
	st.mu.RLock()
	defer st.mu.RUnlock()
	return b.objects.get(key).version(id)
}

// configure creates the bucket, or changes the configuration it has.
func (st *store) configure(conf bucketConf) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if conf.Created.IsZero() {
		conf.Created = st.now()
	}
	return st.commit(record{Bucket: &conf})
}

// newID returns 32 characters as version and upload ids have them. The first is
// never "-": ids are given as arguments.
func newID() string {
	var raw [24]byte
	rand.Read(raw[:])
	id := []byte(base64.RawURLEncoding.EncodeToString(raw[:]))
	if id[0] == '-' {
		id[0] = '.'
	}
	return string(id)
}

// putBytes stores data at any key, whether a client could write it or not, as
// long as S3 could hold it.
func (st *store) putBytes(b *bucket, key string, data []byte) error {
	if key == "" || len(key) > maxKey || !utf8.ValidString(key) {
		return fmt.Errorf("S3 has no key %q", key)
	}
	v, err := st.newVersion(data)
	if err != nil {
		return err
	}
	return st.put(b, key, v, nil, always)
}

// newVersion saves data as a version that is nowhere yet.
func (st *store) newVersion(data []byte) (*version, error) {
	in, err := st.disk.read(bytes.NewReader(data), int64(len(data)), "")
	v := &version{Header: defaultHeader, SSE: "AES256"}
	v.setBody(in)
	return v, err
}

// defaultHeader is shared by the versions that have no other; it never changes.
var defaultHeader = map[string]string{"Content-Type": "binary/octet-stream"}

// tamper alters the stored bytes of a version. Its id and ETag stay; a checksum
// goes, since whoever alters an object on purpose gives it the right one, and
// clients shall find out by themselves.
func (st *store) tamper(b *bucket, key string, v *version, alter func([]byte) []byte) error {
	data, err := v.Body.bytes()
	if err != nil {
		return err
	}
	in, err := st.newVersion(alter(data))
	if err != nil {
		return err
	}
	altered := *v
	altered.Body, altered.Size, altered.Sums, altered.SumType = in.Body, in.Size, nil, ""
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.commit(record{Replace: &change{Bucket: b.Name, Key: key, Version: &altered}})
}

// fill stores n objects of size zeros, PREFIX000000000 and on; they share one
// body.
func (st *store) fill(b *bucket, prefix string, n, size int) (err error) {
	first, err := st.newVersion(make([]byte, size))
	if err != nil {
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.disk != nil {
		st.disk.lazy = true
		defer func() {
			st.disk.lazy = false
			err = errors.Join(err, st.disk.journal.Sync())
		}()
	}
	for i := range n {
		v := *first
		if err := st.putLocked(b, fmt.Sprintf("%s%09d", prefix, i), &v, nil); err != nil {
			return err
		}
	}
	return nil
}
