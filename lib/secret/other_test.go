package secret_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/secret"
)

// Two stores share what they are reached with, and nothing that is said of one.
func TestOther(t *testing.T) {
	server := fakeawstest.Start(t)
	server.Do("bucket example-other region=eu-west-1", "key create alias/of-other region=eu-west-1")
	cfg := server.Config()
	var obtained atomic.Int32
	source := cfg.Credentials
	cfg.Credentials = aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		obtained.Add(1)
		return source.Retrieve(ctx)
	}))
	first, err := secret.New(cfg, fakeaws.DefaultBucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := first.Other("example-other/below", &secret.Options{Key: "alias/of-other", Region: "eu-west-1", Ahead: secret.Ahead{Names: []string{"svc/a"}}})
	if err != nil {
		t.Fatal(err)
	}
	for store, text := range map[*secret.Store]string{first: "one", other: "two"} {
		if _, err := store.Put(t.Context(), "svc/a", strings.NewReader(text), nil); err != nil {
			t.Fatal(err)
		}
	}
	for store, text := range map[*secret.Store]string{first: "one", other: "two"} {
		if got, err := store.Get(t.Context(), "svc/a", nil); err != nil || string(got) != text {
			t.Errorf("%s: %q, %v", store, got, err)
		}
	}
	if n := obtained.Load(); n != 1 {
		t.Errorf("credentials were obtained %d times", n)
	}
	if region, _ := first.Region(); region != fakeaws.DefaultRegion {
		t.Errorf("the first store is in %s now", region)
	}
	for _, o := range []*secret.Options{{Region: "not a region"}, {By: aws.String("\n")}} {
		if _, err := first.Other("example-other", o); !errors.Is(err, secret.ErrInvalid) {
			t.Errorf("%v: %v", o, err)
		}
	}
	if _, err := first.Other("no store", nil); !errors.Is(err, secret.ErrInvalid) {
		t.Error(err)
	}
}
