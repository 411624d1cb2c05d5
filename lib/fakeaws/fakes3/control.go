package fakes3

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"microsecrets/lib/fakeaws/iam"
	"microsecrets/lib/fakeaws/internal/control"
)

// Help describes the verbs of Control. KEY is a key of DefaultBucket, or
// s3://BUCKET/KEY.
const Help = `Buckets and objects
  bucket NAME [versioned|unversioned|suspended] [region=R] [account=A] [sse=aws:kms|AES256] [old] [mfa-delete] [lock]
                          make or change it; with sse, writes must ask for that encryption; old: as before April
                          2023, with neither a public access block nor the owner enforced; lock: object lock
  document NAME WHAT [FILE]        print a part of a bucket's configuration as it is stored, or store FILE's bytes:
                          policy, lifecycle, encryption, publicAccessBlock, ownershipControls
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

var verbs = map[string]func(*Handler, *control.Line){
	"bucket": (*Handler).doBucket, "document": (*Handler).doDocument, "ls": (*Handler).doList, "versions": (*Handler).doVersions, "uploads": (*Handler).doUploads,
	"put": (*Handler).doPut, "write": (*Handler).doWrite, "cat": (*Handler).doCat, "copy": (*Handler).doCopy, "rm": (*Handler).doRemove,
	"flip": (*Handler).doFlip, "truncate": (*Handler).doTruncate, "fill": (*Handler).doFill,
}

// Control runs a line of the control language, split into words, and returns
// what it prints. Relative file names are relative to dir ("": the working
// directory).
func (h *Handler) Control(dir string, words ...string) (string, error) {
	return control.Run(verbs, h, dir, words)
}

// states of versioning by their words.
var states = map[string]string{"versioned": versioned, "unversioned": neverVersioned, "suspended": suspended}

func (h *Handler) doBucket(l *control.Line) {
	name := l.Next("NAME")
	conf := bucketConf{Name: name, Account: iam.DefaultAccount, Documents: initialDocuments}
	if b := h.store.bucket(name); b != nil {
		conf = h.store.conf(b)
	}
	conf.Region = l.Option("region", conf.Region)
	conf.Account = l.Option("account", conf.Account)
	conf.RequireSSE = l.Option("sse", conf.RequireSSE)
	if l.Flag("old") {
		conf.Documents = oldDocuments
	}
	if l.Flag("lock") {
		conf.Documents = maps.Clone(conf.Documents)
		conf.Documents["object-lock"] = locked
	}
	conf.MFADelete = l.Flag("mfa-delete") || conf.MFADelete
	if word := l.Maybe(""); word != "" {
		state, ok := states[word]
		if !ok {
			l.Fail("%q is not versioned, unversioned or suspended", word)
		}
		conf.Versioning = state
	}
	l.End()
	if !bucketName().MatchString(name) {
		l.Fail("%q cannot be the name of a bucket", name)
	}
	l.Check(h.store.configure(conf))
}

func (h *Handler) doDocument(l *control.Line) {
	name, what, file := l.Next("NAME"), l.Next("WHAT"), l.Maybe("")
	l.End()
	b := h.store.bucket(name)
	if b == nil {
		l.Fail("no bucket %q", name)
	}
	conf := h.store.conf(b)
	if file == "" {
		l.Printf("%s", conf.Documents[what])
		return
	}
	conf.Documents = maps.Clone(conf.Documents)
	conf.Documents[what] = string(l.ReadFile(file))
	l.Check(h.store.configure(conf))
}

// split returns the bucket and the key that KEY, or a prefix, stands for.
func (h *Handler) split(l *control.Line, name string) (*bucket, string) {
	bucketName, key := DefaultBucket, name
	if rest, ok := strings.CutPrefix(name, "s3://"); ok {
		bucketName, key, _ = strings.Cut(rest, "/")
	}
	b := h.store.bucket(bucketName)
	if b == nil {
		l.Fail("no bucket %q", bucketName)
	}
	return b, key
}

// key takes KEY off the line.
func (h *Handler) key(l *control.Line) (*bucket, string) { return h.split(l, l.Next("KEY")) }

// prefix takes [PREFIX], which may be s3://BUCKET/PREFIX, off the line, and must
// find its end. It locks the store until unlock is called.
func (h *Handler) prefix(l *control.Line) (b *bucket, prefix string, unlock func()) {
	b, prefix = h.split(l, l.Maybe(""))
	l.End()
	h.store.mu.RLock()
	return b, prefix, h.store.mu.RUnlock
}

func (h *Handler) each(l *control.Line, f func(*object)) {
	b, prefix, unlock := h.prefix(l)
	defer unlock()
	listing{prefix: prefix}.walk(b.objects, "", func(o *object) (string, bool) {
		f(o)
		return "", true
	})
}

func (h *Handler) doList(l *control.Line) {
	h.each(l, func(o *object) {
		if o.current() != nil {
			l.Printf("%s\n", plain(o.key))
		}
	})
}

func (h *Handler) doVersions(l *control.Line) {
	h.each(l, func(o *object) {
		for i, v := range slices.Backward(o.versions) {
			state := "old"
			if i == len(o.versions)-1 {
				state = "latest"
			}
			if v.Deleted {
				state = strings.TrimPrefix(state+"-deleted", "old-")
			}
			l.Printf("%s %s %d %s\n", plain(o.key), v.ID, v.Size, state)
		}
	})
}

func (h *Handler) doUploads(l *control.Line) {
	b, prefix, unlock := h.prefix(l)
	defer unlock()
	for _, u := range b.sortedUploads(prefix) {
		l.Printf("%s %s %d\n", plain(u.key), u.id, len(u.parts))
	}
}

// plain quotes a key that would not be one word of a line.
func plain(key string) string {
	if q := strconv.Quote(key); q != `"`+key+`"` || strings.Contains(key, " ") || key == "" {
		return q
	}
	return key
}

func (h *Handler) doPut(l *control.Line) {
	b, key := h.key(l)
	file := l.Next("FILE")
	l.End()
	l.Check(h.store.putBytes(b, key, l.ReadFile(file)))
}

func (h *Handler) doWrite(l *control.Line) {
	b, key := h.key(l)
	text := l.Next("TEXT")
	l.End()
	l.Check(h.store.putBytes(b, key, []byte(text)))
}

// version finds the stored version that KEY [version=ID] on the line names.
func (h *Handler) version(l *control.Line) (*bucket, string, *version) {
	id := l.Option("version", "")
	b, key := h.key(l)
	v := h.store.version(b, key, id)
	if v == nil || v.Deleted {
		l.Fail("no object %q", key)
	}
	return b, key, v
}

func (h *Handler) doCat(l *control.Line) {
	_, _, v := h.version(l)
	file := l.Maybe("")
	l.End()
	data, err := v.Body.bytes()
	l.Check(err)
	if file == "" {
		l.Printf("%s", data)
		return
	}
	l.Check(os.WriteFile(l.Path(file), data, 0o600))
}

func (h *Handler) doCopy(l *control.Line) {
	_, _, v := h.version(l)
	to, key := h.key(l)
	l.End()
	dup := *v
	dup.Time = time.Time{}
	l.Check(h.store.put(to, key, &dup, nil, always))
}

func (h *Handler) doRemove(l *control.Line) {
	id := l.Option("version", "")
	b, key := h.key(l)
	l.End()
	gone, err := h.store.del(b, key, id, nil, always)
	l.Check(err)
	if gone == nil && id != "" {
		l.Fail("no version %q of %q", id, key)
	}
}

func (h *Handler) doFlip(l *control.Line) {
	b, key, v := h.version(l)
	off := l.Number("OFFSET", l.Next("OFFSET"))
	l.End()
	if off < 0 {
		off += int(v.Size)
	}
	if off < 0 || off >= int(v.Size) {
		l.Fail("offset %d is outside of the object's %d bytes", off, v.Size)
	}
	l.Check(h.store.tamper(b, key, v, func(data []byte) []byte {
		data[off] ^= 0xff
		return data
	}))
}

func (h *Handler) doTruncate(l *control.Line) {
	b, key, v := h.version(l)
	size := l.Number("SIZE", l.Next("SIZE"))
	l.End()
	if size < 0 || size > int(v.Size) {
		l.Fail("the object has %d bytes", v.Size)
	}
	l.Check(h.store.tamper(b, key, v, func(data []byte) []byte { return data[:size] }))
}

func (h *Handler) doFill(l *control.Line) {
	size := l.Number("size", l.Option("size", "16"))
	n := l.Number("N", l.Next("N"))
	b, prefix := h.key(l)
	l.End()
	l.Check(h.store.fill(b, prefix, n, size))
}
