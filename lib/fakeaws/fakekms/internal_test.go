package fakekms

import "testing"

func FuzzBlob(f *testing.F) {
	key := &kmsKey{ID: newKeyID(true), Material: make([]byte, 32)}
	blob, err := key.seal([]byte("data key"), map[string]string{"a": "b"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob)
	f.Fuzz(func(t *testing.T, blob []byte) {
		if id, ok := blobKeyID(blob); ok && len(id) > blobIDSize {
			t.Error("an id that is too long")
		}
		if _, err := key.open(blob, nil); err == nil {
			t.Error("opened without its context")
		}
	})
}
