package secret_test

import (
	"bytes"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/secret"
)

// What moves is counted, and what is made again is told, with what failed in our words.
func TestMovedAndRetrying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := fakeawstest.StartWith(t, fakeaws.Options{InMemory: true})
		defer server.Close()
		var moved atomic.Int64
		var mu sync.Mutex
		var told []secret.Retry
		store, err := secret.New(server.Config(), fakeaws.DefaultBucket, &secret.Options{
			Moved: func(n int) { moved.Add(int64(n)) },
			Retrying: func(r secret.Retry) {
				mu.Lock()
				defer mu.Unlock()
				if r.Delay < 0 || r.Delay > time.Minute {
					t.Errorf("%+v", r)
				}
				r.Delay = 0
				told = append(told, r)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		const size = 20 << 20
		server.Do("fault throttle GenerateDataKey times=1", "fault answer 500 Secret-Word UploadPart times=1")
		if _, err := store.Put(t.Context(), "svc/large", bytes.NewReader(make([]byte, size)), nil); err != nil {
			t.Fatal(err)
		}
		if n := moved.Swap(0); n < size || n > 2*size {
			t.Errorf("%d bytes moved to put %d", n, size)
		}
		want := []secret.Retry{
			{Service: "KMS", Attempt: 1, Attempts: 3, Why: "throttled"},
			{Service: "S3", Attempt: 1, Attempts: 3, Why: "500 Internal Server Error"},
		}
		if !slices.Equal(told, want) {
			t.Errorf("told %+v", told)
		}
		told = nil
		server.Do("fault answer 500 InternalError GetObject times=2")
		if _, err := store.Stream(t.Context(), "svc/large", io.Discard, nil); err != nil {
			t.Fatal(err)
		}
		if n := moved.Load(); n < size || n > 2*size {
			t.Errorf("%d bytes moved to get %d", n, size)
		}
		want = []secret.Retry{
			{Service: "S3", Attempt: 1, Attempts: 3, Why: "500 Internal Server Error"},
			{Service: "S3", Attempt: 2, Attempts: 3, Why: "500 Internal Server Error"},
		}
		if !slices.Equal(told, want) {
			t.Errorf("told %+v", told)
		}
	})
}
