package fakeaws

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// The verbs of the control language for buckets and objects.

func (l *line) doBucket() (string, error) {
	name := l.next("NAME")
	conf := bucketConf{Name: name, Account: DefaultAccount}
	if b := l.s.store.bucket(name); b != nil {
		conf = l.s.store.conf(b)
	}
	conf.Region = l.option("region", conf.Region)
	conf.Account = l.option("account", conf.Account)
	conf.RequireSSE = l.option("sse", conf.RequireSSE)
	switch state := l.maybe(""); state {
	case "":
	case "versioned":
		conf.Versioning = versioned
	case "unversioned":
		conf.Versioning = neverVersioned
	case "suspended":
		conf.Versioning = suspended
	default:
		l.fail("%q is none of versioned, unversioned, suspended", state)
	}
	if !bucketName.MatchString(name) {
		l.fail("%q is no name of a bucket", name)
	}
	if !l.end() {
		return "", nil
	}
	return "", l.s.store.configure(conf)
}

// prefix takes [PREFIX] off the line, which may be s3://BUCKET/PREFIX.
func (l *line) prefix() (*bucket, string) {
	if len(l.words) == 0 {
		l.words = []string{""}
	}
	return l.key()
}

func (l *line) doList() (string, error) {
	return l.each(func(b *strings.Builder, o *object) {
		if o.current() != nil {
			b.WriteString(plain(o.key) + "\n")
		}
	})
}

func (l *line) doVersions() (string, error) {
	return l.each(func(b *strings.Builder, o *object) {
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

func (l *line) each(f func(*strings.Builder, *object)) (string, error) {
	b, prefix := l.prefix()
	if !l.end() {
		return "", nil
	}
	var out strings.Builder
	l.s.store.mu.RLock()
	defer l.s.store.mu.RUnlock()
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

func (l *line) doUploads() (string, error) {
	b, prefix := l.prefix()
	if !l.end() {
		return "", nil
	}
	var out strings.Builder
	l.s.store.mu.RLock()
	defer l.s.store.mu.RUnlock()
	for _, u := range b.sortedUploads(prefix) {
		fmt.Fprintf(&out, "%s %s %d\n", plain(u.key), u.id, len(u.parts))
	}
	return out.String(), nil
}

func (l *line) doPut() (string, error) {
	b, key := l.key()
	file := l.next("FILE")
	if !l.end() {
		return "", nil
	}
	data, err := os.ReadFile(l.path(file))
	if err != nil {
		return "", err
	}
	return "", l.s.store.putBytes(b, key, data)
}

func (l *line) doWrite() (string, error) {
	b, key := l.key()
	text := l.next("TEXT")
	if !l.end() {
		return "", nil
	}
	return "", l.s.store.putBytes(b, key, []byte(text))
}

// version finds the stored version that KEY [version=ID] on the line names.
func (l *line) version() (*bucket, string, *version) {
	id := l.option("version", "")
	b, key := l.key()
	if l.err != nil {
		return nil, "", nil
	}
	v := l.s.store.latest(b, key)
	if id != "" {
		v = l.s.store.version(b, key, id)
	}
	if v == nil || v.Deleted {
		l.fail("no object %q", key)
	}
	return b, key, v
}

func (l *line) doCat() (string, error) {
	_, _, v := l.version()
	file := l.maybe("")
	if !l.end() {
		return "", nil
	}
	data, err := v.Body.bytes()
	if err != nil || file == "" {
		return string(data), err
	}
	return "", os.WriteFile(l.path(file), data, 0o600)
}

func (l *line) doCopy() (string, error) {
	_, _, v := l.version()
	to, key := l.key()
	if !l.end() {
		return "", nil
	}
	dup := *v
	return "", l.s.store.put(to, key, &dup, func(*version) error { return nil })
}

func (l *line) doRemove() (string, error) {
	id := l.option("version", "")
	b, key := l.key()
	if !l.end() {
		return "", nil
	}
	if id == "" {
		_, err := l.s.store.del(b, key, func(*version) error { return nil })
		return "", err
	}
	v, err := l.s.store.delVersion(b, key, id)
	if v == nil && err == nil {
		return "", fmt.Errorf("no version %q of %q", id, key)
	}
	return "", err
}

func (l *line) doFlip() (string, error) {
	b, key, v := l.version()
	off := l.number("OFFSET", l.next("OFFSET"))
	if !l.end() {
		return "", nil
	}
	if off < 0 {
		off += int(v.Size)
	}
	if off < 0 || off >= int(v.Size) {
		return "", fmt.Errorf("offset %d is outside of the object's %d bytes", off, v.Size)
	}
	return "", l.s.store.tamper(b, key, v, func(data []byte) []byte {
		data[off] ^= 0xff
		return data
	})
}

func (l *line) doTruncate() (string, error) {
	b, key, v := l.version()
	size := l.number("SIZE", l.next("SIZE"))
	if !l.end() {
		return "", nil
	}
	if size < 0 || size > int(v.Size) {
		return "", fmt.Errorf("the object has %d bytes", v.Size)
	}
	return "", l.s.store.tamper(b, key, v, func(data []byte) []byte { return data[:size] })
}

func (l *line) doFill() (string, error) {
	size := l.number("size", l.option("size", "16"))
	n := l.number("N", l.next("N"))
	b, prefix := l.key()
	if !l.end() {
		return "", nil
	}
	return "", l.s.store.fill(b, prefix, n, size)
}
