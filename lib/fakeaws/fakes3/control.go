package fakes3

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"microsecrets/lib/fakeaws/iam"
	"microsecrets/lib/fakeaws/internal/control"
)

// Help describes the verbs of Control. KEY is a key of DefaultBucket, or
// s3://BUCKET/KEY.
const Help = `Buckets and objects
  bucket NAME [versioned|unversioned|suspended] [region=R] [account=A] [sse=aws:kms|AES256]
                          make or change it; with sse, writes must ask for that encryption
  ls [PREFIX]             keys that are not deleted, one a line
  versions [PREFIX]       KEY ID SIZE STATE, newest first; STATE is latest, old, deleted or latest-deleted
  uploads                 uploads in parts that are in progress: KEY ID PARTS
  put KEY FILE            store a file as the newest version
  write KEY TEXT          store TEXT
  cat KEY [FILE] [version=ID]      the stored bytes, printed or to a file
  copy KEY1 KEY2 [version=ID]      store KEY1's bytes at KEY2
  rm KEY [version=ID]     delete as S3 does; with version for good
  flip KEY OFFSET [version=ID]     alter one stored byte, keeping version and ETag but no checksum;
                          an OFFSET below 0 counts from the end
  truncate KEY SIZE [version=ID]   cut stored bytes, likewise
  fill N PREFIX [size=B]  N objects PREFIX000000000… of B bytes (default 16)
`

var verbs = map[string]func(*Handler, *control.Line) (string, error){
	"bucket": (*Handler).doBucket, "ls": (*Handler).doList, "versions": (*Handler).doVersions, "uploads": (*Handler).doUploads,
	"put": (*Handler).doPut, "write": (*Handler).doWrite, "cat": (*Handler).doCat, "copy": (*Handler).doCopy, "rm": (*Handler).doRemove,
	"flip": (*Handler).doFlip, "truncate": (*Handler).doTruncate, "fill": (*Handler).doFill,
}

// Control runs a line of the control language, split into words, and returns
// what it prints. Relative file names are relative to dir ("": the working
// directory).
func (h *Handler) Control(dir string, words ...string) (string, error) {
	return control.Run(verbs, h, dir, words)
}

// key takes KEY off the line.
func (h *Handler) key(l *control.Line) (*bucket, string) {
	bucketName, key := DefaultBucket, l.Next("KEY")
	if rest, ok := strings.CutPrefix(key, "s3://"); ok {
		bucketName, key, _ = strings.Cut(rest, "/")
	}
	b := h.store.bucket(bucketName)
	if b == nil {
		l.Fail("no bucket %q", bucketName)
	}
	return b, key
}

func (h *Handler) doBucket(l *control.Line) (string, error) {
	name := l.Next("NAME")
	conf := bucketConf{Name: name, Account: iam.DefaultAccount, Documents: initialDocuments}
	if b := h.store.bucket(name); b != nil {
		conf = h.store.conf(b)
	}
	conf.Region = l.Option("region", conf.Region)
	conf.Account = l.Option("account", conf.Account)
	conf.RequireSSE = l.Option("sse", conf.RequireSSE)
	switch state := l.Maybe(""); state {
	case "":
	case "versioned":
		conf.Versioning = versioned
	case "unversioned":
		conf.Versioning = neverVersioned
	case "suspended":
		conf.Versioning = suspended
	default:
		l.Fail("%q is not versioned, unversioned or suspended", state)
	}
	if !bucketName.MatchString(name) {
		l.Fail("%q cannot be the name of a bucket", name)
	}
	if !l.End() {
		return "", nil
	}
	return "", h.store.configure(conf)
}

// prefix takes [PREFIX] off the line, which may be s3://BUCKET/PREFIX.
func (h *Handler) prefix(l *control.Line) (*bucket, string) {
	if len(l.Words) == 0 {
		l.Words = []string{""}
	}
	return h.key(l)
}

func (h *Handler) doList(l *control.Line) (string, error) {
	return h.each(l, func(b *strings.Builder, o *object) {
		if o.current() != nil {
			b.WriteString(plain(o.key) + "\n")
		}
	})
}

func (h *Handler) doVersions(l *control.Line) (string, error) {
	return h.each(l, func(b *strings.Builder, o *object) {
		for i := len(o.versions) - 1; i >= 0; i-- {
			v := o.versions[i]
			state := "old"
			if i == len(o.versions)-1 {
				state = "latest"
			}
			if v.Deleted {
				state = strings.TrimPrefix(state+"-deleted", "old-")
			}
			fmt.Fprintf(b, "%s %s %d %s\n", plain(o.key), v.ID, v.Size, state)
		}
	})
}

func (h *Handler) each(l *control.Line, f func(*strings.Builder, *object)) (string, error) {
	b, prefix := h.prefix(l)
	if !l.End() {
		return "", nil
	}
	var out strings.Builder
	h.store.mu.RLock()
	defer h.store.mu.RUnlock()
	listing{prefix: prefix}.walk(&b.objects, "", func(o *object) (string, bool) {
		f(&out, o)
		return "", true
	})
	return out.String(), nil
}

// plain quotes a key that would not be one word of a line.
func plain(key string) string {
	if q := strconv.Quote(key); q != `"`+key+`"` || strings.Contains(key, " ") || key == "" {
		return q
	}
	return key
}

func (h *Handler) doUploads(l *control.Line) (string, error) {
	b, prefix := h.prefix(l)
	if !l.End() {
		return "", nil
	}
	var out strings.Builder
	h.store.mu.RLock()
	defer h.store.mu.RUnlock()
	for _, u := range b.sortedUploads(prefix) {
		fmt.Fprintf(&out, "%s %s %d\n", plain(u.key), u.id, len(u.parts))
	}
	return out.String(), nil
}

func (h *Handler) doPut(l *control.Line) (string, error) {
	b, key := h.key(l)
	file := l.Next("FILE")
	if !l.End() {
		return "", nil
	}
	data, err := os.ReadFile(l.Path(file))
	if err != nil {
		return "", err
	}
	return "", h.store.putBytes(b, key, data)
}

func (h *Handler) doWrite(l *control.Line) (string, error) {
	b, key := h.key(l)
	text := l.Next("TEXT")
	if !l.End() {
		return "", nil
	}
	return "", h.store.putBytes(b, key, []byte(text))
}

// version finds the stored version that KEY [version=ID] on the line names.
func (h *Handler) version(l *control.Line) (*bucket, string, *version) {
	id := l.Option("version", "")
	b, key := h.key(l)
	if b == nil {
		return nil, "", nil
	}
	v := h.store.latest(b, key)
	if id != "" {
		v = h.store.version(b, key, id)
	}
	if v == nil || v.Deleted {
		l.Fail("no object %q", key)
	}
	return b, key, v
}

func (h *Handler) doCat(l *control.Line) (string, error) {
	_, _, v := h.version(l)
	file := l.Maybe("")
	if !l.End() {
		return "", nil
	}
	data, err := v.Body.bytes()
	if err != nil || file == "" {
		return string(data), err
	}
	return "", os.WriteFile(l.Path(file), data, 0o600)
}

func (h *Handler) doCopy(l *control.Line) (string, error) {
	_, _, v := h.version(l)
	to, key := h.key(l)
	if !l.End() {
		return "", nil
	}
	dup := *v
	dup.Time = time.Time{}
	return "", h.store.put(to, key, &dup, func(*version) error { return nil })
}

func (h *Handler) doRemove(l *control.Line) (string, error) {
	id := l.Option("version", "")
	b, key := h.key(l)
	if !l.End() {
		return "", nil
	}
	if id == "" {
		_, err := h.store.del(b, key, func(*version) error { return nil })
		return "", err
	}
	v, err := h.store.delVersion(b, key, id)
	if v == nil && err == nil {
		return "", fmt.Errorf("no version %q of %q", id, key)
	}
	return "", err
}

func (h *Handler) doFlip(l *control.Line) (string, error) {
	b, key, v := h.version(l)
	off := l.Number("OFFSET", l.Next("OFFSET"))
	if !l.End() {
		return "", nil
	}
	if off < 0 {
		off += int(v.Size)
	}
	if off < 0 || off >= int(v.Size) {
		return "", fmt.Errorf("offset %d is outside of the object's %d bytes", off, v.Size)
	}
	return "", h.store.tamper(b, key, v, func(data []byte) []byte {
		data[off] ^= 0xff
		return data
	})
}

func (h *Handler) doTruncate(l *control.Line) (string, error) {
	b, key, v := h.version(l)
	size := l.Number("SIZE", l.Next("SIZE"))
	if !l.End() {
		return "", nil
	}
	if size < 0 || size > int(v.Size) {
		return "", fmt.Errorf("the object has %d bytes", v.Size)
	}
	return "", h.store.tamper(b, key, v, func(data []byte) []byte { return data[:size] })
}

func (h *Handler) doFill(l *control.Line) (string, error) {
	size := l.Number("size", l.Option("size", "16"))
	n := l.Number("N", l.Next("N"))
	b, prefix := h.key(l)
	if !l.End() {
		return "", nil
	}
	return "", h.store.fill(b, prefix, n, size)
}
