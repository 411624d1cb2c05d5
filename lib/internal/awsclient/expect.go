package awsclient

import (
	"context"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// ExpectS3 says that a request to a bucket will come, so that its connection is
// opened meanwhile. Done says that it has come, or will not.
func (c *Client) ExpectS3(bucket string) (done func()) {
	return c.expect("s3 "+bucket, func(send aws.HTTPClient) {
		o := c.S3().Options()
		o.HTTPClient, o.Credentials, o.Retryer = send, nobody, aws.NopRetryer{}
		s3.New(o).HeadBucket(context.Background(), &s3.HeadBucketInput{Bucket: &bucket})
	})
}

// ExpectKMS is ExpectS3 for a request to KMS in a region.
func (c *Client) ExpectKMS(region string) (done func()) {
	return c.expect("kms "+region, func(send aws.HTTPClient) {
		o := c.KMS(region).Options()
		o.HTTPClient, o.Credentials, o.Retryer = send, nobody, aws.NopRetryer{}
		kms.New(o).ListKeys(context.Background(), &kms.ListKeysInput{})
	})
}

// expect finds out, once for each service, where its requests go: one is made, and
// not sent.
func (c *Client) expect(service string, request func(send aws.HTTPClient)) (done func()) {
	if c.dialer == nil {
		return func() {}
	}
	c.mu.Lock()
	to, known := c.destinations[service]
	c.mu.Unlock()
	if !known {
		request(unsent(func(r *http.Request) { to = r.URL }))
		c.mu.Lock()
		c.destinations[service] = to
		c.mu.Unlock()
	}
	if to == nil {
		return func() {}
	}
	return c.dialer.expect(to)
}

// unsent is given requests in place of a server.
type unsent func(*http.Request)

var errUnsent = errors.New("not sent")

func (u unsent) Do(r *http.Request) (*http.Response, error) {
	u(r)
	return nil, errUnsent
}

// nobody signs what is not sent.
var nobody = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "nobody", SecretAccessKey: "nothing"}, nil
})
