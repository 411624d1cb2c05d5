// Package fakekms emulates AWS KMS as an http.Handler.
//
// Keys, ciphertexts and errors are as KMS documents them. A ciphertext is bound
// to its key and its encryption context. What it does not do, it refuses with
// UnknownOperationException.
package fakekms

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"microsecrets/lib/fakeaws/iam"
	"microsecrets/lib/fakeaws/internal/service"
	"microsecrets/lib/fakeaws/sigv4"
)

// DefaultRegion is where the verbs of Control look for aliases and make keys.
const DefaultRegion = "us-east-1"

// autoKeyPrefix begins the aliases whose keys are made on first use.
const autoKeyPrefix = "alias/microsecrets-"

// maxKMSRequest bounds the body of a request to KMS.
const maxKMSRequest = 1 << 20

// input is the union of the operations' parameters. Grants, and so their tokens,
// there are none.
type input struct {
	KeyId                          string
	SourceKeyId                    string
	DestinationKeyId               string
	TargetKeyId                    string
	AliasName                      string
	KeySpec                        string
	KeyUsage                       string
	CustomerMasterKeySpec          string
	Description                    string
	MultiRegion                    bool
	NumberOfBytes                  *int
	Plaintext                      []byte
	CiphertextBlob                 []byte
	EncryptionAlgorithm            string
	EncryptionContext              map[string]string
	SourceEncryptionContext        map[string]string
	DestinationEncryptionContext   map[string]string
	SourceEncryptionAlgorithm      string
	DestinationEncryptionAlgorithm string
	GrantTokens                    []string
	DryRun                         bool
	RotationPeriodInDays           *int
	Limit                          *int
	Marker                         string
}

// fields are a JSON object.
type fields map[string]any

// operations are called with the call's Handler locked. Nil is an answer without a body.
var operations = map[string]func(*call) (fields, error){
	"CreateKey":            (*call).createKey,
	"DescribeKey":          (*call).describeKey,
	"ListKeys":             (*call).listKeys,
	"EnableKeyRotation":    (*call).enableKeyRotation,
	"GetKeyRotationStatus": (*call).getKeyRotationStatus,
	"CreateAlias":          (*call).setAlias,
	"UpdateAlias":          (*call).setAlias,
	"ListAliases":          (*call).listAliases,
	"GenerateDataKey":      (*call).generateDataKey,
	"Encrypt":              (*call).encrypt,
	"Decrypt":              (*call).decrypt,
	"ReEncrypt":            (*call).reEncrypt,
}

// Parse reads the body at once: it is small, and patterns match what is in it.
func (c *call) Parse() error {
	name, ok := strings.CutPrefix(c.Request.Header.Get("X-Amz-Target"), "TrentService.")
	if !ok || c.Request.Method != http.MethodPost || operations[name] == nil {
		return errorf("UnknownOperationException", "")
	}
	c.Op = name
	data, err := c.ReadBody(maxKMSRequest)
	if err != nil {
		return errorf("SerializationException", "the body is cut short or too long")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields() // what is not emulated is refused, not ignored
	if err := decoder.Decode(&c.args); err != nil {
		return errorf("SerializationException", "Could not deserialize the request: %v", err)
	}
	c.Resource = c.args.KeyId
	c.setEncryptionContext(c.args.EncryptionContext)
	for _, name := range []string{c.args.KeyId, c.args.SourceKeyId, c.args.DestinationKeyId, c.args.AliasName} {
		if name != "" {
			c.Names = append(c.Names, name)
		}
	}
	for _, context := range c.args.contexts() {
		for _, name := range slices.Sorted(maps.Keys(context)) {
			c.Names = append(c.Names, context[name])
		}
	}
	if len(c.Names) == 0 {
		c.Names = []string{""}
	}
	return nil
}

// Act carries out the operation that is asked for.
func (c *call) Act() error {
	if c.Sig.Service != "kms" {
		return errorf("InvalidSignatureException", "Credential should be scoped to correct service: 'kms'.")
	}
	out, err := c.perform()
	if err != nil {
		return err
	}
	if c.args.DryRun {
		return errorf("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
	}
	c.answer(http.StatusOK, out)
	return nil
}

func (c *call) perform() (fields, error) {
	if err := c.args.check(); err != nil {
		return nil, err
	}
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	return operations[c.Op](c)
}

// answer writes v as JSON, nothing if it is nil.
func (c *call) answer(status int, v fields) {
	var data []byte
	if v != nil {
		data, _ = json.Marshal(v) // of types that can be
	}
	c.Header().Set("X-Amzn-Requestid", c.requestUUID())
	c.Header().Set("Content-Type", "application/x-amz-json-1.1")
	c.Header().Set("Content-Length", strconv.Itoa(len(data)))
	c.WriteHeader(status)
	c.Write(data)
}

// requestUUID is the request id in the form that KMS gives it.
func (c *call) requestUUID() string {
	id := strings.ToLower(c.ID)
	return fmt.Sprintf("%s-%s-4000-8000-%s", id[:8], id[8:12], id[4:])
}

// Fail writes the error as the JSON services have it.
func (c *call) Fail(err *service.Error) {
	c.answer(err.Status, fields{"__type": err.Code, "message": err.Message})
}

// Translate spells errors as the JSON services do.
func (c *call) Translate(err error) *service.Error { return service.Translate(err, spellings) }

var spellings = map[error]*service.Error{
	service.ErrThrottled: errorf("ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."),
	sigv4.ErrMissing:     errorf("MissingAuthenticationTokenException", "Missing Authentication Token"),
	iam.ErrAccessKey:     errorf("UnrecognizedClientException", "The security token included in the request is invalid."),
	iam.ErrToken:         errorf("UnrecognizedClientException", "The security token included in the request is invalid."),
	iam.ErrExpired:       errorf("ExpiredTokenException", "The security token included in the request is expired"),
	sigv4.ErrMismatch:    errorf("InvalidSignatureException", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method."),
	sigv4.ErrSkewed:      errorf("InvalidSignatureException", "Signature expired: the difference to the current time is more than 15 minutes"),
	sigv4.ErrUnsupported: errorf("IncompleteSignatureException", "%v", sigv4.ErrUnsupported),
	sigv4.ErrMalformed:   errorf("IncompleteSignatureException", "%v", sigv4.ErrMalformed),
	sigv4.ErrExpires:     errorf("IncompleteSignatureException", "%v", sigv4.ErrExpires),
}

func errorf(code, format string, args ...any) *service.Error {
	return service.Errorf(http.StatusBadRequest, code, format, args...)
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
	Rotation    int       `json:",omitempty"` // period in days; 0: the material is not rotated
	Shared      []string  `json:",omitempty"` // accounts that the key's policy lets in
}

func arn(region, account, resource string) string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:%s", region, account, resource)
}

func (key *kmsKey) arn() string { return arn(key.Region, key.Account, "key/"+key.ID) }

// alias returns the ARN of an alias, alias/NAME, beside the key.
func (key *kmsKey) alias(name string) string { return arn(key.Region, key.Account, name) }

// Options are what a Handler is made with.
type Options struct {
	Principals *iam.Principals  // who may sign requests; must be set
	Now        func() time.Time // the server's clock; nil: the machine's
	Dir        *os.Root         // keeps keys and aliases; nil: they are kept in memory
}

// A Handler is an emulated KMS, in all regions and for all accounts. The key of
// an alias/microsecrets-… that is not there is made on first use.
type Handler struct {
	principals *iam.Principals
	now        func() time.Time
	dir        *os.Root

	mu      sync.Mutex
	auto    bool               // make keys on first use
	keys    map[string]*kmsKey // by ARN
	aliases map[string]string  // alias ARN to the id of a key
}

// New returns a Handler, with what is kept in o.Dir.
func New(o Options) (*Handler, error) {
	if o.Now == nil {
		o.Now = func() time.Time { return time.Now().UTC() }
	}
	h := &Handler{principals: o.Principals, now: o.Now, dir: o.Dir, auto: true, keys: map[string]*kmsKey{}, aliases: map[string]string{}}
	return h, h.load()
}

// ServeHTTP answers a request of KMS's JSON protocol.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Call: service.NewCall(w, r), h: h}
	c.Serve(c, h.principals, h.now())
}

// Operations returns the names of the operations that there are, as the SDKs
// call them.
func Operations() []string { return slices.Collect(maps.Keys(operations)) }

// A call is one request to KMS.
type call struct {
	*service.Call
	h    *Handler
	args input
}

type file struct {
	Keys    map[string]*kmsKey
	Aliases map[string]string
}

// resolve finds the key that id names (an id, an ARN, an alias, an alias ARN)
// for the caller, and checks that the caller may do the operation with it. It
// makes the key of an alias/microsecrets-… for operations that use keys.
func (c *call) resolve(id string) (*kmsKey, error) {
	if id == "" {
		return nil, errorf("ValidationException", "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	region, account, name := c.Sig.Region, c.Caller.Account, id
	if strings.HasPrefix(id, "arn:") {
		parts := strings.SplitN(id, ":", 6)
		if len(parts) != 6 || parts[2] != "kms" || parts[4] == "" {
			return nil, errorf("InvalidArnException", "Invalid arn %s", id)
		}
		if parts[3] != region {
			return nil, errorf("NotFoundException", "Invalid arn %s", parts[3])
		}
		account, name = parts[4], parts[5]
	}
	key, err := c.find(region, account, name)
	if account != c.Caller.Account && (key == nil || !slices.Contains(key.Shared, c.Caller.Account)) {
		return nil, errorf("AccessDeniedException", "User: %s is not authorized to perform: kms:%s on resource: %s because no resource-based policy allows the kms:%s action",
			c.Caller.ARN(), c.Op, id, c.Op)
	}
	if err != nil {
		return nil, err
	}
	delete(c.Context, "kms:requestalias")
	if strings.HasPrefix(name, "alias/") {
		c.Context["kms:requestalias"] = []string{name}
	}
	return key, c.permit(key)
}

func (c *call) find(region, account, name string) (*kmsKey, error) {
	if strings.HasPrefix(name, "alias/") {
		alias := arn(region, account, name)
		id, ok := c.h.aliases[alias]
		if !ok && c.h.auto && account == c.Caller.Account && strings.HasPrefix(name, autoKeyPrefix) && autoOperations[c.Op] {
			key := c.h.newKey(region, account, false)
			c.h.aliases[alias] = key.ID
			return key, c.h.save()
		}
		if !ok {
			return nil, errorf("NotFoundException", "Alias %s is not found.", alias)
		}
		name = id
	}
	keyARN := arn(region, account, "key/"+strings.TrimPrefix(name, "key/"))
	if key := c.h.keys[keyARN]; key != nil {
		return key, nil
	}
	return nil, errorf("NotFoundException", "Key '%s' does not exist", keyARN)
}

// autoOperations are those on whose first use the key of an
// alias/microsecrets-… is made. Decrypt is not among them: nothing can have
// been encrypted under a key that is not there. Nor is DescribeKey: whoever looks
// whether a key is there shall not make it.
var autoOperations = map[string]bool{"GenerateDataKey": true, "Encrypt": true}

// permit checks the caller's policy for the operation on key.
func (c *call) permit(key *kmsKey) error {
	aliases := c.h.aliasesOf(key)
	c.Context["kms:resourcealiases"] = aliases
	names := append(slices.Clone(c.Names), key.ID)
	for _, name := range aliases {
		names = append(names, name, key.alias(name))
	}
	return c.allow(key.arn(), names)
}

// aliasesOf returns the key's aliases, alias/NAME, sorted.
func (h *Handler) aliasesOf(key *kmsKey) (names []string) {
	for _, alias := range slices.Sorted(maps.Keys(h.aliases)) {
		if name, ok := strings.CutPrefix(alias, key.alias("")); ok && h.aliases[alias] == key.ID {
			names = append(names, name)
		}
	}
	return names
}

// allow checks the caller's policies for the operation on a resource.
func (c *call) allow(arn string, names []string) error {
	if err := c.Allow("kms:"+c.Op, arn, names); err != nil {
		return errorf("AccessDeniedException", "%v", err)
	}
	return nil
}

// setEncryptionContext makes a context what policies can test. IAM ignores case
// in the names of its condition keys, so that two pairs can share one.
func (c *call) setEncryptionContext(context map[string]string) {
	maps.DeleteFunc(c.Context, func(key string, _ []string) bool { return strings.HasPrefix(key, "kms:encryptioncontext") })
	for _, name := range slices.Sorted(maps.Keys(context)) {
		key := "kms:encryptioncontext:" + strings.ToLower(name)
		c.Context[key] = append(c.Context[key], context[name])
		c.Context["kms:encryptioncontextkeys"] = append(c.Context["kms:encryptioncontextkeys"], name)
	}
}

// usable fails unless the key can be used to encrypt and decrypt now.
func (key *kmsKey) usable() error {
	switch {
	case key.State == keyDisabled:
		return errorf("DisabledException", "%s is disabled.", key.arn())
	case key.State != keyEnabled:
		return errorf("KMSInvalidStateException", "%s is pending deletion.", key.arn())
	case key.Usage != usageEncrypt:
		return errorf("InvalidKeyUsageException", "%s key usage is %s which is not valid for this operation.", key.arn(), key.Usage)
	}
	return nil
}

// materialSize is the size of a key's material, in bytes.
const materialSize = 32

// keysFile keeps the keys, with their material, and the aliases.
const keysFile = "kms.json"

func (h *Handler) load() error {
	if h.dir == nil {
		return nil
	}
	data, err := h.dir.ReadFile(keysFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		kept := file{h.keys, h.aliases}
		err = json.Unmarshal(data, &kept)
		h.keys, h.aliases = kept.Keys, kept.Aliases
	}
	for arn, key := range h.keys {
		if key == nil || key.arn() != arn || len(key.Material) != materialSize {
			err = cmp.Or(err, fmt.Errorf("no key of %q", arn))
		}
	}
	if err == nil && (h.keys == nil || h.aliases == nil) {
		err = errors.New("no keys, or no aliases")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", keysFile, err)
	}
	return nil
}

func (h *Handler) save() error {
	if h.dir == nil {
		return nil
	}
	data, err := json.MarshalIndent(file{h.keys, h.aliases}, "", "	")
	if err != nil {
		return err
	}
	f, err := service.ReplaceFile(h.dir, keysFile, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return f.Close()
}
