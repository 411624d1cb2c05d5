package fakes3

import (
	"net/http"

	"microsecrets/lib/fakeaws/iam"
)

// maxPolicy bounds a bucket's policy, in bytes.
const maxPolicy = 20 << 10

func (c *call) getBucketPolicy() error {
	text, ok := c.conf().Documents["policy"]
	if !ok {
		return errNoSuchPolicy.With("BucketName", c.bucketName)
	}
	c.Header().Set("Content-Type", "application/json")
	c.WriteHeader(http.StatusOK)
	c.Write([]byte(text))
	return nil
}

// putBucketPolicy keeps the policy byte for byte.
func (c *call) putBucketPolicy() error {
	in, err := c.receive("", maxXML)
	if err != nil {
		return err
	}
	data, err := in.body.bytes()
	if err != nil {
		return err
	}
	if _, err := iam.ParseBucketPolicy(data); err != nil || len(data) > maxPolicy {
		return errMalformedPolicy
	}
	return c.setDocument(http.StatusNoContent, func(all map[string]string) { all["policy"] = string(data) })
}

// deniedByBucket reports whether the bucket's policy denies the operation to the
// caller. What it allows is not looked at: here every caller has policies of its
// own.
func (c *call) deniedByBucket() bool {
	text, ok := c.conf().Documents["policy"]
	if !ok {
		return false
	}
	policy, err := iam.ParseBucketPolicy([]byte(text))
	return err != nil || c.Caller.DeniedBy(policy, iam.Request{Action: c.operation.action, Resource: c.arn(), Context: c.Context})
}
