package fakekms

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"microsecrets/lib/fakeaws/iam"
)

// newKey makes an enabled key; the caller saves.
func (h *Handler) newKey(region, account string) *kmsKey {
	key := &kmsKey{ID: newKeyID(false), Region: region, Account: account, Material: make([]byte, 32),
		State: keyEnabled, Usage: usageEncrypt, Created: h.now()}
	rand.Read(key.Material)
	h.keys[key.arn()] = key
	return key
}

// keyMetadata is a key as CreateKey and DescribeKey report it; times are
// seconds since 1970.
type keyMetadata struct {
	AWSAccountId             string
	KeyId                    string
	Arn                      string
	CreationDate             float64
	Enabled                  bool
	Description              string
	KeyUsage                 string
	KeyState                 string
	DeletionDate             float64 `json:",omitempty"`
	Origin                   string
	KeyManager               string
	KeySpec                  string
	CustomerMasterKeySpec    string
	EncryptionAlgorithms     []string `json:",omitempty"`
	MultiRegion              bool
	MultiRegionConfiguration *multiRegionConfiguration `json:",omitempty"`
}

type multiRegionConfiguration struct {
	MultiRegionKeyType string
	PrimaryKey         multiRegionKey
	ReplicaKeys        []multiRegionKey
}

type multiRegionKey struct{ Arn, Region string }

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (h *Handler) metadata(key *kmsKey) keyMetadata {
	m := keyMetadata{AWSAccountId: key.Account, KeyId: key.ID, Arn: key.arn(), CreationDate: seconds(key.Created),
		Enabled: key.State == keyEnabled, Description: key.Description, KeyUsage: key.Usage, KeyState: key.State, Origin: "AWS_KMS",
		KeyManager: "CUSTOMER", KeySpec: "SYMMETRIC_DEFAULT", CustomerMasterKeySpec: "SYMMETRIC_DEFAULT", MultiRegion: key.MultiRegion}
	if key.Usage == usageEncrypt {
		m.EncryptionAlgorithms = []string{"SYMMETRIC_DEFAULT"}
	} else {
		m.KeySpec, m.CustomerMasterKeySpec = "HMAC_256", "HMAC_256"
	}
	if key.State == keyPending {
		m.DeletionDate = seconds(key.Deletion)
	}
	if !key.MultiRegion {
		return m
	}
	conf := &multiRegionConfiguration{MultiRegionKeyType: "REPLICA"}
	if key.Region == key.Primary {
		conf.MultiRegionKeyType = "PRIMARY"
	}
	for _, arn := range slices.Sorted(maps.Keys(h.keys)) {
		switch other := h.keys[arn]; {
		case other.ID != key.ID || other.Account != key.Account:
		case other.Region == key.Primary:
			conf.PrimaryKey = multiRegionKey{arn, other.Region}
		default:
			conf.ReplicaKeys = append(conf.ReplicaKeys, multiRegionKey{arn, other.Region})
		}
	}
	m.MultiRegionConfiguration = conf
	return m
}

type keyOutput struct{ KeyMetadata keyMetadata }

func (h *Handler) createKey(c *call) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := c.allow("*", c.Names); err != nil {
		return nil, err
	}
	a := c.args
	usage := usageEncrypt
	switch spec := a.KeySpec + a.CustomerMasterKeySpec; {
	case a.KeyUsage == "GENERATE_VERIFY_MAC" && spec == "HMAC_256":
		usage = a.KeyUsage
	case a.KeyUsage != "" && a.KeyUsage != usageEncrypt, spec != "" && spec != "SYMMETRIC_DEFAULT":
		return nil, errorf("UnsupportedOperationException", "this emulator has only symmetric keys for encryption, and HMAC_256 keys")
	}
	key := h.createKeyLocked(c.Sig.Region, c.Caller.Account, a.MultiRegion)
	key.Usage, key.Description = usage, a.Description
	return keyOutput{h.metadata(key)}, h.save()
}

func (h *Handler) createKeyLocked(region, account string, multiRegion bool) *kmsKey {
	key := h.newKey(region, account)
	if multiRegion {
		delete(h.keys, key.arn())
		key.ID, key.MultiRegion, key.Primary = newKeyID(true), true, region
		h.keys[key.arn()] = key
	}
	return key
}

func (h *Handler) describeKey(c *call) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key, err := h.resolve(c, c.args.KeyId)
	if err != nil {
		return nil, err
	}
	return keyOutput{h.metadata(key)}, nil
}

// paginate returns the entries after the call's marker, as many as its limit
// allows, and the next marker, "" at the end.
func paginate[E any](c *call, entries []E, name func(E) string) ([]E, string, error) {
	limit := 100
	if c.args.Limit != nil {
		if limit = *c.args.Limit; limit < 1 || limit > 1000 {
			return nil, "", errorf("ValidationException", "Limit must be between 1 and 1000")
		}
	}
	start := 0
	for start < len(entries) && name(entries[start]) <= c.args.Marker {
		start++
	}
	entries = entries[start:]
	if len(entries) <= limit {
		return entries, "", nil
	}
	return entries[:limit], name(entries[limit-1]), nil
}

func (h *Handler) listKeys(c *call) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := c.allow("*", c.Names); err != nil {
		return nil, err
	}
	type entry struct{ KeyId, KeyArn string }
	entries := []entry{}
	for _, arn := range slices.Sorted(maps.Keys(h.keys)) {
		if key := h.keys[arn]; key.Region == c.Sig.Region && key.Account == c.Caller.Account {
			entries = append(entries, entry{key.ID, arn})
		}
	}
	entries, next, err := paginate(c, entries, func(e entry) string { return e.KeyArn })
	return struct {
		Keys       []entry
		Truncated  bool
		NextMarker string `json:",omitempty"`
	}{entries, next != "", next}, err
}

func (h *Handler) listAliases(c *call) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := c.allow("*", c.Names); err != nil {
		return nil, err
	}
	type entry struct {
		AliasName, AliasArn, TargetKeyId string
	}
	entries := []entry{}
	prefix := aliasARN(c.Sig.Region, c.Caller.Account, "")
	for _, arn := range slices.Sorted(maps.Keys(h.aliases)) {
		name, ours := strings.CutPrefix(arn, prefix)
		if ours && (c.args.KeyId == "" || strings.HasSuffix(c.args.KeyId, h.aliases[arn])) {
			entries = append(entries, entry{name, arn, h.aliases[arn]})
		}
	}
	entries, next, err := paginate(c, entries, func(e entry) string { return e.AliasArn })
	return struct {
		Aliases    []entry
		Truncated  bool
		NextMarker string `json:",omitempty"`
	}{entries, next != "", next}, err
}

func (h *Handler) createAlias(c *call) (any, error) { return nil, h.setAlias(c, true) }
func (h *Handler) updateAlias(c *call) (any, error) { return nil, h.setAlias(c, false) }

func (h *Handler) setAlias(c *call, create bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := c.args.AliasName
	if len(name) <= len("alias/") || len(name) > 256 || !strings.HasPrefix(name, "alias/") || strings.Trim(name[6:], aliasCharacters) != "" {
		return errorf("ValidationException", "1 validation error detected: Value at 'aliasName' failed to satisfy constraint")
	}
	if strings.HasPrefix(name, "alias/aws/") {
		return errorf("InvalidAliasNameException", "Alias must not begin with alias/aws/")
	}
	key, err := h.resolve(c, c.args.TargetKeyId)
	if err != nil {
		return err
	}
	arn := aliasARN(c.Sig.Region, c.Caller.Account, name)
	if err := c.allow(arn, []string{name}); err != nil {
		return err
	}
	switch _, exists := h.aliases[arn]; {
	case exists && create:
		return errorf("AlreadyExistsException", "An alias with the name %s already exists", arn)
	case !exists && !create:
		return errorf("NotFoundException", "Alias %s is not found.", arn)
	}
	h.aliases[arn] = key.ID
	return h.save()
}

const aliasCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_-"

// keyFor returns the key that the control language names: an id, an ARN, or an
// alias in the default region and account.
func (h *Handler) keyFor(name string) (*kmsKey, error) {
	arn := name
	for alias, id := range h.aliases {
		if name == alias || alias == aliasARN(DefaultRegion, iam.DefaultAccount, name) {
			arn = alias[:strings.LastIndex(alias, ":alias/")] + ":key/" + id
		}
	}
	for _, key := range h.keys {
		if arn == key.arn() || arn == key.ID {
			return key, nil
		}
	}
	return nil, fmt.Errorf("no key %q", name)
}
