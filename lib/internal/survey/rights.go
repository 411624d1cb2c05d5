package survey

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// dryRun is the code by which KMS says that it would have done what it was asked for.
const dryRun = "DryRunOperationException"

// MayGenerate asks KMS whether the caller may have a data key made under a key: nil
// if so. None is made.
func (s *Surveyor) MayGenerate(ctx context.Context, id string, encryptionContext map[string]string) error {
	out, err := s.at(id).GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId: &id, KeySpec: types.DataKeySpecAes256, EncryptionContext: encryptionContext, DryRun: aws.Bool(true),
	})
	if err == nil { // a server that does not know dry runs
		clear(out.Plaintext)
		return nil
	}
	return s.unlessDry(ctx, "GenerateDataKey", id, err)
}

// MayEncrypt is MayGenerate for wrapping a data key under a further key.
func (s *Surveyor) MayEncrypt(ctx context.Context, id string, encryptionContext map[string]string) error {
	_, err := s.at(id).Encrypt(ctx, &kms.EncryptInput{
		KeyId: &id, Plaintext: make([]byte, 32), EncryptionContext: encryptionContext, DryRun: aws.Bool(true),
	})
	return s.unlessDry(ctx, "Encrypt", id, err)
}

func (s *Surveyor) unlessDry(ctx context.Context, op, id string, err error) error {
	if err == nil {
		return nil
	}
	if err = s.failedWith(ctx, op, id, err); code(err) == dryRun {
		return nil
	}
	return err
}
