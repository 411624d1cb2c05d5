package awsclient

import (
	"context"
	"fmt"
	"net/http"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// requireProof makes a failure of every success that S3 cannot have meant: one
// without what S3 always sends with it. A proxy, a login page or another service
// answers 200 to anything.
func requireProof(s *middleware.Stack) error {
	return s.Initialize.Add(middleware.InitializeMiddlewareFunc("RequireProof",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleInitialize(ctx, in)
			if err != nil {
				return out, metadata, err
			}
			status := 0
			if response, ok := awsmiddleware.GetRawResponse(metadata).(*smithyhttp.Response); ok {
				status = response.StatusCode
			}
			if missing := missingProof(out.Result, status); missing != "" {
				err = &unprovenError{missing, status}
			}
			return out, metadata, err
		}), middleware.Before)
}

// missingProof says what a success lacks, or is empty. A GetObject proves itself
// by the message that it brings.
func missingProof(result any, status int) string {
	switch out := result.(type) {
	case *s3.PutObjectOutput:
		return absent("ETag", out.ETag)
	case *s3.HeadObjectOutput:
		return absent("ETag", out.ETag)
	case *s3.CreateMultipartUploadOutput:
		return absent("UploadId", out.UploadId)
	case *s3.UploadPartOutput:
		return absent("ETag", out.ETag)
	case *s3.CompleteMultipartUploadOutput:
		return absent("ETag", out.ETag)
	case *s3.DeleteObjectOutput, *s3.AbortMultipartUploadOutput:
		if status != http.StatusNoContent {
			return "the status of a removal, 204"
		}
	}
	return ""
}

func absent(field string, value *string) string {
	if value == nil || *value == "" {
		return field
	}
	return ""
}

// unprovenError is the error of a success without proof.
type unprovenError struct {
	missing string
	status  int
}

func (e *unprovenError) Error() string {
	return fmt.Sprintf("the answer, of status %d, is not one of S3's: it lacks %s", e.status, e.missing)
}
