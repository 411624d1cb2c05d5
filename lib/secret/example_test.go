package secret_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"

	"microsecrets/lib/fakeaws"
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

	store, err := secret.Open(ctx, secret.Options{Store: "s3://example-microsecrets/prod"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Put(ctx, "myservice/password", strings.NewReader("hunter2")); err != nil {
		log.Fatal(err)
	}
	password, err := store.Get(ctx, "myservice/password")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", password)

	for entry, err := range store.List(ctx, "myservice/", nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Name)
	}
	// Output:
	// hunter2
	// myservice/password
}

func ExampleStore_Merge() {
	defer emulated()()
	ctx := context.Background()

	store, err := secret.Open(ctx, secret.Options{Store: "s3://example-microsecrets/prod"})
	if err != nil {
		log.Fatal(err)
	}
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			_, err := store.Merge(ctx, "myservice/serial", secret.PutOptions{}, func(old []byte) ([]byte, error) {
				n, _ := strconv.Atoi(string(old))
				return strconv.AppendInt(nil, int64(n+1), 10), nil
			})
			if err != nil {
				log.Fatal(err)
			}
		})
	}
	group.Wait()
	serial, err := store.Get(ctx, "myservice/serial")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", serial)
	// Output: 10
}
