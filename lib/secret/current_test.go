package secret_test

import (
	"errors"
	"strings"
	"testing"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/secret"
)

// What Current returns is replaced, and nothing that was stored since.
func TestCurrent(t *testing.T) {
	server := fakeawstest.Start(t)
	ctx := t.Context()
	store, err := secret.New(server.Config(), fakeaws.DefaultBucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Current(ctx, "svc/a"); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	put := func(text string, o *secret.PutOptions) (*secret.Receipt, error) {
		return store.Put(ctx, "svc/a", strings.NewReader(text), o)
	}
	stored, err := put("one", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, now, err := store.Current(ctx, "svc/a")
	if err != nil || string(text) != "one" {
		t.Fatalf("%q, %v", text, err)
	}
	want := *stored
	want.Outcome = secret.Unchanged
	if *now != want {
		t.Errorf("%+v, not %+v", now, want)
	}
	if r, err := put("two", &secret.PutOptions{If: now.ETag}); err != nil || r.Outcome != secret.Updated {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := put("three", &secret.PutOptions{If: now.ETag}); !errors.Is(err, secret.ErrChanged) {
		t.Error(err)
	}
	server.Do("flip svc/a -1")
	if text, _, err := store.Current(ctx, "svc/a"); !errors.Is(err, secret.ErrNotAuthentic) || text != nil {
		t.Errorf("altered: %q, %v", text, err)
	}
	if _, _, err := store.Current(ctx, "/"); !errors.Is(err, secret.ErrInvalid) {
		t.Error(err)
	}
	replica, err := secret.New(server.Config(), fakeaws.DefaultBucket, &secret.Options{Origin: "elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := replica.Current(ctx, "svc/a"); !errors.Is(err, secret.ErrReplica) {
		t.Error(err)
	}
}
