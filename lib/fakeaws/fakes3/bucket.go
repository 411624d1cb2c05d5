package fakes3

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"microsecrets/lib/fakeaws/internal/service"
)

var bucketName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
})

// global is the region whose buckets have no location constraint, and can be
// created twice.
const global = "us-east-1"

func (c *call) listBuckets() error {
	buckets := nodes{}
	st := c.store
	st.mu.RLock()
	for _, name := range slices.Sorted(maps.Keys(st.buckets)) {
		if b := st.buckets[name]; b.Account == c.Caller.Account && strings.HasPrefix(name, c.query.Get("prefix")) {
			buckets = append(buckets, node{"Bucket", nodes{{"Name", name}, {"CreationDate", b.Created}}})
		}
	}
	st.mu.RUnlock()
	return c.answer("ListAllMyBucketsResult", nodes{{"Owner", nodes{{"ID", c.Caller.Account}}}, {"Buckets", buckets}})
}

func (c *call) createBucket() error {
	if !bucketName().MatchString(c.bucketName) {
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
	region := c.region()
	if region == global {
		region = ""
	}
	return c.answer("LocationConstraint", region)
}

func (c *call) getBucketVersioning() error {
	conf, mfa := c.conf(), optional("")
	if conf.MFADelete {
		mfa = versioned
	}
	return c.answer("VersioningConfiguration", nodes{{"Status", optional(conf.Versioning)}, {"MfaDelete", mfa}})
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
	switch {
	case conf.MFADelete:
		return errMFA
	case conf.Documents["object-lock"] != "" && in.Status != versioned:
		return errLocked
	}
	conf.Versioning = in.Status
	return c.configure(conf, http.StatusOK)
}

// configure changes the bucket's configuration and answers with a status.
func (c *call) configure(conf bucketConf, status int) error {
	if err := c.store.configure(conf); err != nil {
		return err
	}
	c.WriteHeader(status)
	return nil
}
