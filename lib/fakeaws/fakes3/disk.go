package fakes3

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// bodies is the folder of the stored bytes.
const bodies = "bodies"

// A disk keeps a store in a folder: a journal of one JSON record a line, and the
// bodies in files beside it.
//
//	journal        what happened; a torn last line is one that never happened
//	bodies/…       one file a body or part, never changed
//
// At start the journal is replayed and written anew, and bodies that nothing
// refers to are removed. Uploads in progress are not kept. A nil disk keeps
// nothing.
type disk struct {
	dir     *os.Root
	journal *os.File
	lazy    bool // do not sync each record: while many are written
}

// A record is one line of the journal; one of its fields is set.
type record struct {
	Bucket  *bucketConf `json:"bucket,omitempty"`
	Put     *putRecord  `json:"put,omitempty"`
	Drop    *dropRecord `json:"drop,omitempty"`
	Replace *putRecord  `json:"replace,omitempty"`
}

type putRecord struct {
	Bucket  string   `json:"b"`
	Key     string   `json:"k"`
	Version *version `json:"v"`
	Younger int      `json:"younger,omitempty"` // so many of the newest versions stay above it
}

type dropRecord struct {
	Bucket string `json:"b"`
	Key    string `json:"k"`
	ID     string `json:"id"`
}

// open fills st with what dir keeps, and keeps there what becomes of it.
func (st *store) open(dir *os.Root) error {
	d := &disk{dir: dir}
	if err := dir.Mkdir(bodies, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	for _, step := range []func(*store) error{d.replay, d.compact, d.sweep} {
		if err := step(st); err != nil {
			return errors.Join(err, d.close())
		}
	}
	st.disk = d
	return nil
}

func (d *disk) replay(st *store) error {
	f, err := d.dir.Open("journal")
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
				put.Version.Body[i].dir = d.dir
			}
		}
	}
	switch {
	case rec.Bucket != nil:
		st.configureLocked(*rec.Bucket)
	case rec.Put != nil && rec.Put.Version != nil:
		b, err := find(rec.Put.Bucket)
		if err != nil {
			return err
		}
		b.insert(rec.Put.Key, rec.Put.Version, rec.Put.Younger)
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
	if err := d.dir.Remove("journal.new"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := d.dir.OpenFile("journal.new", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
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
				err = errors.Join(err, enc.Encode(record{Put: &putRecord{b.Name, o.key, v, 0}}))
			}
		}
	}
	err = errors.Join(err, w.Flush(), f.Sync())
	if err == nil {
		err = d.dir.Rename("journal.new", "journal")
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
	files, err := fs.ReadDir(d.dir.FS(), bodies)
	for _, f := range files {
		if !used[f.Name()] {
			err = errors.Join(err, d.dir.Remove(path.Join(bodies, f.Name())))
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
	return d.dir.OpenFile(path.Join(bodies, newID()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
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
	return d.finish(f, int64(len(data)), err)
}

// finish closes f and returns the body that was written to it, or removes it
// where err is not nil.
func (d *disk) finish(f *os.File, size int64, err error) (body, error) {
	name := filepath.Base(f.Name())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(err, d.dir.Remove(path.Join(bodies, name)))
	}
	return body{{File: name, Size: size, dir: d.dir}}, nil
}

func (d *disk) close() error {
	if d == nil || d.journal == nil {
		return nil
	}
	return d.journal.Close()
}
