package fakeaws

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// The values of x-amz-content-sha256 that announce a body in the aws-chunked
// coding.
const (
	streamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

const (
	maxChunkLine   = 4 << 10
	maxTrailers    = 16
	trailerSigName = "x-amz-trailer-signature"
)

// A chunkedReader decodes aws-chunked: chunks of "HEX[;chunk-signature=…]\r\n
// DATA \r\n", an empty one last, then trailers, one a line, and an empty line.
// With sig set each chunk's signature, which covers the one before it, is
// verified, and the trailers' too, before the reader says io.EOF.
type chunkedReader struct {
	r       *bufio.Reader
	sig     *signature
	trailer http.Header // complete at io.EOF; nil where no trailer is announced

	prev      string // the signature of the chunk before
	chunkSig  string
	chunkHash hash.Hash
	left      int64 // of the chunk being read
	err       error
}

func newChunkedReader(r io.Reader, sig *signature, signed, trailer bool) *chunkedReader {
	c := &chunkedReader{r: bufio.NewReaderSize(r, 64<<10)}
	if signed {
		c.sig, c.prev, c.chunkHash = sig, sig.value, sha256.New()
	}
	if trailer {
		c.trailer = http.Header{}
	}
	return c
}

func (c *chunkedReader) Read(p []byte) (int, error) {
	if c.err == nil && c.left == 0 {
		c.err = c.nextChunk()
	}
	if c.err != nil {
		return 0, c.err
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	if c.chunkHash != nil {
		c.chunkHash.Write(p[:n])
	}
	switch {
	case err != nil:
		c.err = errMalformedChunks
	case c.left == 0:
		c.err = c.endChunk()
	}
	return n, c.err
}

// nextChunk reads a chunk's first line, and after the last one the trailers;
// then it returns io.EOF.
func (c *chunkedReader) nextChunk() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	size, ext, _ := strings.Cut(line, ";")
	n, err := strconv.ParseInt(size, 16, 64)
	if err != nil || n < 0 || strings.HasPrefix(size, "+") {
		return errMalformedChunks
	}
	c.left = n
	if c.sig != nil {
		var ok bool
		if c.chunkSig, ok = strings.CutPrefix(ext, "chunk-signature="); !ok {
			return errMalformedChunks
		}
	}
	if n > 0 {
		return nil
	}
	if err := c.checkChunk(); err != nil {
		return err
	}
	if err := c.readTrailer(); err != nil {
		return err
	}
	if _, err := c.r.ReadByte(); err != io.EOF {
		return errMalformedChunks
	}
	return io.EOF
}

func (c *chunkedReader) endChunk() error {
	if line, err := c.line(); err != nil || line != "" {
		return errMalformedChunks
	}
	return c.checkChunk()
}

func (c *chunkedReader) checkChunk() error {
	if c.sig == nil {
		return nil
	}
	toSign := sigAlgorithm + "-PAYLOAD\n" + c.sig.time + "\n" + c.sig.scope + "\n" + c.prev + "\n" + emptySHA256 + "\n" +
		hex.EncodeToString(c.chunkHash.Sum(nil))
	if !c.sig.matches(toSign, c.chunkSig) {
		return errChunkSignature
	}
	c.prev = c.chunkSig
	c.chunkHash.Reset()
	return nil
}

// readTrailer reads lines up to an empty one. Some clients leave the last empty
// line of a stream without trailers out.
func (c *chunkedReader) readTrailer() error {
	var canonical bytes.Buffer
	var sig string
	for range maxTrailers {
		line, err := c.line()
		if errors.Is(err, errNoLine) || err == nil && line == "" {
			return c.checkTrailer(canonical.Bytes(), sig)
		}
		if err != nil {
			return err
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !ok || name == "" || c.trailer == nil:
			return errMalformedTrailer
		case name == trailerSigName:
			sig = value
		default:
			c.trailer.Set(name, value)
			canonical.WriteString(name + ":" + value + "\n")
		}
	}
	return errMalformedTrailer
}

func (c *chunkedReader) checkTrailer(canonical []byte, sig string) error {
	if c.sig == nil || c.trailer == nil {
		return nil
	}
	sum := sha256.Sum256(canonical)
	toSign := sigAlgorithm + "-TRAILER\n" + c.sig.time + "\n" + c.sig.scope + "\n" + c.prev + "\n" + hex.EncodeToString(sum[:])
	if !c.sig.matches(toSign, sig) {
		return errChunkSignature
	}
	return nil
}

// errNoLine is the end of the stream where a line might begin.
var errNoLine = errMalformedChunks.with("Reason", "the stream ended before a line")

func (c *chunkedReader) line() (string, error) {
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == io.EOF && len(line) == 0:
			return "", errNoLine
		case err != nil && err != bufio.ErrBufferFull, len(line) > maxChunkLine:
			return "", errMalformedChunks
		case err == nil:
			return strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r"), nil
		}
	}
}
