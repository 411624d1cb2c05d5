package awsclient

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"microsecrets/lib/internal/printable"
)

// requireProof makes a failure of every success that S3 or KMS cannot have meant:
// one without what they always send with it. A proxy, a login page or another
// service answers 200 to anything.
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
			_, hasID := awsmiddleware.GetRequestIDMetadata(metadata)
			if missing := missingProof(out.Result, status, hasID); missing != "" {
				err = &oddAnswerError{status, "is not one of " + awsmiddleware.GetServiceID(ctx) + "'s: it " + missing}
				if object, ok := out.Result.(*s3.GetObjectOutput); ok {
					object.Body.Close()
				}
			}
			return out, metadata, err
		}), middleware.Before)
}

// missingProof says what a success lacks, or is empty. A GetObject without an ETag
// proves itself by the message that it brings, if S3 has sent it: that has an id of
// the request. What others will compare, print and send on is checked here as well:
// a version id, say, is one word.
func missingProof(result any, status int, hasID bool) string {
	switch out := result.(type) {
	case *s3.PutObjectOutput:
		return cmp.Or(absent("ETag", out.ETag), odd("ETag", out.ETag), odd("version id", out.VersionId))
	case *s3.HeadObjectOutput:
		return cmp.Or(absent("ETag", out.ETag), odd("ETag", out.ETag), odd("version id", out.VersionId))
	case *s3.GetObjectOutput:
		if !hasID {
			return cmp.Or(absent("ETag", out.ETag), odd("ETag", out.ETag), odd("version id", out.VersionId))
		}
		return cmp.Or(odd("ETag", out.ETag), odd("version id", out.VersionId))
	case *s3.CreateMultipartUploadOutput:
		return cmp.Or(absent("UploadId", out.UploadId), odd("UploadId", out.UploadId))
	case *s3.UploadPartOutput:
		return cmp.Or(absent("ETag", out.ETag), odd("ETag", out.ETag))
	case *s3.CompleteMultipartUploadOutput:
		return cmp.Or(absent("ETag", out.ETag), odd("ETag", out.ETag), odd("version id", out.VersionId))
	case *s3.DeleteObjectOutput:
		return cmp.Or(notRemoved(status), odd("version id", out.VersionId))
	case *s3.AbortMultipartUploadOutput:
		return notRemoved(status)
	case *s3.HeadBucketOutput, *s3.CreateBucketOutput, *s3.PutBucketOwnershipControlsOutput, *s3.PutPublicAccessBlockOutput,
		*s3.PutBucketPolicyOutput, *s3.PutBucketVersioningOutput, *s3.PutBucketLifecycleConfigurationOutput,
		*s3.GetBucketLocationOutput, *s3.GetBucketVersioningOutput,
		*kms.EnableKeyRotationOutput, *kms.CreateAliasOutput, *kms.GetKeyRotationStatusOutput:
		if !hasID {
			return "lacks the id of a request"
		}
	case *s3.GetBucketOwnershipControlsOutput:
		if out.OwnershipControls == nil {
			return "lacks OwnershipControls"
		}
	case *s3.GetPublicAccessBlockOutput:
		if out.PublicAccessBlockConfiguration == nil {
			return "lacks PublicAccessBlockConfiguration"
		}
	case *kms.ListAliasesOutput:
		if out.Aliases == nil {
			return "lacks Aliases"
		}
	case *kms.ListKeysOutput:
		if out.Keys == nil {
			return "lacks Keys"
		}
	case *kms.CreateKeyOutput:
		if out.KeyMetadata == nil {
			return "lacks KeyMetadata"
		}
		return cmp.Or(absent("Arn", out.KeyMetadata.Arn), odd("Arn", out.KeyMetadata.Arn))
	case *kms.DecryptOutput:
		return cmp.Or(absent("KeyId", out.KeyId), empty("Plaintext", out.Plaintext))
	case *kms.GenerateDataKeyOutput:
		return cmp.Or(absent("KeyId", out.KeyId), empty("Plaintext", out.Plaintext), empty("CiphertextBlob", out.CiphertextBlob))
	case *kms.EncryptOutput:
		return cmp.Or(absent("KeyId", out.KeyId), empty("CiphertextBlob", out.CiphertextBlob))
	}
	return ""
}

func absent(field string, value *string) string {
	if value == nil || *value == "" {
		return "lacks " + field
	}
	return ""
}

func empty(field string, value []byte) string {
	if len(value) == 0 {
		return "lacks " + field
	}
	return ""
}

func odd(field string, value *string) string {
	if value != nil && *value != "" && !printable.Token(*value) {
		return "has an odd " + field
	}
	return ""
}

func notRemoved(status int) string {
	if status != http.StatusNoContent {
		return "lacks the status of a removal, 204"
	}
	return ""
}

// oddAnswerError is the error of an answer that the service would not give.
type oddAnswerError struct {
	status int
	why    string // it is odd: the end of a sentence
}

func (e *oddAnswerError) Error() string {
	return fmt.Sprintf("the answer, of HTTP status %d, %s", e.status, e.why)
}
