package secret_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/secret"
)

// emulated starts an S3 and KMS for an example and leads the AWS SDK there.
func emulated() (stop func()) {
	server, err := fakeaws.New(fakeaws.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, entry := range server.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		os.Setenv(name, value)
	}
	return func() { server.Close() }
}

func Example() {
	defer emulated()()
	ctx := context.Background()

	store, err := secret.Open(ctx, "s3://example-microsecrets/prod", nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Put(ctx, "myservice/password", strings.NewReader("hunter2"), nil); err != nil {
		log.Fatal(err)
	}
	password, err := store.Get(ctx, "myservice/password", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", password)
	// Output: hunter2
}

// A copy is bound to its new name. Where another secret has that, it stays.
func ExampleStore_Copy() {
	defer emulated()()
	ctx := context.Background()

	staging, err := secret.Open(ctx, "s3://example-microsecrets/staging", nil)
	if err != nil {
		log.Fatal(err)
	}
	production, err := secret.Open(ctx, "s3://example-microsecrets/production", nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := staging.Put(ctx, "myservice/password", strings.NewReader("hunter2"), nil); err != nil {
		log.Fatal(err)
	}
	for range 2 {
		r, err := production.Copy(ctx, "myservice/password", staging, "myservice/password", nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Outcome)
	}
	// Output:
	// created
	// unchanged
}

// A secret of any size is verified before its first byte comes out.
func ExampleStore_NewReader() {
	defer emulated()()
	ctx := context.Background()

	store, err := secret.Open(ctx, "s3://example-microsecrets/prod", nil)
	if err != nil {
		log.Fatal(err)
	}
	dump := io.LimitReader(neverEnding('x'), 65<<20)
	receipt, err := store.Put(ctx, "myservice/dump", dump, &secret.PutOptions{Create: true})
	if err != nil {
		log.Fatal(err)
	}
	r, err := store.NewReader(ctx, "myservice/dump", &secret.GetOptions{Checksum: receipt.SHA256[:]})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	n, err := io.Copy(io.Discard, r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n)
	// Output: 68157440
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

func ExampleStore_Merge() {
	defer emulated()()
	ctx := context.Background()

	store, err := secret.Open(ctx, "s3://example-microsecrets/prod", nil)
	if err != nil {
		log.Fatal(err)
	}
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			_, err := store.Merge(ctx, "myservice/serial", func(old []byte) ([]byte, error) {
				n, _ := strconv.Atoi(string(old))
				return strconv.AppendInt(nil, int64(n+1), 10), nil
			}, nil)
			if err != nil {
				log.Fatal(err)
			}
		})
	}
	group.Wait()
	serial, err := store.Get(ctx, "myservice/serial", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", serial)
	// Output: 10
}

func ExampleStore_List() {
	defer emulated()()
	ctx := context.Background()

	store, err := secret.Open(ctx, "s3://example-microsecrets/prod", nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"myservice/env", "myservice/tls.key", "other/env"} {
		if _, err := store.Put(ctx, name, strings.NewReader("…"), nil); err != nil {
			log.Fatal(err)
		}
	}
	for entry, err := range store.List(ctx, "myservice/", nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Name)
	}
	// Output:
	// myservice/env
	// myservice/tls.key
}

// A program that has an AWS configuration of its own makes no second one.
func ExampleNew() {
	defer emulated()()
	ctx := context.Background()

	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion("us-east-1"))
	if err != nil {
		log.Fatal(err)
	}
	store, err := secret.New(cfg, "s3://example-microsecrets", &secret.Options{Key: "alias/microsecrets-shared"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = store.Get(ctx, "myservice/password", nil)
	fmt.Println(err, errors.Is(err, secret.ErrNotFound))
	// Output: myservice/password: no such secret in s3://example-microsecrets true
}

// A test of code that uses a store has the emulator by one line.
func Example_testing() {
	_ = func(t *testing.T) {
		store, err := secret.New(fakeawstest.Start(t).Config(), "s3://example-microsecrets", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = store.Get(t.Context(), "myservice/password", nil)
		if !errors.Is(err, secret.ErrNotFound) {
			t.Error(err)
		}
	}
}
