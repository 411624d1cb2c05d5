package sigv4

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// The Payloads of a body in the aws-chunked coding.
const (
	StreamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	StreamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// What is wrong with a chunked body.
var (
	ErrChunks  = errors.New("the body ended too early or is not aws-chunked")
	ErrTrailer = errors.New("the body's trailers are malformed")
)

const (
	maxChunkLine   = 4 << 10
	maxTrailers    = 16
	trailerSigName = "x-amz-trailer-signature"
)

// A ChunkedReader decodes aws-chunked: chunks of "HEX[;chunk-signature=…]\r\n
// DATA \r\n", an empty one last, then trailers, one a line, and an empty line.
// Where the chunks are signed, each signature, which covers the one before it,
// is verified, and that of the trailers as well, before the reader returns
// io.EOF.
type ChunkedReader struct {
	Trailer http.Header // complete at io.EOF; nil where no trailer is announced

	r   *bufio.Reader
	sig *Signature // nil where the chunks are not signed

	prev      string // the signature of the chunk before
	chunkSig  string
	chunkHash hash.Hash
	left      int64 // of the chunk being read
	err       error
}

// Chunked returns a reader of the body of a request whose Payload is one of
// Streaming…; nil if it is none of them. The signature must have been verified.
func (s *Signature) Chunked(body io.Reader) *ChunkedReader {
	c := &ChunkedReader{r: bufio.NewReaderSize(body, 64<<10)}
	switch s.Payload {
	case StreamingSigned, StreamingSignedTrailer:
		c.sig, c.prev, c.chunkHash = s, s.value, sha256.New()
	case StreamingUnsignedTrailer:
	default:
		return nil
	}
	if s.Payload != StreamingSigned {
		c.Trailer = http.Header{}
	}
	return c
}

func (c *ChunkedReader) Read(p []byte) (int, error) {
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
		c.err = ErrChunks
	case c.left == 0:
		c.err = c.endChunk()
	}
	return n, c.err
}

// nextChunk reads a chunk's first line, and after the last one the trailers;
// then it returns io.EOF.
func (c *ChunkedReader) nextChunk() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	size, ext, _ := strings.Cut(line, ";")
	n, err := strconv.ParseInt(size, 16, 64)
	if err != nil || n < 0 || strings.HasPrefix(size, "+") {
		return ErrChunks
	}
	c.left = n
	if c.sig != nil {
		var ok bool
		if c.chunkSig, ok = strings.CutPrefix(ext, "chunk-signature="); !ok {
			return ErrChunks
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
		return ErrChunks
	}
	return io.EOF
}

func (c *ChunkedReader) endChunk() error {
	if line, err := c.line(); err != nil || line != "" {
		return ErrChunks
	}
	return c.checkChunk()
}

func (c *ChunkedReader) checkChunk() error {
	if c.sig == nil {
		return nil
	}
	if err := c.sig.check(c.chunkSig, "-PAYLOAD", c.prev, emptySHA256, hex.EncodeToString(c.chunkHash.Sum(nil))); err != nil {
		return err
	}
	c.prev = c.chunkSig
	c.chunkHash.Reset()
	return nil
}

// readTrailer reads lines up to an empty one. Some clients leave the last empty
// line of a stream without trailers out.
func (c *ChunkedReader) readTrailer() error {
	var canonical, sig string
	for range maxTrailers {
		line, err := c.line()
		if errors.Is(err, errNoLine) || err == nil && line == "" {
			if c.sig == nil || c.Trailer == nil {
				return nil
			}
			return c.sig.check(sig, "-TRAILER", c.prev, sha256Hex(canonical))
		}
		if err != nil {
			return err
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !ok || name == "" || c.Trailer == nil:
			return ErrTrailer
		case name == trailerSigName:
			sig = value
		default:
			c.Trailer.Set(name, value)
			canonical += name + ":" + value + "\n"
		}
	}
	return ErrTrailer
}

// errNoLine is the end of the stream where a line could begin.
var errNoLine = fmt.Errorf("%w: no line", ErrChunks)

func (c *ChunkedReader) line() (string, error) {
	line, err := c.r.ReadSlice('\n')
	switch {
	case err == io.EOF && len(line) == 0:
		return "", errNoLine
	case err != nil, len(line) > maxChunkLine:
		return "", ErrChunks
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r"), nil
}
