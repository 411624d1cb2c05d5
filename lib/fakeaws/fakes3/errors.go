package fakes3

import (
	"net/http"

	"microsecrets/lib/fakeaws/iam"
	"microsecrets/lib/fakeaws/internal/service"
	"microsecrets/lib/fakeaws/sigv4"
)

var (
	errAccessDenied      = service.Errorf(http.StatusForbidden, "AccessDenied", "Access Denied")
	errNoSuchKey         = service.Errorf(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	errNoSuchVersion     = service.Errorf(http.StatusNotFound, "NoSuchVersion", "The specified version does not exist.")
	errNoSuchBucket      = service.Errorf(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	errNoSuchUpload      = service.Errorf(http.StatusNotFound, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
	errPrecondition      = service.Errorf(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	errConflict          = service.Errorf(http.StatusConflict, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation against this resource.")
	errNotModified       = service.Errorf(http.StatusNotModified, "NotModified", "Not Modified")
	errMarkerNotAllowed  = service.Errorf(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	errInvalidRange      = service.Errorf(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
	errMalformedXML      = service.Errorf(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	errNotImplemented    = service.Errorf(http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented")
	errIncompleteBody    = service.Errorf(http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	errEntityTooSmall    = service.Errorf(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
	errEntityTooLarge    = service.Errorf(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	errInvalidPart       = service.Errorf(http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
	errInvalidPartOrder  = service.Errorf(http.StatusBadRequest, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
	errInvalidURI        = service.Errorf(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
	errKeyTooLong        = service.Errorf(http.StatusBadRequest, "KeyTooLongError", "Your key is too long")
	errMissingLength     = service.Errorf(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	errContentSHA256     = service.Errorf(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	errMalformedTrailer  = service.Errorf(http.StatusBadRequest, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
	errInvalidVersionID  = service.Errorf(http.StatusBadRequest, "InvalidArgument", "Invalid version id specified").With("ArgumentName", "versionId")
	errBucketExists      = service.Errorf(http.StatusConflict, "BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.")
	errBucketOwned       = service.Errorf(http.StatusConflict, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
	errNoSuchPolicy      = service.Errorf(http.StatusNotFound, "NoSuchBucketPolicy", "The bucket policy does not exist")
	errMalformedPolicy   = service.Errorf(http.StatusBadRequest, "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")
	errNoACL             = service.Errorf(http.StatusBadRequest, "AccessControlListNotSupported", "The bucket does not allow ACLs")
	errMFA               = service.Errorf(http.StatusForbidden, "AccessDenied", "Mfa Authentication must be used for this request")
	errLocked            = service.Errorf(http.StatusConflict, "InvalidBucketState", "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.")
	errInvalidBucketName = service.Errorf(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.")
)

// spellings are S3's of errors of other packages.
var spellings = map[error]*service.Error{
	service.ErrThrottled: service.Errorf(http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate."),
	sigv4.ErrMissing:     errAccessDenied,
	sigv4.ErrUnsupported: errInvalidArgument("Authorization", "Unsupported Authorization Type"),
	sigv4.ErrMalformed:   service.Errorf(http.StatusBadRequest, "AuthorizationHeaderMalformed", "The authorization header that you provided is not valid."),
	sigv4.ErrExpires:     service.Errorf(http.StatusBadRequest, "AuthorizationQueryParametersError", "X-Amz-Expires must be between 0 and 604800 seconds"),
	sigv4.ErrMismatch:    service.Errorf(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method."),
	sigv4.ErrExpired:     service.Errorf(http.StatusForbidden, "AccessDenied", "Request has expired"),
	sigv4.ErrSkewed:      service.Errorf(http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
	sigv4.ErrChunks:      service.Errorf(http.StatusBadRequest, "IncompleteBody", "The request body terminated unexpectedly or is not a valid aws-chunked stream"),
	sigv4.ErrTrailer:     errMalformedTrailer,
	iam.ErrAccessKey:     service.Errorf(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
	iam.ErrToken:         service.Errorf(http.StatusBadRequest, "InvalidToken", "The provided token is malformed or otherwise invalid."),
	iam.ErrExpired:       service.Errorf(http.StatusBadRequest, "ExpiredToken", "The provided token has expired."),
}

func errInvalidArgument(name, format string, args ...any) *service.Error {
	return service.Errorf(http.StatusBadRequest, "InvalidArgument", format, args...).With("ArgumentName", name)
}

func errInvalidRequest(format string, args ...any) *service.Error {
	return service.Errorf(http.StatusBadRequest, "InvalidRequest", format, args...)
}
