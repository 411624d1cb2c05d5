package fakes3

import (
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"microsecrets/lib/fakeaws/internal/service"
)

// Limits of uploads in parts.
const (
	minPart   = 5 << 20 // of every part but the last
	maxParts  = 10_000
	maxObject = 5 << 40
)

// An upload is an object that comes in parts.
type upload struct {
	id      string
	key     string
	started time.Time
	v       *version // headers and encryption of the object
	alg     string   // checksum algorithm, or ""
	sumType string
	parts   map[int]received
}

func (c *call) createMultipartUpload() error {
	v, err := c.newVersion()
	if err != nil {
		return err
	}
	alg, err := askedChecksum(c.Request.Header)
	if err != nil {
		return err
	}
	sumType, err := checksumType(alg, c.Request.Header.Get("X-Amz-Checksum-Type"))
	if err != nil {
		return err
	}
	st := c.store
	u := &upload{id: newID(), key: c.key, started: st.now(), v: v, alg: alg, sumType: sumType, parts: map[int]received{}}
	st.mu.Lock()
	c.bucket.uploads[u.id] = u
	st.mu.Unlock()

	c.encryptionHeaders(v)
	if alg != "" {
		c.Header().Set("X-Amz-Checksum-Algorithm", strings.ToUpper(alg))
		c.Header().Set("X-Amz-Checksum-Type", sumType)
	}
	return c.answer("InitiateMultipartUploadResult", nodes{{"Bucket", c.bucketName}, {"Key", c.key}, {"UploadId", u.id}})
}

// checksumType returns the type that an upload's checksum will have: SHA sums
// are always composite, CRC64NVME never is.
func checksumType(alg, asked string) (string, error) {
	switch {
	case alg == "":
		return "", nil
	case asked != "" && asked != "COMPOSITE" && asked != "FULL_OBJECT",
		asked == "FULL_OBJECT" && strings.HasPrefix(alg, "sha"), asked == "COMPOSITE" && alg == "crc64nvme":
		return "", errInvalidRequest("The %s checksum type cannot be used with the %s checksum algorithm.", asked, alg)
	case asked != "":
		return asked, nil
	case alg == "crc64nvme":
		return "FULL_OBJECT", nil
	}
	return "COMPOSITE", nil
}

// findUpload finds the upload that the request names.
func (c *call) findUpload() error {
	c.store.mu.RLock()
	defer c.store.mu.RUnlock()
	id := c.query.Get("uploadId")
	if c.upload = c.bucket.uploads[id]; c.upload == nil || c.upload.key != c.key {
		return errNoSuchUpload.With("UploadId", id)
	}
	return nil
}

func (c *call) uploadPart() error {
	u := c.upload
	number, err := partNumber(c.query.Get("partNumber"))
	if err != nil {
		return err
	}
	in, err := c.receive(u.alg, maxPut)
	if err != nil {
		return err
	}
	if u.alg != "" && in.alg != u.alg {
		return errInvalidRequest("Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", u.alg, in.alg)
	}
	if err := c.addPart(number, in); err != nil {
		return err
	}
	c.encryptionHeaders(u.v)
	c.Header().Set("Etag", quoted(in.etag()))
	if in.alg != "" {
		c.Header().Set(checksumPrefix+in.alg, in.sum)
	}
	c.WriteHeader(http.StatusOK)
	return nil
}

// uploadPartCopy is a part that is a range of an object, as clients copy large
// ones.
func (c *call) uploadPartCopy() error {
	u := c.upload
	number, err := partNumber(c.query.Get("partNumber"))
	if err != nil {
		return err
	}
	src, err := c.copySource()
	if err != nil {
		return err
	}
	off, n := int64(0), src.Size
	if spec := c.Request.Header.Get("X-Amz-Copy-Source-Range"); spec != "" {
		var last int64
		if _, err := fmt.Sscanf(spec, "bytes=%d-%d", &off, &last); err != nil || fmt.Sprintf("bytes=%d-%d", off, last) != spec || off > last {
			return errInvalidArgument("x-amz-copy-source-range", "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
		}
		if last >= src.Size {
			return errInvalidArgument("x-amz-copy-source-range", "Range specified is not valid for source object of size: %d", src.Size)
		}
		n = last - off + 1
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(src.Body.writeRange(w, off, n)) }()
	in, err := c.store.disk.read(r, n, u.alg)
	r.Close()
	if err != nil {
		return err
	}
	if err := c.addPart(number, in); err != nil {
		return err
	}
	c.encryptionHeaders(u.v)
	return c.answer("CopyPartResult", nodes{{"ETag", quoted(in.etag())}, {"LastModified", c.store.now()},
		{checksums[in.alg].element, optional(in.sum)}})
}

func partNumber(text string) (int, error) {
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 || number > maxParts {
		return 0, errInvalidArgument("partNumber", "Part number must be an integer between 1 and 10000, inclusive")
	}
	return number, nil
}

// addPart keeps a part, unless the upload was aborted or completed meanwhile.
func (c *call) addPart(number int, in received) error {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	if c.bucket.uploads[c.upload.id] != c.upload {
		return errNoSuchUpload.With("UploadId", c.upload.id)
	}
	in.at = c.store.now()
	c.upload.parts[number] = in
	return nil
}

func (c *call) abortMultipartUpload() error {
	c.store.mu.Lock()
	delete(c.bucket.uploads, c.upload.id)
	c.store.mu.Unlock()
	c.WriteHeader(http.StatusNoContent)
	return nil
}

// A completedPart is what the client says of a part when it completes the
// upload.
type completedPart struct {
	PartNumber        int    `xml:"PartNumber"`
	ETag              string `xml:"ETag"`
	ChecksumCRC32     string `xml:"ChecksumCRC32"`
	ChecksumCRC32C    string `xml:"ChecksumCRC32C"`
	ChecksumCRC64NVME string `xml:"ChecksumCRC64NVME"`
	ChecksumSHA1      string `xml:"ChecksumSHA1"`
	ChecksumSHA256    string `xml:"ChecksumSHA256"`
}

func (p completedPart) checksum() string {
	return cmp.Or(p.ChecksumCRC32, p.ChecksumCRC32C, p.ChecksumCRC64NVME, p.ChecksumSHA1, p.ChecksumSHA256)
}

func (c *call) completeMultipartUpload() error {
	u := c.upload
	var in struct {
		Parts []completedPart `xml:"Part"`
	}
	if err := c.readCompletion(&in); err != nil {
		return err
	}
	v, err := c.assemble(u, in.Parts)
	if err != nil {
		return err
	}
	if err := c.commit(v, func(latest *version) error {
		if c.bucket.uploads[u.id] != u {
			return errNoSuchUpload.With("UploadId", u.id)
		}
		err := c.check(latest)
		if failure, _ := errors.AsType[*service.Error](err); failure == nil || failure.Code == errConflict.Code {
			delete(c.bucket.uploads, u.id) // after a conflict all parts must be uploaded again
		}
		return err
	}); err != nil {
		return err
	}
	return c.answer("CompleteMultipartUploadResult", append(nodes{
		{"Location", "http://" + c.Request.Host + c.Request.URL.EscapedPath()},
		{"Bucket", c.bucketName}, {"Key", c.key}, {"ETag", quoted(v.ETag)},
	}, v.checksumNodes()...))
}

// readCompletion reads the document; its request's checksum header speaks of
// the object, not of the document.
func (c *call) readCompletion(v any) error {
	header := c.Request.Header
	defer func() { c.Request.Header = header }()
	c.Request.Header = header.Clone()
	for alg := range checksums {
		c.Request.Header.Del(checksumPrefix + alg)
	}
	return c.readXML(v)
}

// assemble makes a version of the parts that the client lists.
func (c *call) assemble(u *upload, listed []completedPart) (*version, error) {
	if len(listed) == 0 {
		return nil, errMalformedXML
	}
	for i := range listed[1:] {
		if listed[i+1].PartNumber <= listed[i].PartNumber {
			return nil, errInvalidPartOrder.With("UploadId", u.id)
		}
	}
	c.store.mu.RLock()
	have := maps.Clone(u.parts)
	c.store.mu.RUnlock()
	v := *u.v
	v.Time = u.started
	sums := md5.New()
	var composite hash.Hash
	if u.alg != "" {
		composite = checksums[u.alg].new()
	}
	for i, l := range listed {
		p, ok := have[l.PartNumber]
		switch {
		case !ok || strings.Trim(l.ETag, `"`) != p.etag():
			return nil, errInvalidPart.With("UploadId", u.id).With("PartNumber", strconv.Itoa(l.PartNumber)).With("ETag", l.ETag)
		case l.checksum() != "" && l.checksum() != p.sum:
			return nil, errInvalidPart.With("UploadId", u.id).With("PartNumber", strconv.Itoa(l.PartNumber))
		case l.checksum() == "" && u.alg != "" && u.sumType == "COMPOSITE":
			return nil, errInvalidRequest("The upload was created using the %s checksum mode. The complete request must include the checksum for each part. It was missing for part %d in the request.", u.alg, l.PartNumber)
		case i < len(listed)-1 && p.size < minPart:
			return nil, errEntityTooSmall.With("ProposedSize", strconv.FormatInt(p.size, 10)).With("MinSizeAllowed", strconv.Itoa(minPart)).
				With("PartNumber", strconv.Itoa(l.PartNumber))
		}
		sums.Write(p.md5)
		if composite != nil {
			sum, _ := base64.StdEncoding.DecodeString(p.sum)
			composite.Write(sum)
		}
		v.Body = append(v.Body, p.body...)
		v.Size += p.size
		v.Parts = append(v.Parts, p.size)
	}
	if v.Size > maxObject {
		return nil, errEntityTooLarge
	}
	if want := c.Request.Header.Get("X-Amz-Mp-Object-Size"); want != "" && want != strconv.FormatInt(v.Size, 10) {
		return nil, errInvalidRequest("The provided 'x-amz-mp-object-size' header value %s does not match what was computed: %d", want, v.Size)
	}
	v.ETag = fmt.Sprintf("%s-%d", hex.EncodeToString(sums.Sum(nil)), len(listed))
	if u.alg == "" {
		return &v, nil
	}
	v.SumType = u.sumType
	sum := fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(composite.Sum(nil)), len(listed))
	if u.sumType != "COMPOSITE" {
		whole := checksums[u.alg].new()
		if err := v.Body.writeRange(whole, 0, v.Size); err != nil {
			return nil, err
		}
		sum = base64.StdEncoding.EncodeToString(whole.Sum(nil))
	}
	v.Sums = map[string]string{checksumPrefix + u.alg: sum}
	if want := c.Request.Header.Get(checksumPrefix + u.alg); want != "" && want != sum {
		return nil, service.Errorf(http.StatusBadRequest, "BadDigest", "The %s you specified did not match the calculated checksum.", u.alg)
	}
	return &v, nil
}

func (c *call) listMultipartUploads() error {
	l, err := c.listing("max-uploads")
	if err != nil {
		return err
	}
	if l.delimiter != "" {
		return errNotImplemented
	}
	keyMarker, idMarker := c.query.Get("key-marker"), c.query.Get("upload-id-marker")
	uploads := c.uploads(l, keyMarker, idMarker)
	truncated := len(uploads) > l.max
	if truncated {
		uploads = uploads[:l.max]
	}
	doc := append(l.header("Bucket", c.bucketName, "MaxUploads"), nodes{
		{"KeyMarker", l.text(keyMarker)}, {"UploadIdMarker", idMarker}, {"IsTruncated", truncated},
	}...)
	if truncated && l.max > 0 {
		last := uploads[l.max-1]
		doc = append(doc, nodes{{"NextKeyMarker", l.text(last.key)}, {"NextUploadIdMarker", last.id}}...)
	}
	for _, u := range uploads {
		doc = append(doc, node{"Upload", nodes{
			{"Key", l.text(u.key)}, {"UploadId", u.id}, {"StorageClass", storageClass(u.v)}, {"Initiated", u.started},
		}})
	}
	return c.answer("ListMultipartUploadsResult", doc)
}

func (c *call) listParts() error {
	l, err := c.listing("max-parts")
	if err != nil {
		return err
	}
	marker := 0
	if text := c.query.Get("part-number-marker"); text != "" {
		if marker, err = strconv.Atoi(text); err != nil || marker < 0 {
			return errInvalidArgument("part-number-marker", "Argument part-number-marker must be an integer between 0 and 2147483647")
		}
	}
	c.store.mu.RLock()
	have := maps.Clone(c.upload.parts)
	c.store.mu.RUnlock()
	numbers := slices.DeleteFunc(slices.Sorted(maps.Keys(have)), func(n int) bool { return n <= marker })
	truncated := len(numbers) > l.max
	if truncated {
		numbers = numbers[:l.max]
	}
	next := marker
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1]
	}
	doc := nodes{
		{"Bucket", c.bucketName}, {"Key", c.key}, {"UploadId", c.upload.id}, {"StorageClass", storageClass(c.upload.v)},
		{"PartNumberMarker", marker}, {"NextPartNumberMarker", next}, {"MaxParts", l.max}, {"IsTruncated", truncated},
		{"ChecksumAlgorithm", optional(strings.ToUpper(c.upload.alg))}, {"ChecksumType", optional(c.upload.sumType)},
	}
	for _, n := range numbers {
		p := have[n]
		part := nodes{{"PartNumber", n}, {"LastModified", p.at}, {"ETag", quoted(p.etag())}, {"Size", p.size}}
		if p.alg != "" {
			part = append(part, node{checksums[p.alg].element, optional(p.sum)})
		}
		doc = append(doc, node{"Part", part})
	}
	return c.answer("ListPartsResult", doc)
}

// uploads returns the uploads in progress after the markers.
func (c *call) uploads(l listing, keyMarker, idMarker string) []*upload {
	c.store.mu.RLock()
	defer c.store.mu.RUnlock()
	marker := c.bucket.uploads[idMarker]
	return slices.DeleteFunc(c.bucket.sortedUploads(l.prefix), func(u *upload) bool {
		return u.key < keyMarker || u.key == keyMarker && (marker == nil || compareUploads(u, marker) <= 0)
	})
}

// sortedUploads returns the uploads in progress, by key and time.
func (b *bucket) sortedUploads(prefix string) []*upload {
	var list []*upload
	for _, u := range b.uploads {
		if strings.HasPrefix(u.key, prefix) {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, compareUploads)
	return list
}

func compareUploads(a, b *upload) int {
	return cmp.Or(strings.Compare(a.key, b.key), a.started.Compare(b.started), strings.Compare(a.id, b.id))
}
