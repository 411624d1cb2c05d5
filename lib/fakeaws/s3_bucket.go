package fakeaws

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func (c *call) listBuckets() error {
	d := newXML("ListAllMyBucketsResult")
	d.open("Owner")
	d.elem("ID", c.who.account)
	d.close("Owner")
	d.open("Buckets")
	st := c.s.store
	st.mu.RLock()
	for _, name := range slices.Sorted(maps.Keys(st.buckets)) {
		b := st.buckets[name]
		if b.Account != c.who.account || !strings.HasPrefix(name, c.query.Get("prefix")) {
			continue
		}
		d.open("Bucket")
		d.elem("Name", name)
		d.time("CreationDate", b.Created)
		d.close("Bucket")
	}
	st.mu.RUnlock()
	d.close("Buckets")
	d.close("ListAllMyBucketsResult")
	c.writeXML(http.StatusOK, d)
	return nil
}

func (c *call) createBucket() error {
	if !bucketName.MatchString(c.bucketName) {
		return errInvalidBucketName.with("BucketName", c.bucketName)
	}
	if c.s.store.bucket(c.bucketName) != nil {
		return errBucketOwned.with("BucketName", c.bucketName)
	}
	if err := c.s.store.configure(bucketConf{Name: c.bucketName, Account: c.who.account}); err != nil {
		return err
	}
	c.out.header.Set("Location", "/"+c.bucketName)
	c.out.WriteHeader(http.StatusOK)
	return nil
}

func (c *call) deleteBucket() error {
	if err := c.s.store.removeBucket(c.bucket); err != nil {
		return err
	}
	c.out.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *call) headBucket() error {
	c.out.header.Set("X-Amz-Bucket-Region", c.region())
	c.out.WriteHeader(http.StatusOK)
	return nil
}

// region is the bucket's; one that takes any is in the one that is asked.
func (c *call) region() string {
	if region := c.conf().Region; region != "" {
		return region
	}
	return c.sig.region
}

func (c *call) getBucketLocation() error {
	d := newXML("LocationConstraint")
	if region := c.region(); region != "us-east-1" {
		*d = appendXMLText(*d, region)
	}
	d.close("LocationConstraint")
	c.writeXML(http.StatusOK, d)
	return nil
}

func (c *call) getBucketVersioning() error {
	d := newXML("VersioningConfiguration")
	d.optional("Status", c.conf().Versioning)
	d.close("VersioningConfiguration")
	c.writeXML(http.StatusOK, d)
	return nil
}

func (c *call) putBucketVersioning() error {
	var in struct {
		Status string `xml:"Status"`
	}
	if err := c.readXML(&in); err != nil {
		return err
	}
	if in.Status != versioned && in.Status != suspended {
		return errMalformedXML
	}
	conf := c.conf()
	conf.Versioning = in.Status
	if err := c.s.store.configure(conf); err != nil {
		return err
	}
	c.out.WriteHeader(http.StatusOK)
	return nil
}
