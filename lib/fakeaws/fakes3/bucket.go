package fakes3

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"microsecrets/lib/fakeaws/internal/service"
)

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func (c *call) listBuckets() error {
	d := newXML("ListAllMyBucketsResult")
	d.open("Owner")
	d.elem("ID", c.Caller.Account)
	d.close("Owner")
	d.open("Buckets")
	st := c.store
	st.mu.RLock()
	for _, name := range slices.Sorted(maps.Keys(st.buckets)) {
		b := st.buckets[name]
		if b.Account != c.Caller.Account || !strings.HasPrefix(name, c.query.Get("prefix")) {
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
		return errInvalidBucketName.With("BucketName", c.bucketName)
	}
	if owner := c.Request.Header.Get("X-Amz-Object-Ownership"); owner != "" && owner != ownerEnforced {
		return errNotImplemented.With("Header", "x-amz-object-ownership")
	}
	var in struct {
		LocationConstraint string
	}
	if err := c.readXML(&in); err != nil {
		return err
	}
	const global = "us-east-1" // has no constraint, and tolerates a repetition
	switch region, asked := c.Sig.Region, in.LocationConstraint; {
	case asked == global:
		return service.Errorf(http.StatusBadRequest, "InvalidLocationConstraint", "The specified location-constraint is not valid").
			With("LocationConstraint", asked)
	case asked == "" && region != global:
		return service.Errorf(http.StatusBadRequest, "IllegalLocationConstraintException",
			"The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.")
	case asked != "" && asked != region:
		return service.Errorf(http.StatusBadRequest, "IllegalLocationConstraintException",
			"The %s location constraint is incompatible for the region specific endpoint this request was sent to.", asked)
	}
	if b := c.store.bucket(c.bucketName); b != nil {
		switch {
		case c.store.conf(b).Account != c.Caller.Account:
			return errBucketExists.With("BucketName", c.bucketName)
		case c.Sig.Region != global:
			return errBucketOwned.With("BucketName", c.bucketName)
		}
	} else if err := c.store.configure(bucketConf{Name: c.bucketName, Account: c.Caller.Account, Region: c.Sig.Region, Documents: initialDocuments}); err != nil {
		return err
	}
	c.Header().Set("Location", "/"+c.bucketName)
	c.WriteHeader(http.StatusOK)
	return nil
}

func (c *call) headBucket() error {
	c.Header().Set("X-Amz-Bucket-Region", c.region())
	c.WriteHeader(http.StatusOK)
	return nil
}

// region is the bucket's; one that takes any is in the one that is asked.
func (c *call) region() string {
	if region := c.conf().Region; region != "" {
		return region
	}
	return c.Sig.Region
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
	if err := c.store.configure(conf); err != nil {
		return err
	}
	c.WriteHeader(http.StatusOK)
	return nil
}
