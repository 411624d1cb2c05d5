package fakes3

import (
	"iter"
	"slices"
	"strings"
	"sync/atomic"
)

// chunkMax bounds a chunk of an index: an insertion moves at most this many
// pointers.
const chunkMax = 512

// An index is a map from keys to objects, sorted by the bytes of the keys. It
// is a list of sorted chunks, none of them empty, so that a seek is two binary
// searches and a million keys are two thousand chunks.
//
// Readers may work side by side, a writer alone; the store's lock sees to that.
type index struct {
	chunks [][]*object
	n      int

	steps atomic.Int64 // objects looked at by cursors, for tests of what a listing costs
}

// seek returns a cursor at the first key that is not less than key.
func (x *index) seek(key string) cursor {
	c, _ := slices.BinarySearchFunc(x.chunks, key, func(chunk []*object, key string) int {
		return strings.Compare(chunk[len(chunk)-1].key, key)
	})
	if c == len(x.chunks) {
		return cursor{x: x, chunk: c}
	}
	i, _ := slices.BinarySearchFunc(x.chunks[c], key, func(o *object, key string) int {
		return strings.Compare(o.key, key)
	})
	return cursor{x: x, chunk: c, i: i}
}

// get returns the object at key, or nil.
func (x *index) get(key string) *object {
	cur := x.seek(key)
	if o := cur.peek(); o != nil && o.key == key {
		return o
	}
	return nil
}

// getOrInsert returns the object at key, a new one without versions if there is
// none.
func (x *index) getOrInsert(key string) *object {
	cur := x.seek(key)
	if o := cur.peek(); o != nil && o.key == key {
		return o
	}
	o := &object{key: key}
	x.n++
	if cur.chunk == len(x.chunks) { // after all keys, so at the end of the last chunk
		cur.chunk = max(0, len(x.chunks)-1)
		if len(x.chunks) == 0 {
			x.chunks = [][]*object{nil}
		}
		cur.i = len(x.chunks[cur.chunk])
	}
	chunk := slices.Insert(x.chunks[cur.chunk], cur.i, o)
	if len(chunk) > chunkMax {
		x.chunks = slices.Insert(x.chunks, cur.chunk+1, slices.Clone(chunk[chunkMax/2:]))
		chunk = slices.Clone(chunk[:chunkMax/2])
	}
	x.chunks[cur.chunk] = chunk
	return o
}

// remove takes key out of the index.
func (x *index) remove(key string) {
	cur := x.seek(key)
	if o := cur.peek(); o == nil || o.key != key {
		return
	}
	x.n--
	chunk := slices.Delete(x.chunks[cur.chunk], cur.i, cur.i+1)
	if len(chunk) == 0 {
		x.chunks = slices.Delete(x.chunks, cur.chunk, cur.chunk+1)
		return
	}
	x.chunks[cur.chunk] = chunk
}

// A cursor is a position in an index; a change of the index invalidates it.
type cursor struct {
	x     *index
	chunk int
	i     int
}

func (c *cursor) peek() *object {
	if c.chunk == len(c.x.chunks) {
		return nil
	}
	return c.x.chunks[c.chunk][c.i]
}

// next returns the object at the cursor and moves on; nil at the end.
func (c *cursor) next() *object {
	o := c.peek()
	if o == nil {
		return nil
	}
	c.x.steps.Add(1)
	if c.i++; c.i == len(c.x.chunks[c.chunk]) {
		c.chunk, c.i = c.chunk+1, 0
	}
	return o
}

// all returns every object, in order.
func (x *index) all() iter.Seq[*object] {
	return func(yield func(*object) bool) {
		for cur := x.seek(""); cur.peek() != nil; {
			if !yield(cur.next()) {
				return
			}
		}
	}
}

// afterPrefix returns the least key that is greater than every key with the
// prefix; ok is false when there is none.
func afterPrefix(prefix string) (key string, ok bool) {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1}), true
		}
	}
	return "", false
}
