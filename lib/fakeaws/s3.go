package fakeaws

import (
	"encoding/base64"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxKey is the longest key of an object, in bytes.
const maxKey = 1024

// maxXML bounds the documents that are read: 1,000 names to delete, 10,000
// parts.
const maxXML = 4 << 20

type s3Protocol struct{}

// An s3Operation is how a request is recognised and carried out.
type s3Operation struct {
	method string
	level  int    // serviceLevel, bucketLevel or keyLevel
	query  string // a parameter that must be there, "NAME" or "NAME=VALUE"; "" for the operation without one
	header string // likewise a header
	name   string
	action string // of IAM
	do     func(*call) error
}

const (
	serviceLevel = iota
	bucketLevel
	keyLevel
)

// s3Operations are in the order in which they are tried.
var s3Operations = []s3Operation{
	{"GET", serviceLevel, "", "", "ListBuckets", "s3:ListAllMyBuckets", (*call).listBuckets},

	{"PUT", bucketLevel, "versioning", "", "PutBucketVersioning", "s3:PutBucketVersioning", (*call).putBucketVersioning},
	{"PUT", bucketLevel, "", "", "CreateBucket", "s3:CreateBucket", (*call).createBucket},
	{"GET", bucketLevel, "versioning", "", "GetBucketVersioning", "s3:GetBucketVersioning", (*call).getBucketVersioning},
	{"GET", bucketLevel, "location", "", "GetBucketLocation", "s3:GetBucketLocation", (*call).getBucketLocation},
	{"GET", bucketLevel, "versions", "", "ListObjectVersions", "s3:ListBucketVersions", (*call).listObjectVersions},
	{"GET", bucketLevel, "uploads", "", "ListMultipartUploads", "s3:ListBucketMultipartUploads", (*call).listMultipartUploads},
	{"GET", bucketLevel, "list-type=2", "", "ListObjectsV2", "s3:ListBucket", (*call).listObjectsV2},
	{"GET", bucketLevel, "", "", "ListObjects", "s3:ListBucket", (*call).listObjects},
	{"HEAD", bucketLevel, "", "", "HeadBucket", "s3:ListBucket", (*call).headBucket},
	{"DELETE", bucketLevel, "", "", "DeleteBucket", "s3:DeleteBucket", (*call).deleteBucket},
	{"POST", bucketLevel, "delete", "", "DeleteObjects", "", (*call).deleteObjects},

	{"PUT", keyLevel, "uploadId", "X-Amz-Copy-Source", "UploadPartCopy", "s3:PutObject", (*call).uploadPartCopy},
	{"PUT", keyLevel, "uploadId", "", "UploadPart", "s3:PutObject", (*call).uploadPart},
	{"PUT", keyLevel, "", "X-Amz-Copy-Source", "CopyObject", "s3:PutObject", (*call).copyObject},
	{"PUT", keyLevel, "", "", "PutObject", "s3:PutObject", (*call).putObject},
	{"GET", keyLevel, "uploadId", "", "ListParts", "s3:ListMultipartUploadParts", (*call).listParts},
	{"GET", keyLevel, "versionId", "", "GetObject", "s3:GetObjectVersion", (*call).getObject},
	{"GET", keyLevel, "", "", "GetObject", "s3:GetObject", (*call).getObject},
	{"HEAD", keyLevel, "versionId", "", "HeadObject", "s3:GetObjectVersion", (*call).getObject},
	{"HEAD", keyLevel, "", "", "HeadObject", "s3:GetObject", (*call).getObject},
	{"DELETE", keyLevel, "uploadId", "", "AbortMultipartUpload", "s3:AbortMultipartUpload", (*call).abortMultipartUpload},
	{"DELETE", keyLevel, "versionId", "", "DeleteObject", "s3:DeleteObjectVersion", (*call).deleteObject},
	{"DELETE", keyLevel, "", "", "DeleteObject", "s3:DeleteObject", (*call).deleteObject},
	{"POST", keyLevel, "uploads", "", "CreateMultipartUpload", "s3:PutObject", (*call).createMultipartUpload},
	{"POST", keyLevel, "uploadId", "", "CompleteMultipartUpload", "s3:PutObject", (*call).completeMultipartUpload},
}

// foreignParameters name the sub-resources that are not emulated; without this
// list they would pass for the plain operation.
var foreignParameters = []string{"accelerate", "acl", "analytics", "attributes", "cors", "encryption", "intelligent-tiering",
	"inventory", "legal-hold", "lifecycle", "logging", "metrics", "notification", "object-lock", "ownershipControls", "policy",
	"policyStatus", "publicAccessBlock", "renameObject", "replication", "requestPayment", "restore", "retention", "select",
	"tagging", "torrent", "website"}

// operation returns the entry that fits the request; nil if none does.
func (c *call) operation() *s3Operation {
	level := keyLevel
	switch {
	case c.bucketName == "":
		level = serviceLevel
	case c.key == "":
		level = bucketLevel
	}
	for _, name := range foreignParameters {
		if c.query.Has(name) {
			return nil
		}
	}
	for i := range s3Operations {
		op := &s3Operations[i]
		name, value, valued := strings.Cut(op.query, "=")
		if op.method == c.r.Method && op.level == level && (op.query == "" || c.query.Has(name)) &&
			(!valued || c.query.Get(name) == value) && (op.header == "" || c.r.Header.Get(op.header) != "") {
			return op
		}
	}
	return nil
}

// parse splits the path; the key is what follows the bucket, byte for byte,
// slashes and dots included.
func (s3Protocol) parse(c *call) error {
	c.op = "Unknown"
	path, err := url.PathUnescape(strings.TrimPrefix(c.r.URL.EscapedPath(), "/"))
	if err != nil || !utf8.ValidString(path) {
		return errInvalidURI.with("URI", c.r.URL.EscapedPath())
	}
	c.bucketName, c.key, _ = strings.Cut(path, "/")
	c.names = []string{c.key, "s3://" + c.bucketName + "/" + c.key}
	if c.key == "" {
		c.names = []string{"s3://" + c.bucketName, c.query.Get("prefix")}
	}
	if _, err := url.ParseQuery(c.r.URL.RawQuery); err != nil {
		return errInvalidURI.with("URI", c.r.URL.String())
	}
	if c.s3op = c.operation(); c.s3op == nil {
		return errNotImplemented
	}
	c.op = c.s3op.name
	return nil
}

func (s3Protocol) act(c *call) error {
	c.out.header.Set("X-Amz-Request-Id", c.id)
	c.out.header.Set("X-Amz-Id-2", hostID(c.id))
	op := c.s3op
	switch {
	case c.sig.service != "s3":
		return apiErrorf(http.StatusBadRequest, "AuthorizationHeaderMalformed",
			"The authorization header is malformed; incorrect service %q. This endpoint belongs to \"s3\".", c.sig.service)
	case c.sig.payload == "":
		return errInvalidRequest("Missing required header for this request: x-amz-content-sha256")
	}
	if len(c.key) > maxKey {
		return errKeyTooLong.with("Size", strconv.Itoa(len(c.key))).with("MaxSizeAllowed", strconv.Itoa(maxKey))
	}
	if op.level != serviceLevel && op.name != "CreateBucket" {
		if err := c.findBucket(); err != nil {
			return err
		}
	}
	if op.action != "" {
		if err := c.allow(op.action, c.arn(), c.names); err != nil {
			return err
		}
	}
	return op.do(c)
}

// findBucket looks up the bucket and checks what a request says of it: the
// region that it is signed for, and its owner.
func (c *call) findBucket() error {
	if c.bucket = c.s.store.bucket(c.bucketName); c.bucket == nil {
		return errNoSuchBucket.with("BucketName", c.bucketName)
	}
	conf := c.conf()
	if conf.Region != "" && conf.Region != c.sig.region {
		return apiErrorf(http.StatusBadRequest, "AuthorizationHeaderMalformed",
			"The authorization header is malformed; the region '%s' is wrong; expecting '%s'", c.sig.region, conf.Region).
			with("Region", conf.Region).withHeader("X-Amz-Bucket-Region", conf.Region)
	}
	if owner := c.r.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" && owner != conf.Account {
		return errAccessDenied
	}
	return nil
}

// conf returns the bucket's configuration as it is now.
func (c *call) conf() bucketConf { return c.s.store.conf(c.bucket) }

func (c *call) arn() string {
	if c.key == "" {
		return "arn:aws:s3:::" + c.bucketName
	}
	return "arn:aws:s3:::" + c.bucketName + "/" + c.key
}

// allowKey checks a further action on the object.
func (c *call) allowKey(action string) error {
	if err := c.allow(action, c.arn(), c.names); err != nil {
		return err
	}
	return nil
}

func (s3Protocol) fail(c *call, err *apiError) {
	h := c.out.header
	h.Set("X-Amz-Request-Id", c.id)
	h.Set("X-Amz-Id-2", hostID(c.id))
	if c.r.Method == http.MethodHead || err.status == http.StatusNotModified {
		c.out.WriteHeader(err.status)
		return
	}
	d := xmlDoc(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<Error>")
	d.elem("Code", err.code)
	d.elem("Message", err.msg)
	if c.key != "" {
		d.elem("Key", c.key)
	}
	for _, kv := range err.detail {
		d.elem(kv[0], kv[1])
	}
	d.elem("Resource", c.r.URL.EscapedPath())
	d.elem("RequestId", c.id)
	d.elem("HostId", hostID(c.id))
	d.close("Error")
	c.writeXML(err.status, &d)
}

// authErr needs no translation: the errors of authentication are spelled as S3
// has them, but for one.
func (s3Protocol) authErr(err *apiError) *apiError {
	if err.code == "MissingAuthenticationToken" {
		return errAccessDenied
	}
	return err
}

func (s3Protocol) throttled() *apiError { return errSlowDown }

func (c *call) writeXML(status int, d *xmlDoc) {
	c.out.header.Set("Content-Type", "application/xml")
	c.out.header.Set("Content-Length", strconv.Itoa(len(*d)))
	c.out.WriteHeader(status)
	c.out.Write(*d)
}

// readXML reads the request's document into v.
func (c *call) readXML(v any) error {
	in, err := c.receive("", maxXML)
	if err != nil {
		return err
	}
	data, err := in.body.bytes()
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(data, v); err != nil && err != io.EOF {
		return errMalformedXML
	}
	return nil
}

// hostID is the second request id, longer and of no other use.
func hostID(id string) string { return base64.StdEncoding.EncodeToString([]byte("fakeaws " + id)) }

func parseSize(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 62)
	return int64(n), err
}
