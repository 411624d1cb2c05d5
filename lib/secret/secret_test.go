package secret_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/logging"

	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/secret"
)

// The loggers of a caller's configuration would print data keys: they are given
// nothing, and the configuration stays as it is.
func TestNewLogsNothing(t *testing.T) {
	server := fakeawstest.Start(t)
	var mu sync.Mutex
	var logged bytes.Buffer
	cfg := server.Config()
	cfg.ClientLogMode = aws.LogSigning | aws.LogRetries | aws.LogRequestWithBody | aws.LogResponseWithBody
	cfg.Logger = logging.LoggerFunc(func(_ logging.Classification, format string, v ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(&logged, format, v...)
	})
	before := cfg.ClientLogMode
	store, err := secret.New(cfg, "example-microsecrets", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), "a/b", strings.NewReader("canary"), nil); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Get(t.Context(), "a/b", nil); string(got) != "canary" || err != nil {
		t.Fatal(err)
	}
	if logged.Len() > 0 || cfg.ClientLogMode != before {
		t.Errorf("logged: %s", &logged)
	}
}

// What is refused before anything is sent.
func TestRefused(t *testing.T) {
	server := fakeawstest.Start(t)
	ctx := t.Context()
	long := strings.Repeat("x", 257)
	for name, open := range map[string]func() (*secret.Store, error){
		"store": func() (*secret.Store, error) { return secret.New(server.Config(), "s3://", nil) },
		"origin": func() (*secret.Store, error) {
			return secret.New(server.Config(), "bucket", &secret.Options{Origin: "x"})
		},
		"by": func() (*secret.Store, error) {
			return secret.New(server.Config(), "bucket", &secret.Options{By: &long})
		},
		"region": func() (*secret.Store, error) { return secret.New(aws.Config{}, "bucket", nil) },
	} {
		if _, err := open(); !isInvalid(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	store, err := secret.New(server.Config(), "example-microsecrets", &secret.Options{Key: "alias/{service}"})
	if err != nil {
		t.Fatal(err)
	}
	replica, err := secret.New(server.Config(), "example-microsecrets", &secret.Options{Origin: "another"})
	if err != nil {
		t.Fatal(err)
	}
	put := func(s *secret.Store, name string, o *secret.PutOptions) error {
		_, err := s.Put(ctx, name, strings.NewReader("x"), o)
		return err
	}
	get := func(s *secret.Store, name string, o *secret.GetOptions) error {
		_, err := s.Get(ctx, name, o)
		return err
	}
	for what, err := range map[string]error{
		"an invalid name":              put(store, "a//b", nil),
		"a service that is no alias":   put(store, "a b/c", nil),
		"a replica":                    put(replica, "a/b", nil),
		"create, and a version":        put(store, "a/b", &secret.PutOptions{Create: true, If: "v"}),
		"the version null":             put(store, "a/b", &secret.PutOptions{If: secret.NullVersion}),
		"get by an invalid name":       get(store, "/", nil),
		"a checksum of no algorithm":   get(store, "a/b", &secret.GetOptions{Checksum: secret.Checksum{1}}),
		"remove from a replica":        replica.Remove(ctx, "a/b", nil),
		"remove a version, and purge":  store.Remove(ctx, "a/b", &secret.RemoveOptions{Version: "v", Purge: true}),
		"check":                        secret.Check("example-microsecrets", nil, "a b/c"),
		"check the store":              secret.Check("", nil, "a/b"),
		"a prefix that no name begins": listed(store, "a\n"),
	} {
		if !isInvalid(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if printed := server.Do("counts"); printed != "" {
		t.Errorf("sent: %s", printed)
	}
}

func listed(s *secret.Store, prefix string) error {
	for _, err := range s.List(context.Background(), prefix, nil) {
		return err
	}
	return nil
}

// isInvalid reports whether err is an Error of what was refused before anything
// was sent.
func isInvalid(err error) bool {
	var e *secret.Error
	return errors.As(err, &e) && errors.Is(err, secret.ErrInvalid) && !e.MaybeApplied
}
