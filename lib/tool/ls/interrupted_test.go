package ls

import (
	"context"
	"errors"
	"testing"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/secret"
)

// A list that is interrupted while the server is awaited does not pass for a whole one.
func TestInterruptedListing(t *testing.T) {
	server := fakeawstest.Start(t)
	store, err := secret.New(server.Config(), fakeaws.DefaultBucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	server.Do("write s/a x")
	for range 20 {
		server.Do("fault hold ListObjectVersions")
		ctx, interrupt := context.WithCancel(t.Context())
		go func() {
			server.Do("await ListObjectVersions 1")
			interrupt()
		}()
		var last error
		for _, err := range withClaims(ctx, store, "s/") {
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Fatalf("the list ends with %v", last)
		}
		server.Do("clear")
	}
}
