// Package fakes3 emulates Amazon S3 as an http.Handler.
//
// What it does, it does as S3 documents it: status codes, error codes, headers,
// conditions, versions, delete markers, checksums and signatures. What it does
// not do, it refuses with NotImplemented.
package fakes3

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"microsecrets/lib/fakeaws/iam"
	"microsecrets/lib/fakeaws/internal/service"
	"microsecrets/lib/fakeaws/sigv4"
)

// DefaultBucket is there from the start, with versioning.
const DefaultBucket = "example-microsecrets"

// Options are what a Handler is made with.
type Options struct {
	Principals *iam.Principals  // who may sign requests; must be set
	Now        func() time.Time // the server's clock; nil: the machine's
	Dir        *os.Root         // keeps buckets and objects, for one Handler at a time; nil: they are kept in memory

	// Landed, unless nil, is told each change of an object, in their order. It must not
	// make a request.
	Landed func(Landing)
}

// A Landing is a change of an object: a version, or a deletion, that is stored, or
// one that goes for good.
type Landing struct {
	Bucket, Key string
	Version     Version
	Gone        bool          // for good
	Latest      Version       // after the change; the zero Version if nothing is left
	By          *http.Request // that asked for it; nil: the control language did
}

// A Version is one version of an object, or a deletion.
type Version struct {
	ID      string // "null" of what is written without versioning
	ETag    string // without quotes
	Deleted bool
	Body    func() ([]byte, error)
}

// landing is what is told of a change that was made; the caller has the lock.
func (st *store) landing(c *change) Landing {
	l := Landing{Bucket: c.Bucket, Key: c.Key, Version: cmp.Or(c.Version, c.gone).shown(), Gone: c.gone != nil, By: c.by}
	if latest := st.buckets[c.Bucket].objects.get(c.Key).version(""); latest != nil {
		l.Latest = latest.shown()
	}
	return l
}

func (v *version) shown() Version {
	return Version{ID: v.ID, ETag: v.ETag, Deleted: v.Deleted, Body: v.Body.bytes}
}

// A Handler is an emulated S3. A bucket is named in the path, or in the host's
// name: BUCKET.localhost.
type Handler struct {
	store      *store
	principals *iam.Principals
}

// New returns a Handler, with what is kept in o.Dir.
func New(o Options) (*Handler, error) {
	if o.Now == nil {
		o.Now = func() time.Time { return time.Now().UTC() }
	}
	h := &Handler{store: &store{buckets: map[string]*bucket{}, now: o.Now, landed: o.Landed}, principals: o.Principals}
	if o.Dir != nil {
		if err := h.store.open(o.Dir); err != nil {
			return nil, err
		}
	}
	if h.store.bucket(DefaultBucket) == nil {
		conf := bucketConf{Name: DefaultBucket, Account: iam.DefaultAccount, Versioning: versioned, Documents: initialDocuments}
		if err := h.store.configure(conf); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	return h, nil
}

// Close ends the use of the folder.
func (h *Handler) Close() error {
	h.store.mu.Lock()
	defer h.store.mu.Unlock()
	return h.store.disk.close()
}

// ServeHTTP answers a request of S3's REST API.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Call: service.NewCall(w, r), query: r.URL.Query(), store: h.store}
	c.Serve(c, h.principals, h.store.now())
}

// Operations returns the names of the operations that there are, as the SDKs
// call them.
func Operations() []string {
	var names []string
	for _, op := range operations {
		names = append(names, op.name)
	}
	return names
}

// A call is one request to S3.
type call struct {
	*service.Call
	query           url.Values
	store           *store
	bucketName, key string
	bucket          *bucket
	operation       *operation

	check  func(latest *version) error // of a conditional operation, for store.put
	upload *upload                     // that the request names
}

// maxKey is the longest key of an object, in bytes.
const maxKey = 1024

// maxXML bounds the documents that are read: 1,000 names to delete, 10,000
// parts.
const maxXML = 4 << 20

// An operation is how a request is recognised and carried out.
type operation struct {
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

// operations are in the order in which they are tried.
var operations = []operation{
	{"GET", serviceLevel, "", "", "ListBuckets", "s3:ListAllMyBuckets", (*call).listBuckets},

	{"PUT", bucketLevel, "versioning", "", "PutBucketVersioning", "s3:PutBucketVersioning", (*call).putBucketVersioning},
	{"PUT", bucketLevel, "publicAccessBlock", "", "PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", (*call).putDocument},
	{"GET", bucketLevel, "publicAccessBlock", "", "GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", (*call).getDocument},
	{"DELETE", bucketLevel, "publicAccessBlock", "", "DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock", (*call).deleteDocument},
	{"PUT", bucketLevel, "ownershipControls", "", "PutBucketOwnershipControls", "s3:PutBucketOwnershipControls", (*call).putDocument},
	{"GET", bucketLevel, "ownershipControls", "", "GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", (*call).getDocument},
	{"DELETE", bucketLevel, "ownershipControls", "", "DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls", (*call).deleteDocument},
	{"PUT", bucketLevel, "lifecycle", "", "PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", (*call).putDocument},
	{"GET", bucketLevel, "lifecycle", "", "GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", (*call).getDocument},
	{"DELETE", bucketLevel, "lifecycle", "", "DeleteBucketLifecycle", "s3:PutLifecycleConfiguration", (*call).deleteDocument},
	{"GET", bucketLevel, "encryption", "", "GetBucketEncryption", "s3:GetEncryptionConfiguration", (*call).getDocument},
	{"GET", bucketLevel, "object-lock", "", "GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", (*call).getDocument},
	{"PUT", bucketLevel, "policy", "", "PutBucketPolicy", "s3:PutBucketPolicy", (*call).putBucketPolicy},
	{"GET", bucketLevel, "policy", "", "GetBucketPolicy", "s3:GetBucketPolicy", (*call).getBucketPolicy},
	{"DELETE", bucketLevel, "policy", "", "DeleteBucketPolicy", "s3:DeleteBucketPolicy", (*call).deleteDocument},
	{"PUT", bucketLevel, "", "", "CreateBucket", "s3:CreateBucket", (*call).createBucket},
	{"GET", bucketLevel, "versioning", "", "GetBucketVersioning", "s3:GetBucketVersioning", (*call).getBucketVersioning},
	{"GET", bucketLevel, "location", "", "GetBucketLocation", "s3:GetBucketLocation", (*call).getBucketLocation},
	{"GET", bucketLevel, "versions", "", "ListObjectVersions", "s3:ListBucketVersions", (*call).listObjectVersions},
	{"GET", bucketLevel, "uploads", "", "ListMultipartUploads", "s3:ListBucketMultipartUploads", (*call).listMultipartUploads},
	{"GET", bucketLevel, "list-type=2", "", "ListObjectsV2", "s3:ListBucket", (*call).listObjectsV2},
	{"GET", bucketLevel, "", "", "ListObjects", "s3:ListBucket", (*call).listObjects},
	{"HEAD", bucketLevel, "", "", "HeadBucket", "s3:ListBucket", (*call).headBucket},
	{"POST", bucketLevel, "delete", "", "DeleteObjects", "", (*call).deleteObjects},

	{"PUT", keyLevel, "uploadId", "X-Amz-Copy-Source", "UploadPartCopy", "s3:PutObject", (*call).uploadPartCopy},
	{"PUT", keyLevel, "uploadId", "", "UploadPart", "s3:PutObject", (*call).uploadPart},
	{"PUT", keyLevel, "", "X-Amz-Copy-Source", "CopyObject", "s3:PutObject", (*call).copyObject},
	{"PUT", keyLevel, "", "", "PutObject", "s3:PutObject", (*call).putObject},
	{"GET", keyLevel, "tagging", "", "GetObjectTagging", "s3:GetObjectTagging", (*call).getObjectTagging},
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

// conditional are the operations that write under If-Match and If-None-Match.
var conditional = []string{"PutObject", "CopyObject", "CompleteMultipartUpload"}

// subresources are those of S3; without this list one that is not emulated would
// pass for the plain operation.
var subresources = []string{"accelerate", "acl", "analytics", "attributes", "cors", "encryption", "intelligent-tiering",
	"inventory", "legal-hold", "lifecycle", "logging", "metrics", "notification", "object-lock", "ownershipControls", "policy",
	"policyStatus", "publicAccessBlock", "renameObject", "replication", "requestPayment", "restore", "retention", "select",
	"tagging", "torrent", "website"}

// foreignHeaders begin the names of headers that ask for what is not emulated.
var foreignHeaders = []string{"X-Amz-Grant-", "X-Amz-Tagging", "X-Amz-Object-Lock-", "X-Amz-Bucket-Object-Lock-", "X-Amz-Mfa",
	"X-Amz-Server-Side-Encryption-Customer-", "X-Amz-Copy-Source-Server-Side-Encryption-Customer-", "X-Amz-Bypass-Governance-Retention"}

// find returns the operation that the request asks for; nil if there is none.
func (c *call) find() *operation {
	level := keyLevel
	switch {
	case c.bucketName == "":
		level = serviceLevel
	case c.key == "":
		level = bucketLevel
	}
	for i := range operations {
		op := &operations[i]
		name, value, valued := strings.Cut(op.query, "=")
		if slices.ContainsFunc(subresources, func(other string) bool { return other != name && c.query.Has(other) }) {
			continue
		}
		if op.method == c.Request.Method && op.level == level && (op.query == "" || c.query.Has(name)) &&
			(!valued || c.query.Get(name) == value) && (op.header == "" || c.Request.Header.Get(op.header) != "") {
			return op
		}
	}
	return nil
}

// Parse splits the path; the key is what follows the bucket, byte for byte,
// slashes and dots included.
func (c *call) Parse() error {
	path, err := url.PathUnescape(strings.TrimPrefix(c.Request.URL.EscapedPath(), "/"))
	host, _, _ := strings.Cut(c.Request.Host, ":")
	if bucket, ok := strings.CutSuffix(host, ".localhost"); ok {
		path = bucket + "/" + path
	}
	if err != nil || !utf8.ValidString(path) {
		return errInvalidURI.With("URI", c.Request.URL.EscapedPath())
	}
	c.bucketName, c.key, _ = strings.Cut(path, "/")
	c.Names = []string{c.key, "s3://" + c.bucketName + "/" + c.key}
	c.Resource = fmt.Sprintf("%q", c.Names[1])
	if c.key == "" {
		c.Resource = strings.TrimSuffix("s3://"+c.bucketName, "s3://")
		c.Names = []string{"s3://" + c.bucketName, c.query.Get("prefix")}
	}
	if _, err := url.ParseQuery(c.Request.URL.RawQuery); err != nil {
		return errInvalidURI.With("URI", c.Request.URL.String())
	}
	for _, name := range []string{"prefix", "delimiter", "max-keys"} {
		if c.query.Has(name) {
			c.Context["s3:"+name] = c.query[name]
		}
	}
	if id := c.query.Get("versionId"); id != "" {
		c.Context["s3:versionid"] = []string{id}
	}
	for name, values := range c.Request.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") || name == "if-match" || name == "if-none-match" {
			c.Context["s3:"+name] = values
		}
	}
	if c.operation = c.find(); c.operation == nil {
		return errNotImplemented
	}
	c.Op = c.operation.name
	return nil
}

// Act checks what all operations have in common and carries out the one that is
// asked for.
func (c *call) Act() error {
	c.requestIDs()
	op := c.operation
	for name := range c.Request.Header {
		if slices.ContainsFunc(foreignHeaders, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			return errNotImplemented.With("Header", name)
		}
	}
	// Buckets have no access control lists. What says no more than that is taken.
	if acl := c.Request.Header.Get("X-Amz-Acl"); acl != "" && acl != "bucket-owner-full-control" && (c.key != "" || acl != "private") {
		return errNoACL
	}
	switch {
	case c.Sig.Service != "s3":
		return service.Errorf(http.StatusBadRequest, "AuthorizationHeaderMalformed",
			"The authorization header is malformed; incorrect service %q. This endpoint belongs to \"s3\".", c.Sig.Service)
	case c.Sig.Payload == "":
		return errInvalidRequest("Missing required header for this request: x-amz-content-sha256")
	}
	if len(c.key) > maxKey {
		return errKeyTooLong.With("Size", strconv.Itoa(len(c.key))).With("MaxSizeAllowed", strconv.Itoa(maxKey))
	}
	if op.level != serviceLevel && op.name != "CreateBucket" {
		if err := c.findBucket(); err != nil {
			return err
		}
	}
	if c.bucket != nil && c.deniedByBucket() {
		return errAccessDenied
	}
	if op.action != "" {
		if err := c.Allow(op.action, c.arn(), c.Names); err != nil {
			return err
		}
	}
	if slices.Contains(conditional, op.name) {
		if err := c.precheck(); err != nil {
			return err
		}
	}
	if op.query == "uploadId" {
		if err := c.findUpload(); err != nil {
			return err
		}
	}
	return op.do(c)
}

// findBucket looks up the bucket and checks what a request says of it: the
// region that it is signed for, and its owner.
func (c *call) findBucket() error {
	if c.bucket = c.store.bucket(c.bucketName); c.bucket == nil {
		return errNoSuchBucket.With("BucketName", c.bucketName)
	}
	conf := c.conf()
	if conf.Region != "" && conf.Region != c.Sig.Region {
		return service.Errorf(http.StatusBadRequest, "AuthorizationHeaderMalformed",
			"The authorization header is malformed; the region '%s' is wrong; expecting '%s'", c.Sig.Region, conf.Region).
			With("Region", conf.Region).WithHeader("X-Amz-Bucket-Region", conf.Region)
	}
	if owner := c.Request.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" && owner != conf.Account {
		return errAccessDenied
	}
	return nil
}

// conf returns the bucket's configuration as it is now.
func (c *call) conf() bucketConf { return c.store.conf(c.bucket) }

func (c *call) arn() string {
	if c.key == "" {
		return bucketARN(c.bucketName)
	}
	return bucketARN(c.bucketName) + "/" + c.key
}

func bucketARN(name string) string { return "arn:aws:s3:::" + name }

// allowObject checks the caller's policies for an action on an object.
func (c *call) allowObject(action, bucketName, key string) error {
	path := bucketName + "/" + key
	return c.Allow(action, bucketARN(path), []string{key, "s3://" + path})
}

// Fail writes the error document, which a HEAD and a 304 do not have.
func (c *call) Fail(err *service.Error) {
	c.requestIDs()
	if c.Request.Method == http.MethodHead || err.Status == http.StatusNotModified {
		c.WriteHeader(err.Status)
		return
	}
	doc := nodes{{"Code", err.Code}, {"Message", err.Message}, {"Key", optional(c.key)}}
	for _, kv := range err.Detail {
		doc = append(doc, node{kv[0], kv[1]})
	}
	c.writeXML(err.Status, "Error", "", append(doc, nodes{
		{"Resource", c.Request.URL.EscapedPath()}, {"RequestId", c.ID}, {"HostId", hostID(c.ID)},
	}...))
}

func (c *call) requestIDs() {
	c.Header().Set("X-Amz-Request-Id", c.ID)
	c.Header().Set("X-Amz-Id-2", hostID(c.ID))
}

// Translate spells errors as S3 does.
func (c *call) Translate(err error) *service.Error {
	spelt := service.Translate(err, spellings)
	switch {
	case errors.Is(err, iam.ErrAccessKey):
		return spelt.With("AWSAccessKeyId", c.Sig.AccessKey)
	case errors.Is(err, sigv4.ErrSkewed):
		return spelt.With("RequestTime", c.Sig.Time).With("ServerTime", c.store.now().Format(time.RFC3339)).With("MaxAllowedSkewMilliseconds", "900000")
	}
	return spelt
}

// hostID is the second request id, longer and of no other use.
func hostID(id string) string { return base64.StdEncoding.EncodeToString([]byte("fakeaws " + id)) }

func parseSize(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 62)
	return int64(n), err
}
