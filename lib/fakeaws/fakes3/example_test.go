package fakes3_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/fakeaws/fakes3"
	"microsecrets/lib/fakeaws/iam"
)

// An S3 without the server of faults and counts around it.
func Example() {
	principals := iam.New()
	handler, err := fakes3.New(fakes3.Options{Principals: principals})
	if err != nil {
		log.Fatal(err)
	}
	defer handler.Close()
	server := httptest.NewServer(handler)
	defer server.Close()

	dev, _ := principals.Find(iam.DefaultPrincipal)
	client := s3.NewFromConfig(aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &server.URL,
		Credentials:  credentials.NewStaticCredentialsProvider(dev.AccessKey, dev.SecretKey, ""),
	})
	_, err = client.PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: aws.String(fakes3.DefaultBucket), Key: aws.String("a/b"), Body: strings.NewReader("text"),
	})
	if err != nil {
		log.Fatal(err)
	}
	stored, err := handler.Control("", "cat", "a/b")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stored)
	// Output: text
}
