package awsclient

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/internal/printable"
)

// A Reached is what a request by nobody has shown of S3 or KMS. Nobody is allowed
// anything, but the answer says who gives it, and when.
type Reached struct {
	URL   string        // scheme and host; empty if no request could be made
	Err   error         // why the service did not answer, or something else did; nil if it answered
	Dated bool          // the answer had a date
	Ahead time.Duration // how far the server's clock is ahead of this machine's, to the second
}

// ReachS3 asks S3 for a bucket's region or, without a bucket, for the list of buckets.
func (c *Client) ReachS3(ctx context.Context, bucket string) Reached {
	return c.reach(ctx, func(send aws.HTTPClient) (op string, err error) {
		o := c.S3().Options()
		o.HTTPClient, o.Credentials = send, nobody
		if bucket == "" {
			_, err = s3.New(o).ListBuckets(ctx, &s3.ListBucketsInput{})
			return "ListBuckets", err
		}
		_, err = s3.New(o).GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &bucket})
		return "GetBucketLocation", err
	})
}

// ReachKMS asks KMS, in the configured region, for a list of keys.
func (c *Client) ReachKMS(ctx context.Context) Reached {
	return c.reach(ctx, func(send aws.HTTPClient) (string, error) {
		o := c.KMS("").Options()
		o.HTTPClient, o.Credentials = send, nobody
		_, err := kms.New(o).ListKeys(ctx, &kms.ListKeysInput{})
		return "ListKeys", err
	})
}

func (c *Client) reach(ctx context.Context, request func(send aws.HTTPClient) (op string, err error)) Reached {
	seen := &observer{next: c.cfg.HTTPClient}
	op, err := request(seen)
	err = Classify(ctx, op, err, Facts{})
	var answered *Error
	switch {
	case err == nil && !seen.hasID: // a server that lets anybody in still gives its requests an id
		err = Unusable(op, "the answer is not the service's")
	case errors.As(err, &answered) && answered.Code != "":
		err = nil
	}
	seen.Err = err
	return seen.Reached
}

// observer sends requests one after the other, and looks at the last.
type observer struct {
	next  aws.HTTPClient
	hasID bool
	Reached
}

func (o *observer) Do(r *http.Request) (*http.Response, error) {
	o.URL = (&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host}).String()
	resp, err := o.next.Do(r)
	if err != nil {
		return nil, err
	}
	o.hasID = requestID(cmp.Or(resp.Header.Get("X-Amz-Request-Id"), resp.Header.Get("X-Amzn-Requestid"))) != ""
	date, none := http.ParseTime(resp.Header.Get("Date"))
	o.Dated, o.Ahead = none == nil, time.Until(date).Round(time.Second)
	return resp, nil
}

// An AccessKey is what may be shown of credentials.
type AccessKey struct {
	End     string    // the last four characters; empty if it has not the form of an access key
	Source  string    // in words: the environment, the profile
	Expires time.Time // zero: not known to
}

// AccessKey obtains credentials, as Authenticate does.
func (c *Client) AccessKey(ctx context.Context) (AccessKey, error) {
	found, err := c.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return AccessKey{}, err
	}
	var key AccessKey
	// A secret key in its place has small letters.
	if id := found.AccessKeyID; len(id) >= 16 && printable.Word(id, 128, "") && id == strings.ToUpper(id) {
		key.End = id[len(id)-4:]
	}
	if found.CanExpire {
		key.Expires = found.Expires
	}
	last := aws.CredentialSourceUndefined
	if s, ok := c.cfg.Credentials.(aws.CredentialProviderSource); ok {
		if all := s.ProviderSources(); len(all) > 0 {
			last = all[len(all)-1]
		}
	}
	key.Source = sources[aws.CredentialSourceUndefined].name
	if s, ok := sources[last]; ok {
		key.Source = s.name
	}
	return key, nil
}

// RegionSource says where the configured region came from, unless it was given to
// Load.
func (c *Client) RegionSource() string { return RegionSource(c.cfg) }
