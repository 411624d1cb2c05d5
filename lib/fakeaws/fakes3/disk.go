package fakes3

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"

	"microsecrets/lib/fakeaws/internal/service"
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
	Put     *change     `json:"put,omitempty"`     // Version is new
	Replace *change     `json:"replace,omitempty"` // Version takes the place of that of its id
	Drop    *change     `json:"drop,omitempty"`    // the version ID goes
}

// A change is one of a key's versions.
type change struct {
	Bucket  string   `json:"b"`
	Key     string   `json:"k"`
	Version *version `json:"v,omitempty"`
	Younger int      `json:"younger,omitempty"` // so many of the newest versions stay above it
	ID      string   `json:"id,omitempty"`

	by   *http.Request // that asked for it; nil: none
	gone *version      // of a Drop
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
		err = json.Unmarshal(line, &rec)
		if c := cmp.Or(rec.Put, rec.Replace); c != nil && c.Version != nil {
			for i := range c.Version.Body {
				p := &c.Version.Body[i]
				p.dir = d.dir
				if p.File == "" || p.Size < 0 {
					err = cmp.Or(err, errors.New("a body that is in no file"))
				}
			}
			if c.Version.Size != c.Version.Body.size() {
				err = cmp.Or(err, errors.New("a size that is not the body's"))
			}
		}
		if err == nil {
			err = st.apply(rec)
		}
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", f.Name(), n, err)
		}
	}
}

// compact writes the journal anew, without what later records have undone, and
// leaves it open for log.
func (d *disk) compact(st *store) (err error) {
	d.journal, err = service.ReplaceFile(d.dir, "journal", func(f io.Writer) error {
		w := bufio.NewWriterSize(f, 1<<16)
		enc := json.NewEncoder(w)
		for _, b := range st.buckets {
			if err := enc.Encode(record{Bucket: &b.bucketConf}); err != nil {
				return err
			}
			for _, o := range b.objects {
				for _, v := range o.versions {
					if err := enc.Encode(record{Put: &change{Bucket: b.Name, Key: o.key, Version: v}}); err != nil {
						return err
					}
				}
			}
		}
		return w.Flush()
	})
	return err
}

// sweep removes the bodies that no version refers to.
func (d *disk) sweep(st *store) error {
	used := map[string]bool{}
	for _, b := range st.buckets {
		for _, o := range b.objects {
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

func (d *disk) close() error {
	if d == nil || d.journal == nil {
		return nil
	}
	return d.journal.Close()
}
