package fakeaws

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A disk keeps a store below a directory: a journal of one JSON record a line,
// and the bodies in files beside it.
//
//	DIR/journal        what happened; a torn last line is one that never happened
//	DIR/bodies/…       one file a body or part, never changed
//	DIR/kms.json       keys with their material, and aliases
//
// At start the journal is replayed and written anew, and bodies that nothing
// refers to are removed. Uploads in progress are not kept. A nil disk keeps
// nothing.
type disk struct {
	dir     string
	journal *os.File
	lock    *os.File
	lazy    bool // do not sync each record: while many are written
}

// A record is one line of the journal; one of its fields is set.
type record struct {
	Bucket   *bucketConf `json:"bucket,omitempty"`
	Unbucket string      `json:"unbucket,omitempty"`
	Put      *putRecord  `json:"put,omitempty"`
	Drop     *dropRecord `json:"drop,omitempty"`
	Replace  *putRecord  `json:"replace,omitempty"`
}

type putRecord struct {
	Bucket  string   `json:"b"`
	Key     string   `json:"k"`
	Version *version `json:"v"`
}

type dropRecord struct {
	Bucket string `json:"b"`
	Key    string `json:"k"`
	ID     string `json:"id"`
}

func (d *disk) path(elem ...string) string {
	return filepath.Join(append([]string{d.dir}, elem...)...)
}

// openDisk opens dir, which it makes if need be, and fills st from it.
func openDisk(dir string, st *store) (*disk, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	d := &disk{dir: dir}
	if err := os.MkdirAll(d.path("bodies"), 0o700); err != nil {
		return nil, err
	}
	if d.lock, err = lockFile(d.path("lock")); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	err = d.replay(st)
	if err == nil {
		err = d.compact(st)
	}
	if err == nil {
		err = d.sweep(st)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *disk) replay(st *store) error {
	f, err := os.Open(d.path("journal"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var rec record
		if err := json.Unmarshal(line, &rec); err != nil {
			return fmt.Errorf("%s: line %d: %w", f.Name(), n, err)
		}
		if err := d.apply(st, rec); err != nil {
			return fmt.Errorf("%s: line %d: %w", f.Name(), n, err)
		}
	}
}

func (d *disk) apply(st *store, rec record) error {
	find := func(name string) (*bucket, error) {
		if b := st.buckets[name]; b != nil {
			return b, nil
		}
		return nil, fmt.Errorf("no bucket %q", name)
	}
	for _, put := range []*putRecord{rec.Put, rec.Replace} {
		if put != nil && put.Version != nil {
			for i := range put.Version.Body {
				put.Version.Body[i].dir = d.path("bodies")
			}
		}
	}
	switch {
	case rec.Bucket != nil:
		st.configureLocked(*rec.Bucket)
	case rec.Unbucket != "":
		delete(st.buckets, rec.Unbucket)
	case rec.Put != nil && rec.Put.Version != nil:
		b, err := find(rec.Put.Bucket)
		if err != nil {
			return err
		}
		b.insert(rec.Put.Key, rec.Put.Version)
	case rec.Replace != nil && rec.Replace.Version != nil:
		b, err := find(rec.Replace.Bucket)
		if err != nil {
			return err
		}
		b.replace(rec.Replace.Key, rec.Replace.Version)
	case rec.Drop != nil:
		b, err := find(rec.Drop.Bucket)
		if err != nil {
			return err
		}
		b.drop(rec.Drop.Key, rec.Drop.ID)
	default:
		return errors.New("a record of no known kind")
	}
	return nil
}

// compact writes the journal anew, without what later records have undone, and
// leaves it open for log.
func (d *disk) compact(st *store) error {
	f, err := os.OpenFile(d.path("journal.new"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	enc := json.NewEncoder(w)
	for _, b := range st.buckets {
		err = errors.Join(err, enc.Encode(record{Bucket: &b.bucketConf}))
		for cur := b.objects.seek(""); ; {
			o := cur.next()
			if o == nil {
				break
			}
			for _, v := range o.versions {
				err = errors.Join(err, enc.Encode(record{Put: &putRecord{b.Name, o.key, v}}))
			}
		}
	}
	err = errors.Join(err, w.Flush(), f.Sync())
	if err == nil {
		err = os.Rename(f.Name(), d.path("journal"))
	}
	if err != nil {
		f.Close()
		return err
	}
	d.journal = f
	return nil
}

// sweep removes the bodies that no version refers to.
func (d *disk) sweep(st *store) error {
	used := map[string]bool{}
	for _, b := range st.buckets {
		for cur := b.objects.seek(""); ; {
			o := cur.next()
			if o == nil {
				break
			}
			for _, v := range o.versions {
				for _, p := range v.Body {
					used[p.File] = true
				}
			}
		}
	}
	files, err := os.ReadDir(d.path("bodies"))
	for _, f := range files {
		if !used[f.Name()] {
			err = errors.Join(err, os.Remove(d.path("bodies", f.Name())))
		}
	}
	return err
}

func (d *disk) log(rec record) error {
	if d == nil {
		return nil
	}
	line, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if _, err := d.journal.Write(append(line, '\n')); err != nil || d.lazy {
		return err
	}
	return d.journal.Sync()
}

// create opens a new file for a body.
func (d *disk) create() (*os.File, error) {
	return os.OpenFile(d.path("bodies", newID()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// save returns data as a body of this disk, in memory if d is nil.
func (d *disk) save(data []byte) (body, error) {
	if d == nil || len(data) == 0 {
		return memoryBody(data), nil
	}
	f, err := d.create()
	if err != nil {
		return nil, err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(f.Name())
		return nil, err
	}
	return d.body(f, int64(len(data))), nil
}

// body is what has been written to f.
func (d *disk) body(f *os.File, size int64) body {
	return body{{File: filepath.Base(f.Name()), Size: size, dir: d.path("bodies")}}
}

// writeFile replaces a file below the directory in one step.
func (d *disk) writeFile(name string, data []byte) error {
	tmp := d.path(name + ".new")
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, d.path(name))
}

func (d *disk) close() error {
	if d == nil {
		return nil
	}
	var err error
	if d.journal != nil {
		err = d.journal.Close()
	}
	return errors.Join(err, d.lock.Close())
}

// readFile returns nil for a file that is not there.
func (d *disk) readFile(name string) ([]byte, error) {
	data, err := os.ReadFile(d.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
