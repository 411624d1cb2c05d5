package fakes3

import (
	"cmp"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"microsecrets/lib/fakeaws/internal/service"
	"microsecrets/lib/fakeaws/sigv4"
)

// checksumPrefix begins the header of each checksum algorithm.
const checksumPrefix = "x-amz-checksum-"

// The table is made when it is first used, as are the patterns elsewhere: ms, whose
// start they would slow down, has the emulator in it.
var crc64NVME = sync.OnceValue(func() *crc64.Table { return crc64.MakeTable(0x9a6c9329ac4bc9b5) })

// checksums are the algorithms of S3, by the end of their header's name;
// element gives their spelling in XML.
var checksums = map[string]struct {
	element string
	new     func() hash.Hash
}{
	"crc32":     {"ChecksumCRC32", func() hash.Hash { return crc32.NewIEEE() }},
	"crc32c":    {"ChecksumCRC32C", func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }},
	"crc64nvme": {"ChecksumCRC64NVME", func() hash.Hash { return crc64.New(crc64NVME()) }},
	"sha1":      {"ChecksumSHA1", sha1.New},
	"sha256":    {"ChecksumSHA256", sha256.New},
}

// askedChecksum returns the algorithm that a request names, by a value, a
// trailer or an upload's header; "" if none.
func askedChecksum(h http.Header) (string, error) {
	var asked []string // names of headers
	for alg := range checksums {
		if h.Get(checksumPrefix+alg) != "" {
			asked = append(asked, checksumPrefix+alg)
		}
	}
	if trailer := h.Get("X-Amz-Trailer"); trailer != "" {
		asked = append(asked, trailer)
	}
	if alg := h.Get("X-Amz-Checksum-Algorithm"); alg != "" && len(asked) == 0 {
		asked = append(asked, checksumPrefix+alg)
	}
	switch len(asked) {
	case 0:
		return "", nil
	case 1:
		alg, ok := strings.CutPrefix(strings.ToLower(asked[0]), checksumPrefix)
		if _, known := checksums[alg]; !ok || !known {
			return "", errInvalidRequest("Checksum algorithm provided is unsupported.")
		}
		return alg, nil
	}
	return "", errInvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
}

// received is a request's body as it came in, verified.
type received struct {
	body body
	size int64
	md5  []byte
	alg  string // the checksum asked for, or ""
	sum  string // its value, in base64

	at time.Time // when it became a part of an upload
}

func (in received) etag() string { return hex.EncodeToString(in.md5) }

// receive reads the body of an upload, of at most limit bytes, and verifies all
// that the request says of it: length, Content-MD5, x-amz-content-sha256, the
// chunks' signatures, and the checksum, given in a header or after the body.
func (c *call) receive(alg string, limit int64) (received, error) {
	asked, err := askedChecksum(c.Request.Header)
	if err != nil {
		return received{}, err
	}
	alg = cmp.Or(asked, alg)
	src, size, err := c.payload()
	if err != nil {
		return received{}, err
	}
	if size > limit {
		return received{}, errEntityTooLarge
	}
	var payload []hash.Hash
	if kind := c.Sig.Payload; !strings.HasPrefix(kind, "STREAMING-") && kind != sigv4.UnsignedPayload {
		payload = []hash.Hash{sha256.New()}
	}
	in, err := c.store.disk.read(src, size, alg, payload...)
	if err != nil {
		return in, err
	}
	if payload != nil && hex.EncodeToString(payload[0].Sum(nil)) != c.Sig.Payload {
		return in, errContentSHA256
	}
	if want := c.Request.Header.Get("Content-Md5"); want != "" {
		raw, err := base64.StdEncoding.DecodeString(want)
		if err != nil || len(raw) != md5.Size {
			return in, service.Errorf(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified was invalid.")
		}
		if string(raw) != string(in.md5) {
			return in, service.Errorf(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
		}
	}
	if alg == "" {
		return in, nil
	}
	claimed := c.Request.Header.Get(checksumPrefix + alg)
	if chunked, ok := src.(*sigv4.ChunkedReader); ok && c.Request.Header.Get("X-Amz-Trailer") != "" {
		if claimed = chunked.Trailer.Get(checksumPrefix + alg); claimed == "" {
			return in, errMalformedTrailer
		}
	}
	if claimed != "" && claimed != in.sum {
		return in, service.Errorf(http.StatusBadRequest, "BadDigest", "The %s you specified did not match the calculated checksum.", strings.ToUpper(alg))
	}
	return in, nil
}

// payload returns the request's body, decoded, and its length.
func (c *call) payload() (io.Reader, int64, error) {
	if chunked := c.Sig.Chunked(c.Request.Body); chunked != nil {
		size, err := parseSize(c.Request.Header.Get("X-Amz-Decoded-Content-Length"))
		if err != nil {
			return nil, 0, errMissingLength
		}
		return chunked, size, nil
	}
	if strings.HasPrefix(c.Sig.Payload, "STREAMING-") {
		return nil, 0, errNotImplemented
	}
	if c.Request.ContentLength < 0 {
		return nil, 0, errMissingLength
	}
	return c.Request.Body, c.Request.ContentLength, nil
}

// read reads exactly size bytes, and computes their MD5, the checksum alg
// unless it is "", and the further hashes. What has been read is hashed while
// the next piece is.
func (d *disk) read(r io.Reader, size int64, alg string, further ...hash.Hash) (in received, err error) {
	sums := append([]hash.Hash{md5.New()}, further...)
	if alg != "" {
		sums = append(sums, checksums[alg].new())
	}
	pieces, hashed := make(chan []byte, 4), make(chan struct{})
	go func() {
		defer close(hashed)
		for p := range pieces {
			for _, h := range sums {
				h.Write(p)
			}
		}
	}()
	in = received{size: size, alg: alg}
	in.body, err = d.readBody(r, size, pieces)
	close(pieces)
	<-hashed
	in.md5 = sums[0].Sum(nil)
	if alg != "" {
		in.sum = base64.StdEncoding.EncodeToString(sums[len(sums)-1].Sum(nil))
	}
	return in, err
}

// readBody reads exactly size bytes in pieces, which it passes on, to memory, or
// to a file where d is not nil.
func (d *disk) readBody(r io.Reader, size int64, pieces chan<- []byte) (b body, err error) {
	var file *os.File
	if d != nil && size > 0 {
		p := piece{File: newID(), Size: size, dir: d.dir}
		if file, err = d.dir.OpenFile(p.name(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return nil, err
		}
		defer func() {
			if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
				err = errors.Join(err, d.dir.Remove(p.name()))
			}
		}()
		b = body{p}
	}
	for left := size; left > 0; {
		p := make([]byte, min(left, pieceSize))
		if _, err := io.ReadFull(r, p); err != nil {
			return nil, bodyError(err)
		}
		pieces <- p
		left -= int64(len(p))
		if file == nil {
			b = append(b, piece{Data: p, Size: int64(len(p))})
		} else if _, err := file.Write(p); err != nil {
			return nil, err
		}
	}
	// The end matters: trailers come after the last byte.
	if n, err := io.ReadFull(r, make([]byte, 1)); n > 0 || err != io.EOF {
		return nil, bodyError(err)
	}
	return b, nil
}

// bodyError is the error of a body that came in wrong.
func bodyError(err error) error {
	for _, wrong := range []error{sigv4.ErrChunks, sigv4.ErrTrailer, sigv4.ErrMismatch} {
		if errors.Is(err, wrong) {
			return err
		}
	}
	return errIncompleteBody
}
