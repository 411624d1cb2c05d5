package fakeaws

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxKMSRequest bounds the body of a request to KMS.
const maxKMSRequest = 1 << 20

const kmsTarget = "TrentService."

type kmsProtocol struct{}

// kmsInput is the union of the operations' parameters.
type kmsInput struct {
	KeyId                          string
	SourceKeyId                    string
	DestinationKeyId               string
	TargetKeyId                    string
	AliasName                      string
	KeySpec                        string
	KeyUsage                       string
	CustomerMasterKeySpec          string
	Description                    string
	ReplicaRegion                  string
	MultiRegion                    bool
	NumberOfBytes                  *int
	PendingWindowInDays            *int
	Plaintext                      []byte
	CiphertextBlob                 []byte
	EncryptionAlgorithm            string
	EncryptionContext              map[string]string
	SourceEncryptionContext        map[string]string
	DestinationEncryptionContext   map[string]string
	SourceEncryptionAlgorithm      string
	DestinationEncryptionAlgorithm string
	Limit                          *int
	Marker                         string
}

var kmsOperations = map[string]func(*kms, *call) (any, error){
	"CreateKey":                       (*kms).createKey,
	"DescribeKey":                     (*kms).describeKey,
	"ListKeys":                        (*kms).listKeys,
	"CreateAlias":                     (*kms).createAlias,
	"UpdateAlias":                     (*kms).updateAlias,
	"DeleteAlias":                     (*kms).deleteAlias,
	"ListAliases":                     (*kms).listAliases,
	"GenerateDataKey":                 (*kms).generateDataKey,
	"GenerateDataKeyWithoutPlaintext": (*kms).generateDataKeyWithoutPlaintext,
	"Encrypt":                         (*kms).encrypt,
	"Decrypt":                         (*kms).decrypt,
	"ReEncrypt":                       (*kms).reEncrypt,
	"EnableKey":                       (*kms).enableKey,
	"DisableKey":                      (*kms).disableKey,
	"ScheduleKeyDeletion":             (*kms).scheduleKeyDeletion,
	"CancelKeyDeletion":               (*kms).cancelKeyDeletion,
	"ReplicateKey":                    (*kms).replicateKey,
}

// parse reads the body at once: it is small, and patterns match what is in it.
func (kmsProtocol) parse(c *call) error {
	c.op, c.args = "Unknown", &kmsInput{}
	name, ok := strings.CutPrefix(c.r.Header.Get("X-Amz-Target"), kmsTarget)
	if !ok || c.r.Method != http.MethodPost || kmsOperations[name] == nil {
		return apiErrorf(http.StatusBadRequest, "UnknownOperationException", "")
	}
	c.op = name
	data, err := io.ReadAll(io.LimitReader(c.r.Body, maxKMSRequest+1))
	if err != nil || len(data) > maxKMSRequest {
		return apiErrorf(http.StatusBadRequest, "SerializationException", "the body is cut short or too long")
	}
	c.json = data
	if err := json.Unmarshal(data, c.args); err != nil {
		return apiErrorf(http.StatusBadRequest, "SerializationException", "Could not deserialize the request: %v", err)
	}
	for _, name := range []string{c.args.KeyId, c.args.SourceKeyId, c.args.DestinationKeyId, c.args.AliasName} {
		if name != "" {
			c.names = append(c.names, name)
		}
	}
	for _, context := range []map[string]string{c.args.EncryptionContext, c.args.SourceEncryptionContext, c.args.DestinationEncryptionContext} {
		for _, name := range slices.Sorted(maps.Keys(context)) {
			c.names = append(c.names, context[name])
		}
	}
	if len(c.names) == 0 {
		c.names = []string{""}
	}
	return nil
}

func (kmsProtocol) act(c *call) error {
	if c.sig.service != "kms" {
		return apiErrorf(http.StatusBadRequest, "InvalidSignatureException", "Credential should be scoped to correct service: 'kms'.")
	}
	out, err := kmsOperations[c.op](c.s.kms, c)
	if err != nil {
		return err
	}
	if out == nil {
		c.writeJSON(http.StatusOK, nil)
		return nil
	}
	data, err := json.Marshal(out)
	if err != nil {
		return err
	}
	c.writeJSON(http.StatusOK, data)
	return nil
}

func (c *call) writeJSON(status int, data []byte) {
	c.out.header.Set("X-Amzn-Requestid", c.requestUUID())
	c.out.header.Set("Content-Type", "application/x-amz-json-1.1")
	c.out.header.Set("Content-Length", strconv.Itoa(len(data)))
	c.out.WriteHeader(status)
	c.out.Write(data)
}

// requestUUID is the request id in the form that KMS gives it.
func (c *call) requestUUID() string {
	id := strings.ToLower(c.id)
	return fmt.Sprintf("%s-%s-4000-8000-%s", id[:8], id[8:12], id[4:])
}

func (kmsProtocol) fail(c *call, err *apiError) {
	data, _ := json.Marshal(map[string]string{"__type": err.code, "message": err.msg})
	c.writeJSON(err.status, data)
}

// authErr spells the errors of authentication as the JSON services do.
func (kmsProtocol) authErr(err *apiError) *apiError {
	const badRequest = http.StatusBadRequest
	switch err.code {
	case "MissingAuthenticationToken":
		return apiErrorf(badRequest, "MissingAuthenticationTokenException", "Missing Authentication Token")
	case "InvalidAccessKeyId", "InvalidToken":
		return apiErrorf(badRequest, "UnrecognizedClientException", "The security token included in the request is invalid.")
	case "ExpiredToken":
		return apiErrorf(badRequest, "ExpiredTokenException", "The security token included in the request is expired")
	case "SignatureDoesNotMatch":
		return apiErrorf(badRequest, "InvalidSignatureException", "%s", err.msg)
	case "RequestTimeTooSkewed":
		return apiErrorf(badRequest, "InvalidSignatureException", "Signature expired: the difference to the current time is more than 15 minutes")
	}
	return apiErrorf(badRequest, "IncompleteSignatureException", "%s", err.msg)
}

func (kmsProtocol) throttled() *apiError {
	return apiErrorf(http.StatusBadRequest, "ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
}

func kmsError(code, format string, args ...any) *apiError {
	return apiErrorf(http.StatusBadRequest, code, format, args...)
}

// States of a key, and usages, as KMS spells them.
const (
	keyEnabled   = "Enabled"
	keyDisabled  = "Disabled"
	keyPending   = "PendingDeletion"
	usageEncrypt = "ENCRYPT_DECRYPT"
)

// A kmsKey is a key in one region. The replicas of a multi-region key have the
// same id and material.
type kmsKey struct {
	ID          string
	Region      string
	Account     string
	Material    []byte
	State       string
	Usage       string
	Description string
	Created     time.Time
	Deletion    time.Time `json:",omitzero"`
	MultiRegion bool      `json:",omitempty"`
	Primary     string    `json:",omitempty"` // region of the primary key
	Shared      []string  `json:",omitempty"` // accounts that the key's policy lets in
}

func (k *kmsKey) arn() string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", k.Region, k.Account, k.ID)
}

// kms is the state of KMS in all regions and accounts.
type kms struct {
	mu      sync.Mutex
	now     func() time.Time
	auto    bool
	disk    *disk
	keys    map[string]*kmsKey // by ARN
	aliases map[string]string  // alias ARN to the id of a key
}

func newKMS(now func() time.Time, auto bool) *kms {
	return &kms{now: now, auto: auto, keys: map[string]*kmsKey{}, aliases: map[string]string{}}
}

type kmsFile struct {
	Keys    map[string]*kmsKey
	Aliases map[string]string
}

func aliasARN(region, account, alias string) string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:%s", region, account, alias)
}

// resolve finds the key that id names (an id, an ARN, an alias, an alias ARN)
// for the caller, and checks that the caller may do the operation with it. It
// makes the key of an alias/microsecrets-… for operations that make or describe
// keys.
func (k *kms) resolve(c *call, id string) (*kmsKey, error) {
	if id == "" {
		return nil, kmsError("ValidationException", "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	region, account, name := c.sig.region, c.who.account, id
	if strings.HasPrefix(id, "arn:") {
		parts := strings.SplitN(id, ":", 6)
		if len(parts) != 6 || parts[2] != "kms" || parts[4] == "" {
			return nil, kmsError("InvalidArnException", "Invalid arn %s", id)
		}
		if parts[3] != region {
			return nil, kmsError("NotFoundException", "Invalid arn %s", parts[3])
		}
		account, name = parts[4], parts[5]
	}
	key, err := k.find(c, region, account, name)
	if account != c.who.account && (key == nil || !slices.Contains(key.Shared, c.who.account)) {
		return nil, kmsDenied(c, id, "no resource-based policy allows")
	}
	if err != nil {
		return nil, err
	}
	return key, k.permit(c, key)
}

func (k *kms) find(c *call, region, account, name string) (*kmsKey, error) {
	if strings.HasPrefix(name, "alias/") {
		arn := aliasARN(region, account, name)
		id, ok := k.aliases[arn]
		if !ok && k.auto && account == c.who.account && strings.HasPrefix(name, autoKeyPrefix) && autoOperations[c.op] {
			key := k.newKey(region, account)
			k.aliases[arn] = key.ID
			return key, k.save()
		}
		if !ok {
			return nil, kmsError("NotFoundException", "Alias %s is not found.", arn)
		}
		name = "key/" + id
	}
	arn := fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", region, account, strings.TrimPrefix(name, "key/"))
	if key := k.keys[arn]; key != nil {
		return key, nil
	}
	return nil, kmsError("NotFoundException", "Key '%s' does not exist", arn)
}

// autoOperations are those on whose first use the key of an
// alias/microsecrets-… is made. Decrypt is not among them: nothing can have
// been encrypted under a key that is not there.
var autoOperations = map[string]bool{"GenerateDataKey": true, "GenerateDataKeyWithoutPlaintext": true, "Encrypt": true,
	"ReEncrypt": true, "DescribeKey": true}

// permit checks the caller's policy for the operation on key.
func (k *kms) permit(c *call, key *kmsKey) error {
	names := slices.Clone(c.names)
	names = append(names, key.ID)
	for arn, id := range k.aliases {
		if prefix := aliasARN(key.Region, key.Account, ""); id == key.ID && strings.HasPrefix(arn, prefix) {
			names = append(names, strings.TrimPrefix(arn, prefix), arn)
		}
	}
	if err := c.allow("kms:"+c.op, key.arn(), names); err != nil {
		return kmsError("AccessDeniedException", "%s", err.msg)
	}
	return nil
}

// permitAny checks the caller's policy for an operation on no key in
// particular.
func (k *kms) permitAny(c *call) error {
	if err := c.allow("kms:"+c.op, "*", c.names); err != nil {
		return kmsError("AccessDeniedException", "%s", err.msg)
	}
	return nil
}

func kmsDenied(c *call, resource, because string) *apiError {
	return kmsError("AccessDeniedException", "User: arn:aws:iam::%s:user/%s is not authorized to perform: kms:%s on resource: %s because %s the kms:%s action",
		c.who.account, c.who.name, c.op, resource, because, c.op)
}

// usable fails unless the key can be used to encrypt and decrypt now.
func (key *kmsKey) usable() error {
	switch {
	case key.State == keyDisabled:
		return kmsError("DisabledException", "%s is disabled.", key.arn())
	case key.State != keyEnabled:
		return kmsError("KMSInvalidStateException", "%s is pending deletion.", key.arn())
	case key.Usage != usageEncrypt:
		return kmsError("InvalidKeyUsageException", "%s key usage is %s which is not valid for this operation.", key.arn(), key.Usage)
	}
	return nil
}

func (k *kms) load(d *disk) error {
	k.disk = d
	data, err := d.readFile("kms.json")
	if data == nil || err != nil {
		return err
	}
	f := kmsFile{k.keys, k.aliases}
	if err := json.Unmarshal(data, &f); err != nil {
		return fmt.Errorf("%s: %w", d.path("kms.json"), err)
	}
	return nil
}

func (k *kms) save() error {
	if k.disk == nil {
		return nil
	}
	data, err := json.MarshalIndent(kmsFile{k.keys, k.aliases}, "", "\t")
	if err != nil {
		return err
	}
	return k.disk.writeFile("kms.json", data)
}
