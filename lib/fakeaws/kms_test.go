package fakeaws_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"microsecrets/lib/fakeaws/fakeawstest"
)

// in returns a client of another region.
func in(c aws.Config, region string) *kms.Client {
	c.Region = region
	return kms.NewFromConfig(c)
}

func dataKey(t *testing.T, c *kms.Client, key string, context map[string]string) *kms.GenerateDataKeyOutput {
	t.Helper()
	out, err := c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &key, KeySpec: "AES_256", EncryptionContext: context})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func decrypt(c *kms.Client, blob []byte, key string, context map[string]string) error {
	in := &kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: context}
	if key != "" {
		in.KeyId = &key
	}
	_, err := c.Decrypt(ctx, in)
	return err
}

func TestDecryptBinds(t *testing.T) {
	s := fakeawstest.Start(t)
	c := kmsClient(s)
	arn := strings.TrimSpace(s.Do("key create alias/a"))
	s.Do("key create alias/b", "key create region=eu-west-1 alias/a", "key create account=999999999999 alias/a")
	context := map[string]string{"ms-name": "x", "ms-store": "y"}
	blob := dataKey(t, c, "alias/a", context).CiphertextBlob
	flip := func(i int) []byte {
		b := bytes.Clone(blob)
		b[i] ^= 1
		return b
	}
	for _, row := range []struct {
		name    string
		blob    []byte
		key     string
		context map[string]string
		want    string
	}{
		{"without a key", blob, "", context, "ok"},
		{"alias", blob, "alias/a", context, "ok"},
		{"ARN", blob, arn, context, "ok"},
		{"id", blob, arn[strings.LastIndex(arn, "/")+1:], context, "ok"},
		{"alias ARN", blob, "arn:aws:kms:us-east-1:111122223333:alias/a", context, "ok"},
		{"another key", blob, "alias/b", context, "400 IncorrectKeyException"},
		{"no such alias", blob, "alias/c", context, "400 NotFoundException"},
		{"alias that no first use makes", blob, "alias/microsecrets-x", context, "400 NotFoundException"},
		{"ARN of another region", blob, "arn:aws:kms:eu-west-1:111122223333:alias/a", context, "400 NotFoundException"},
		{"another account's", blob, "arn:aws:kms:us-east-1:999999999999:alias/a", context, "400 AccessDeniedException"},
		{"other context", blob, "alias/a", map[string]string{"ms-name": "z", "ms-store": "y"}, "400 InvalidCiphertextException"},
		{"less context", blob, "alias/a", map[string]string{"ms-name": "x"}, "400 InvalidCiphertextException"},
		{"no context", blob, "alias/a", nil, "400 InvalidCiphertextException"},
		{"first byte", flip(0), "alias/a", context, "400 InvalidCiphertextException"},
		{"salt", flip(100), "alias/a", context, "400 InvalidCiphertextException"},
		{"last byte", flip(len(blob) - 1), "alias/a", context, "400 InvalidCiphertextException"},
		{"cut", blob[:len(blob)-1], "alias/a", context, "400 InvalidCiphertextException"},
		{"nonsense", []byte("nonsense"), "", context, "400 InvalidCiphertextException"},
	} {
		want(t, row.name, decrypt(c, row.blob, row.key, row.context), row.want)
	}
	want(t, "in another region", decrypt(in(config(s), "eu-west-1"), blob, "", context), "400 AccessDeniedException")
}

func TestKeyStates(t *testing.T) {
	s := fakeawstest.Start(t)
	c := kmsClient(s)
	s.Do("key create alias/a", "key create usage=GENERATE_VERIFY_MAC alias/mac")
	blob := dataKey(t, c, "alias/a", nil).CiphertextBlob
	for _, row := range []struct{ line, want string }{
		{"key disable alias/a", "400 DisabledException"},
		{"key enable alias/a", "ok"},
		{"key delete alias/a", "400 KMSInvalidStateException"},
		{"key cancel alias/a", "400 DisabledException"},
		{"key enable alias/a", "ok"},
		{"key remove alias/a", "400 NotFoundException"},
	} {
		s.Do(row.line)
		want(t, row.line, decrypt(c, blob, "alias/a", nil), row.want)
		_, err := c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String("alias/a"), KeySpec: "AES_256"})
		want(t, row.line, err, row.want)
	}
	_, err := c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String("alias/mac"), KeySpec: "AES_256"})
	want(t, "a key for another use", err, "400 InvalidKeyUsageException")
}

func TestAliases(t *testing.T) {
	s := fakeawstest.Start(t)
	c := kmsClient(s)
	one, err := c.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("first")})
	if err != nil {
		t.Fatal(err)
	}
	two, err := c.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	name := aws.String("alias/a")
	_, err = c.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: name, TargetKeyId: two.KeyMetadata.KeyId})
	want(t, "update of nothing", err, "400 NotFoundException")
	_, err = c.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: name, TargetKeyId: one.KeyMetadata.KeyId})
	want(t, "create", err, "ok")
	_, err = c.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: name, TargetKeyId: two.KeyMetadata.KeyId})
	want(t, "create again", err, "400 AlreadyExistsException")
	_, err = c.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/a b"), TargetKeyId: two.KeyMetadata.KeyId})
	want(t, "a name that is none", err, "400 ValidationException")
	blob := dataKey(t, c, "alias/a", nil).CiphertextBlob
	_, err = c.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: name, TargetKeyId: two.KeyMetadata.KeyId})
	want(t, "update", err, "ok")
	want(t, "the alias points elsewhere", decrypt(c, blob, "alias/a", nil), "400 IncorrectKeyException")
	described, err := c.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: name})
	if err != nil || *described.KeyMetadata.Arn != *two.KeyMetadata.Arn || described.KeyMetadata.KeyState != "Enabled" || described.KeyMetadata.CreationDate.IsZero() {
		t.Errorf("%+v, %v", described, err)
	}
	aliases, err := c.ListAliases(ctx, &kms.ListAliasesInput{})
	if err != nil || len(aliases.Aliases) != 1 || *aliases.Aliases[0].TargetKeyId != *two.KeyMetadata.KeyId {
		t.Errorf("%+v, %v", aliases, err)
	}
	n := 0
	for p := kms.NewListKeysPaginator(c, &kms.ListKeysInput{Limit: aws.Int32(1)}); p.HasMorePages(); {
		out, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		n += len(out.Keys)
	}
	if n != 2 {
		t.Errorf("%d keys", n)
	}
}

func TestMultiRegionKeys(t *testing.T) {
	s := fakeawstest.Start(t)
	c := kmsClient(s)
	made, err := c.CreateKey(ctx, &kms.CreateKeyInput{MultiRegion: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	id := *made.KeyMetadata.KeyId
	replica := strings.TrimSpace(s.Do("key replicate " + id + " eu-west-1"))
	there := in(config(s), "eu-west-1")
	out, err := there.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &id})
	if err != nil || *out.KeyMetadata.Arn != replica || !strings.HasPrefix(id, "mrk-") ||
		out.KeyMetadata.MultiRegionConfiguration.MultiRegionKeyType != types.MultiRegionKeyTypeReplica {
		t.Fatalf("%+v, %v", out, err)
	}
	blob := dataKey(t, c, id, nil).CiphertextBlob
	want(t, "by the replica", decrypt(there, blob, id, nil), "ok")
	want(t, "by the replica, without a key", decrypt(there, blob, "", nil), "ok")
	want(t, "where there is none", decrypt(in(config(s), "eu-west-2"), blob, id, nil), "400 NotFoundException")
	opened, err := there.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: blob, KeyId: &id})
	if err != nil || *opened.KeyId != strings.Replace(*made.KeyMetadata.Arn, "us-east-1", "eu-west-1", 1) {
		t.Errorf("the reply's key is %s, %v", aws.ToString(opened.KeyId), err)
	}
}

func TestAccounts(t *testing.T) {
	s := fakeawstest.Start(t)
	arn := strings.TrimSpace(s.Do("key create alias/a"))
	stranger := kms.NewFromConfig(config(s, "principal stranger account=999999999999"))
	generate := func(key string) error {
		_, err := stranger.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &key, KeySpec: "AES_256"})
		return err
	}
	want(t, "a stranger's alias", generate("alias/a"), "400 NotFoundException")
	want(t, "ARN", generate(arn), "400 AccessDeniedException")
	s.Do("key share alias/a 999999999999")
	want(t, "ARN, shared", generate(arn), "ok")
	want(t, "alias ARN, shared", generate("arn:aws:kms:us-east-1:111122223333:alias/a"), "ok")
	want(t, "alias, shared", generate("alias/a"), "400 NotFoundException")
}

func TestReEncrypt(t *testing.T) {
	s := fakeawstest.Start(t)
	c := kmsClient(s)
	s.Do("key create alias/a", "key create alias/b")
	made := dataKey(t, c, "alias/a", map[string]string{"n": "1"})
	move := func() ([]byte, error) {
		out, err := c.ReEncrypt(ctx, &kms.ReEncryptInput{CiphertextBlob: made.CiphertextBlob, SourceEncryptionContext: map[string]string{"n": "1"},
			DestinationKeyId: aws.String("alias/b"), DestinationEncryptionContext: map[string]string{"n": "2"}})
		if err != nil {
			return nil, err
		}
		return out.CiphertextBlob, nil
	}
	blob, err := move()
	want(t, "ReEncrypt", err, "ok")
	want(t, "Decrypt", decrypt(c, blob, "alias/b", map[string]string{"n": "2"}), "ok")
	s.Do("deny kms:ReEncryptFrom alias/a")
	_, err = move()
	want(t, "ReEncrypt, denied", err, "400 AccessDeniedException")
}

func TestFirstUse(t *testing.T) {
	s := fakeawstest.Start(t)
	for _, row := range []struct{ line, want string }{{"auto off", "400 NotFoundException"}, {"auto on", "ok"}, {"auto off", "ok"}} {
		s.Do(row.line)
		_, err := kmsClient(s).GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String("alias/microsecrets-x"), KeySpec: "AES_256"})
		want(t, row.line, err, row.want)
		_, err = kmsClient(s).GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String("alias/other"), KeySpec: "AES_256"})
		want(t, "another alias", err, "400 NotFoundException")
	}
}

func TestKMSValidates(t *testing.T) {
	s := fakeawstest.Start(t)
	c := kmsClient(s)
	key := aws.String("alias/microsecrets-x")
	for _, in := range []*kms.GenerateDataKeyInput{{KeyId: key}, {KeyId: key, KeySpec: "AES_256", NumberOfBytes: aws.Int32(32)}, {KeyId: key, NumberOfBytes: aws.Int32(1025)},
		{KeyId: key, KeySpec: "AES_256", EncryptionContext: map[string]string{"a": strings.Repeat("x", 9000)}}} {
		_, err := c.GenerateDataKey(ctx, in)
		want(t, "GenerateDataKey", err, "400 ValidationException")
	}
	_, err := c.Encrypt(ctx, &kms.EncryptInput{KeyId: key, Plaintext: make([]byte, 4097)})
	want(t, "Encrypt", err, "400 ValidationException")
	_, err = c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String("arn:x"), KeySpec: "AES_256"})
	want(t, "an ARN that is none", err, "400 InvalidArnException")
	_, err = c.CreateKey(ctx, &kms.CreateKeyInput{Policy: aws.String("{}")})
	want(t, "a parameter that is not emulated", err, "400 SerializationException")
	_, err = c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: key, KeySpec: "AES_256", DryRun: aws.Bool(true)})
	want(t, "a dry run", err, "400 DryRunOperationException")
	_, err = c.GenerateRandom(ctx, &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(1)})
	want(t, "an operation that is not emulated", err, "400 UnknownOperationException")
}

// The SDK has types for KMS's errors, which it makes of their names.
func TestTypedErrors(t *testing.T) {
	s := fakeawstest.Start(t)
	err := decrypt(kmsClient(s), []byte("x"), "alias/none", nil)
	if _, ok := errors.AsType[*types.NotFoundException](err); !ok {
		t.Errorf("%T", err)
	}
	err = decrypt(kmsClient(s), []byte("x"), "", nil)
	if _, ok := errors.AsType[*types.InvalidCiphertextException](err); !ok {
		t.Errorf("%T", err)
	}
}
