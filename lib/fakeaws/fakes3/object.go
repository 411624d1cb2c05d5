package fakes3

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"microsecrets/lib/fakeaws/internal/service"
)

// maxPut is the largest body of one PutObject or UploadPart: 5 GiB.
const maxPut = 5 << 30

// storedHeaders are kept with an object and repeated by GET and HEAD, as is
// every x-amz-meta-….
var storedHeaders = []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type",
	"Expires", "X-Amz-Storage-Class", "X-Amz-Website-Redirect-Location"}

// newVersion returns a version with what the request's headers say of an
// object, but no body.
func (c *call) newVersion() (*version, error) {
	v := &version{Header: map[string]string{}}
	h := c.Request.Header
	for name, values := range h {
		if slices.Contains(storedHeaders, name) || strings.HasPrefix(name, "X-Amz-Meta-") {
			v.Header[name] = strings.Join(values, ",")
		}
	}
	if enc, ok := v.Header["Content-Encoding"]; ok {
		coding := slices.DeleteFunc(strings.Split(enc, ","), func(s string) bool { return strings.TrimSpace(s) == "aws-chunked" })
		v.Header["Content-Encoding"] = strings.TrimSpace(strings.Join(coding, ","))
	}
	maps.DeleteFunc(v.Header, func(_, value string) bool { return value == "" })
	if v.Header["Content-Type"] == "" {
		v.Header["Content-Type"] = "binary/octet-stream"
	}
	return v, c.encryption(v)
}

// encryption checks and keeps x-amz-server-side-encryption. Nothing is
// encrypted; S3 says AES256 of whatever is not asked to be anything else.
func (c *call) encryption(v *version) error {
	asked := c.Request.Header.Get("X-Amz-Server-Side-Encryption")
	if want := c.conf().RequireSSE; want != "" && asked != want {
		return errAccessDenied
	}
	v.SSEKeyID = c.Request.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id")
	switch v.SSE = asked; asked {
	case "":
		v.SSE = "AES256"
	case "AES256":
	case "aws:kms", "aws:kms:dsse":
		if v.SSEKeyID == "" {
			v.SSEKeyID = fmt.Sprintf("arn:aws:kms:%s:%s:alias/aws/s3", c.Sig.Region, c.Caller.Account)
		}
	default:
		return errInvalidArgument("x-amz-server-side-encryption", "The encryption method specified is not supported")
	}
	if v.SSEKeyID != "" && !strings.HasPrefix(asked, "aws:kms") {
		return errInvalidArgument("x-amz-server-side-encryption",
			"Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")
	}
	return nil
}

func (c *call) encryptionHeaders(v *version) {
	c.Header().Set("X-Amz-Server-Side-Encryption", v.SSE)
	if v.SSEKeyID != "" {
		c.Header().Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", v.SSEKeyID)
	}
}

// versionHeader tells the version, unless the bucket never had versions.
func (c *call) versionHeader(id string) {
	if c.conf().Versioning != neverVersioned {
		c.Header().Set("X-Amz-Version-Id", id)
	}
}

func (c *call) checksumHeaders(v *version) {
	for name, value := range v.Sums {
		c.Header().Set(name, value)
	}
	if len(v.Sums) > 0 {
		c.Header().Set("X-Amz-Checksum-Type", v.SumType)
	}
}

// setBody makes a received body that of v.
func (v *version) setBody(in received) {
	v.Body, v.Size, v.ETag = in.body, in.size, in.etag()
	if in.alg != "" {
		v.Sums, v.SumType = map[string]string{checksumPrefix + in.alg: in.sum}, "FULL_OBJECT"
	}
}

func (c *call) putObject() error {
	v, err := c.newVersion()
	if err != nil {
		return err
	}
	in, err := c.receive("", maxPut)
	if err != nil {
		return err
	}
	v.setBody(in)
	if err := c.commit(v, c.check); err != nil {
		return err
	}
	c.Header().Set("Etag", quoted(v.ETag))
	c.checksumHeaders(v)
	c.WriteHeader(http.StatusOK)
	return nil
}

// commit stores v if check allows it, and sets the headers that say so.
func (c *call) commit(v *version, check func(*version) error) error {
	if err := c.Midway(); err != nil {
		return err
	}
	if err := c.store.put(c.bucket, c.key, v, c.Request, check); err != nil {
		return err
	}
	c.versionHeader(v.ID)
	c.encryptionHeaders(v)
	return nil
}

// findVersion returns the version that a GET, HEAD or copy asks for; id "" is
// the latest. A missing object is 403 to whoever may not list the bucket.
func (c *call) findVersion(b *bucket, key, id string) (*version, error) {
	if err := checkVersionID(id); err != nil {
		return nil, err
	}
	v := c.store.version(b, key, id)
	switch {
	case v != nil && !v.Deleted:
		return v, nil
	case v != nil && id != "":
		return nil, errMarkerNotAllowed.WithHeader("X-Amz-Delete-Marker", "true").WithHeader("X-Amz-Version-Id", v.ID).
			WithHeader("Allow", "DELETE").WithHeader("Last-Modified", v.Time.Format(http.TimeFormat))
	case id != "":
		return nil, errNoSuchVersion.With("VersionId", id)
	}
	name := c.store.conf(b).Name
	if err := c.Allow("s3:ListBucket", bucketARN(name), []string{"s3://" + name, key}); err != nil {
		return nil, err
	}
	if v != nil {
		return nil, errNoSuchKey.WithHeader("X-Amz-Delete-Marker", "true").WithHeader("X-Amz-Version-Id", v.ID)
	}
	return nil, errNoSuchKey
}

// checkVersionID fails unless id, if it is not "", can be that of a version.
func checkVersionID(id string) error {
	if id != "" && id != nullVersion && len(id) != 32 {
		return errInvalidVersionID.With("ArgumentValue", id)
	}
	return nil
}

// getObject is GetObject and HeadObject.
func (c *call) getObject() error {
	v, err := c.findVersion(c.bucket, c.key, c.query.Get("versionId"))
	if err != nil {
		return err
	}
	h := c.Header()
	h.Set("Etag", quoted(v.ETag))
	h.Set("Last-Modified", v.Time.Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	c.versionHeader(v.ID)
	if err := checkRead(c.Request.Header, v); err != nil && !c.IgnoreConditions {
		return err
	}
	off, n, status, err := c.extent(v)
	if err != nil {
		return err
	}
	for name, value := range v.Header {
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			name = strings.ToLower(name) // S3 keeps it so
		}
		h[name] = []string{value}
	}
	for param, values := range c.query {
		if header, ok := strings.CutPrefix(param, "response-"); ok {
			h.Set(header, values[0])
		}
	}
	c.encryptionHeaders(v)
	if status == http.StatusPartialContent {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", off, off+n-1, v.Size))
	} else if strings.EqualFold(c.Request.Header.Get("X-Amz-Checksum-Mode"), "enabled") {
		c.checksumHeaders(v)
	}
	h.Set("Content-Length", strconv.FormatInt(n, 10))
	c.WriteHeader(status)
	if c.Request.Method == http.MethodHead {
		return nil
	}
	if err := v.Body.writeRange(c, off, n); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// extent returns what the request wants of the body: all, a range of bytes, or
// a part.
func (c *call) extent(v *version) (off, n int64, status int, err error) {
	rangeHeader := c.Request.Header.Get("Range")
	number := c.query.Get("partNumber")
	switch {
	case number != "" && rangeHeader != "":
		return 0, 0, 0, errInvalidRequest("Cannot specify both Range header and partNumber query parameter")
	case number != "":
		return c.partExtent(v, number)
	case rangeHeader == "":
		return 0, v.Size, http.StatusOK, nil
	}
	off, n, ok := parseRange(rangeHeader, v.Size)
	if !ok {
		return 0, v.Size, http.StatusOK, nil
	}
	if n == 0 {
		return 0, 0, 0, errInvalidRange.With("RangeRequested", rangeHeader).With("ActualObjectSize", strconv.FormatInt(v.Size, 10)).
			WithHeader("Content-Range", fmt.Sprintf("bytes */%d", v.Size))
	}
	return off, n, http.StatusPartialContent, nil
}

func (c *call) partExtent(v *version, number string) (off, n int64, status int, err error) {
	i, err := partNumber(number)
	if err != nil {
		return 0, 0, 0, err
	}
	sizes := v.Parts
	if len(sizes) == 0 {
		sizes = []int64{v.Size}
	} else {
		c.Header().Set("X-Amz-Mp-Parts-Count", strconv.Itoa(len(sizes)))
	}
	if i > len(sizes) {
		return 0, 0, 0, service.Errorf(http.StatusRequestedRangeNotSatisfiable, "InvalidPartNumber", "The requested partnumber is not satisfiable")
	}
	for _, size := range sizes[:i-1] {
		off += size
	}
	if v.Size == 0 {
		return 0, 0, http.StatusOK, nil // there is no range of nothing
	}
	return off, sizes[i-1], http.StatusPartialContent, nil
}

// parseRange reads a Range header of one range of bytes; ok is false for what
// HTTP says to ignore. Then n is 0 when nothing of the range is there.
func parseRange(header string, size int64) (off, n int64, ok bool) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !dash {
		return 0, 0, false
	}
	if first == "" {
		n, err := parseSize(last)
		n = min(n, size)
		return size - n, n, err == nil
	}
	off, err := parseSize(first)
	if err != nil {
		return 0, 0, false
	}
	end := size - 1
	if last != "" {
		if end, err = parseSize(last); err != nil || end < off {
			return 0, 0, false
		}
		end = min(end, size-1)
	}
	return off, max(0, end-off+1), true
}

func (c *call) deleteObject() error {
	id := c.query.Get("versionId")
	gone, err := c.remove(c.key, id, c.Request.Header.Get("If-Match"))
	if err != nil {
		return err
	}
	if gone != nil && gone.Deleted {
		c.Header().Set("X-Amz-Delete-Marker", "true")
		id = gone.ID
	}
	if id != "" {
		c.versionHeader(id)
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

// remove deletes a key, or one version of it for good, if its ETag is match or
// match is "". It returns the delete marker that it has made, or else the
// version that is gone, perhaps nil.
func (c *call) remove(key, id, match string) (*version, error) {
	if match != "" {
		if err := c.allowObject("s3:GetObject", c.bucketName, key); err != nil {
			return nil, err
		}
		if id != "" {
			return nil, errNotImplemented.With("Header", "If-Match")
		}
	}
	if err := checkVersionID(id); err != nil {
		return nil, err
	}
	return c.store.del(c.bucket, key, id, c.Request, func(latest *version) error {
		return c.checkWrite(http.Header{"If-Match": {match}}, latest)
	})
}

// deleteObjects removes up to 1,000 keys, each under its own condition and
// permission.
func (c *call) deleteObjects() error {
	var in struct {
		Quiet   bool
		Objects []struct{ Key, VersionId, ETag string } `xml:"Object"`
	}
	if alg, err := askedChecksum(c.Request.Header); err == nil && alg == "" && c.Request.Header.Get("Content-Md5") == "" {
		return errInvalidRequest("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	}
	if err := c.readXML(&in); err != nil {
		return err
	}
	if len(in.Objects) == 0 || len(in.Objects) > 1000 {
		return errMalformedXML
	}
	result := nodes{}
	for _, o := range in.Objects {
		action := "s3:DeleteObject"
		if o.VersionId != "" {
			action = "s3:DeleteObjectVersion"
		}
		var gone *version
		err := c.allowObject(action, c.bucketName, o.Key)
		if err == nil {
			gone, err = c.remove(o.Key, o.VersionId, o.ETag)
		}
		object := nodes{{"Key", o.Key}, {"VersionId", optional(o.VersionId)}}
		switch failure, _ := errors.AsType[*service.Error](err); {
		case failure != nil:
			object = append(object, nodes{{"Code", failure.Code}, {"Message", failure.Message}}...)
			result = append(result, node{"Error", object})
		case err != nil:
			return err
		case !in.Quiet:
			if gone != nil && gone.Deleted {
				object = append(object, nodes{{"DeleteMarker", true}, {"DeleteMarkerVersionId", gone.ID}}...)
			}
			result = append(result, node{"Deleted", object})
		}
	}
	return c.answer("DeleteResult", result)
}

// copyObject copies within the server; the copy shares the body.
func (c *call) copyObject() error {
	src, err := c.copySource()
	if err != nil {
		return err
	}
	v, err := c.newVersion()
	if err != nil {
		return err
	}
	if !strings.EqualFold(c.Request.Header.Get("X-Amz-Metadata-Directive"), "REPLACE") {
		if c.copiesItself() {
			return errInvalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
		}
		v.Header = src.Header
	}
	if err := v.setCopy(src); err != nil {
		return err
	}
	if err := c.commit(v, c.check); err != nil {
		return err
	}
	return c.answer("CopyObjectResult", append(nodes{{"ETag", quoted(v.ETag)}, {"LastModified", v.Time}}, v.checksumNodes()...))
}

// copiesItself reports whether the source is the object itself and nothing about
// it would change.
func (c *call) copiesItself() bool {
	source, err := url.PathUnescape(strings.TrimPrefix(c.Request.Header.Get("X-Amz-Copy-Source"), "/"))
	return err == nil && source == c.bucketName+"/"+c.key && c.Request.Header.Get("X-Amz-Storage-Class") == "" &&
		c.Request.Header.Get("X-Amz-Website-Redirect-Location") == "" && c.Request.Header.Get("X-Amz-Server-Side-Encryption") == ""
}

// setCopy makes the body of src that of v. Of what was uploaded in parts the
// ETag is now that of a whole.
func (v *version) setCopy(src *version) error {
	v.Body, v.Size, v.ETag = src.Body, src.Size, src.ETag
	if src.SumType != "COMPOSITE" {
		v.Sums, v.SumType = src.Sums, src.SumType
	}
	if len(src.Parts) == 0 {
		return nil
	}
	h := md5.New()
	err := src.Body.writeRange(h, 0, src.Size)
	v.ETag = hex.EncodeToString(h.Sum(nil))
	return err
}

// copySource finds the version that x-amz-copy-source names and checks its
// conditions.
func (c *call) copySource() (*version, error) {
	path, query, _ := strings.Cut(c.Request.Header.Get("X-Amz-Copy-Source"), "?")
	path, err := url.PathUnescape(strings.TrimPrefix(path, "/"))
	name, key, ok := strings.Cut(path, "/")
	if err != nil || !ok || key == "" {
		return nil, errInvalidArgument("x-amz-copy-source", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	b := c.store.bucket(name)
	if b == nil {
		return nil, errNoSuchBucket.With("BucketName", name)
	}
	if owner := c.Request.Header.Get("X-Amz-Source-Expected-Bucket-Owner"); owner != "" && owner != c.store.conf(b).Account {
		return nil, errAccessDenied
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return nil, errInvalidURI
	}
	id, action := params.Get("versionId"), "s3:GetObject"
	if id != "" {
		action = "s3:GetObjectVersion"
	}
	if err := c.allowObject(action, name, key); err != nil {
		return nil, err
	}
	v, err := c.findVersion(b, key, id)
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		h.Set(name, c.Request.Header.Get("X-Amz-Copy-Source-"+name))
	}
	if err := checkRead(h, v); err != nil {
		return nil, errPrecondition
	}
	if v.ID != nullVersion {
		c.Header().Set("X-Amz-Copy-Source-Version-Id", v.ID)
	}
	return v, nil
}

func (v *version) checksumNodes() (list nodes) {
	for name, value := range v.Sums {
		list = append(list, node{checksums[strings.TrimPrefix(name, checksumPrefix)].element, value})
	}
	return append(list, node{"ChecksumType", optional(v.SumType)})
}
