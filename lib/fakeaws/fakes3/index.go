package fakes3

import (
	"slices"
	"strings"
)

// An index is the objects of a bucket, sorted by the bytes of their keys. A seek
// is a binary search; an insertion moves the pointers after it, 4 MB of them in the
// middle of a million keys.
//
// Readers may work side by side, a writer alone; the store's lock sees to that.
type index []*object

// seek returns the place of the first key that is not less than key, and whether
// it is that key.
func (x index) seek(key string) (int, bool) {
	return slices.BinarySearchFunc(x, key, func(o *object, key string) int { return strings.Compare(o.key, key) })
}

// get returns the object at key, or nil.
func (x index) get(key string) *object {
	if i, ok := x.seek(key); ok {
		return x[i]
	}
	return nil
}

// getOrInsert returns the object at key, a new one without versions if there is
// none.
func (x *index) getOrInsert(key string) *object {
	i, ok := x.seek(key)
	if !ok {
		*x = slices.Insert(*x, i, &object{key: key})
	}
	return (*x)[i]
}

// remove takes key out of the index.
func (x *index) remove(key string) {
	if i, ok := x.seek(key); ok {
		*x = slices.Delete(*x, i, i+1)
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
