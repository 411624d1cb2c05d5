package fakeaws

import (
	"fmt"
	"maps"
	"net/http"
)

// An apiError is an error as S3 (XML) or KMS (JSON) reports it.
type apiError struct {
	status int
	code   string
	msg    string
	header map[string]string // further response headers
	detail [][2]string       // further elements of S3's error document
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.code, e.msg) }

func apiErrorf(status int, code, format string, args ...any) *apiError {
	return &apiError{status: status, code: code, msg: fmt.Sprintf(format, args...)}
}

// with returns a copy of e that has one more element in its document.
func (e *apiError) with(name, value string) *apiError {
	c := *e
	c.detail = append(c.detail[:len(c.detail):len(c.detail)], [2]string{name, value})
	return &c
}

func (e *apiError) withHeader(name, value string) *apiError {
	c := *e
	c.header = maps.Clone(e.header)
	if c.header == nil {
		c.header = map[string]string{}
	}
	c.header[name] = value
	return &c
}

var (
	errAccessDenied      = apiErrorf(http.StatusForbidden, "AccessDenied", "Access Denied")
	errNoSuchKey         = apiErrorf(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	errNoSuchVersion     = apiErrorf(http.StatusNotFound, "NoSuchVersion", "The specified version does not exist.")
	errNoSuchBucket      = apiErrorf(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	errNoSuchUpload      = apiErrorf(http.StatusNotFound, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
	errPrecondition      = apiErrorf(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	errConflict          = apiErrorf(http.StatusConflict, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation against this resource.")
	errNotModified       = apiErrorf(http.StatusNotModified, "NotModified", "Not Modified")
	errMarkerNotAllowed  = apiErrorf(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	errInvalidRange      = apiErrorf(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
	errMalformedXML      = apiErrorf(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	errNotImplemented    = apiErrorf(http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented")
	errSlowDown          = apiErrorf(http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
	errIncompleteBody    = apiErrorf(http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	errEntityTooSmall    = apiErrorf(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
	errEntityTooLarge    = apiErrorf(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	errInvalidPart       = apiErrorf(http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
	errInvalidPartOrder  = apiErrorf(http.StatusBadRequest, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
	errInvalidURI        = apiErrorf(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
	errKeyTooLong        = apiErrorf(http.StatusBadRequest, "KeyTooLongError", "Your key is too long")
	errMissingLength     = apiErrorf(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	errContentSHA256     = apiErrorf(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	errMalformedChunks   = apiErrorf(http.StatusBadRequest, "IncompleteBody", "The request body terminated unexpectedly or is not a valid aws-chunked stream")
	errChunkSignature    = apiErrorf(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
	errMalformedTrailer  = apiErrorf(http.StatusBadRequest, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
	errInvalidVersionID  = apiErrorf(http.StatusBadRequest, "InvalidArgument", "Invalid version id specified").with("ArgumentName", "versionId")
	errBucketNotEmpty    = apiErrorf(http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty")
	errBucketOwned       = apiErrorf(http.StatusConflict, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
	errInvalidBucketName = apiErrorf(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.")
)

func errInvalidArgument(name, format string, args ...any) *apiError {
	return apiErrorf(http.StatusBadRequest, "InvalidArgument", format, args...).with("ArgumentName", name)
}

func errInvalidRequest(format string, args ...any) *apiError {
	return apiErrorf(http.StatusBadRequest, "InvalidRequest", format, args...)
}
