package fakeaws

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// newKey makes an enabled key; the caller saves.
func (k *kms) newKey(region, account string) *kmsKey {
	key := &kmsKey{ID: newKeyID(false), Region: region, Account: account, Material: make([]byte, 32),
		State: keyEnabled, Usage: usageEncrypt, Created: k.now()}
	rand.Read(key.Material)
	k.keys[key.arn()] = key
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

func (k *kms) metadata(key *kmsKey) keyMetadata {
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
	for _, arn := range slices.Sorted(maps.Keys(k.keys)) {
		switch other := k.keys[arn]; {
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

func (k *kms) createKey(c *call) (any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.permitAny(c); err != nil {
		return nil, err
	}
	a := c.args
	usage := usageEncrypt
	switch spec := a.KeySpec + a.CustomerMasterKeySpec; {
	case a.KeyUsage == "GENERATE_VERIFY_MAC" && spec == "HMAC_256":
		usage = a.KeyUsage
	case a.KeyUsage != "" && a.KeyUsage != usageEncrypt, spec != "" && spec != "SYMMETRIC_DEFAULT":
		return nil, kmsError("UnsupportedOperationException", "this emulator has only symmetric keys for encryption, and HMAC_256 keys")
	}
	key := k.createKeyLocked(c.sig.region, c.who.account, a.MultiRegion)
	key.Usage, key.Description = usage, a.Description
	return keyOutput{k.metadata(key)}, k.save()
}

func (k *kms) createKeyLocked(region, account string, multiRegion bool) *kmsKey {
	key := k.newKey(region, account)
	if multiRegion {
		delete(k.keys, key.arn())
		key.ID, key.MultiRegion, key.Primary = newKeyID(true), true, region
		k.keys[key.arn()] = key
	}
	return key
}

func (k *kms) replicateKey(c *call) (any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.resolve(c, c.args.KeyId)
	if err != nil {
		return nil, err
	}
	if !key.MultiRegion || key.Region != key.Primary {
		return nil, kmsError("UnsupportedOperationException", "%s is not a multi-Region primary key.", key.arn())
	}
	replica := *key
	replica.Region, replica.Created = c.args.ReplicaRegion, k.now()
	if k.keys[replica.arn()] != nil || replica.Region == "" {
		return nil, kmsError("AlreadyExistsException", "Replica Key already exists in region %q", replica.Region)
	}
	k.keys[replica.arn()] = &replica
	return struct{ ReplicaKeyMetadata keyMetadata }{k.metadata(&replica)}, k.save()
}

func (k *kms) describeKey(c *call) (any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.resolve(c, c.args.KeyId)
	if err != nil {
		return nil, err
	}
	return keyOutput{k.metadata(key)}, nil
}

// paginate returns the entries after the call's marker, as many as its limit
// allows, and the next marker, "" at the end.
func paginate[E any](c *call, entries []E, name func(E) string) ([]E, string, error) {
	limit := 100
	if c.args.Limit != nil {
		if limit = *c.args.Limit; limit < 1 || limit > 1000 {
			return nil, "", kmsError("ValidationException", "Limit must be between 1 and 1000")
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

func (k *kms) listKeys(c *call) (any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.permitAny(c); err != nil {
		return nil, err
	}
	type entry struct{ KeyId, KeyArn string }
	entries := []entry{}
	for _, arn := range slices.Sorted(maps.Keys(k.keys)) {
		if key := k.keys[arn]; key.Region == c.sig.region && key.Account == c.who.account {
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

func (k *kms) listAliases(c *call) (any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.permitAny(c); err != nil {
		return nil, err
	}
	type entry struct {
		AliasName, AliasArn, TargetKeyId string
	}
	entries := []entry{}
	prefix := aliasARN(c.sig.region, c.who.account, "")
	for _, arn := range slices.Sorted(maps.Keys(k.aliases)) {
		name, ours := strings.CutPrefix(arn, prefix)
		if ours && (c.args.KeyId == "" || strings.HasSuffix(c.args.KeyId, k.aliases[arn])) {
			entries = append(entries, entry{name, arn, k.aliases[arn]})
		}
	}
	entries, next, err := paginate(c, entries, func(e entry) string { return e.AliasArn })
	return struct {
		Aliases    []entry
		Truncated  bool
		NextMarker string `json:",omitempty"`
	}{entries, next != "", next}, err
}

func (k *kms) createAlias(c *call) (any, error) { return nil, k.setAlias(c, true) }
func (k *kms) updateAlias(c *call) (any, error) { return nil, k.setAlias(c, false) }

func (k *kms) setAlias(c *call, create bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := c.args.AliasName
	if len(name) <= len("alias/") || len(name) > 256 || !strings.HasPrefix(name, "alias/") || strings.Trim(name[6:], aliasCharacters) != "" {
		return kmsError("ValidationException", "1 validation error detected: Value at 'aliasName' failed to satisfy constraint")
	}
	if strings.HasPrefix(name, "alias/aws/") {
		return kmsError("InvalidAliasNameException", "Alias must not begin with alias/aws/")
	}
	key, err := k.resolve(c, c.args.TargetKeyId)
	if err != nil {
		return err
	}
	arn := aliasARN(c.sig.region, c.who.account, name)
	switch _, exists := k.aliases[arn]; {
	case exists && create:
		return kmsError("AlreadyExistsException", "An alias with the name %s already exists", arn)
	case !exists && !create:
		return kmsError("NotFoundException", "Alias %s is not found.", arn)
	}
	k.aliases[arn] = key.ID
	return k.save()
}

const aliasCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_-"

func (k *kms) deleteAlias(c *call) (any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.permitAny(c); err != nil {
		return nil, err
	}
	arn := aliasARN(c.sig.region, c.who.account, c.args.AliasName)
	if _, ok := k.aliases[arn]; !ok {
		return nil, kmsError("NotFoundException", "Alias %s is not found.", arn)
	}
	delete(k.aliases, arn)
	return nil, k.save()
}

func (k *kms) enableKey(c *call) (any, error)  { return nil, k.setState(c, keyEnabled) }
func (k *kms) disableKey(c *call) (any, error) { return nil, k.setState(c, keyDisabled) }

func (k *kms) setState(c *call, state string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.resolve(c, c.args.KeyId)
	if err != nil {
		return err
	}
	if key.State == keyPending {
		return kmsError("KMSInvalidStateException", "%s is pending deletion.", key.arn())
	}
	key.State = state
	return k.save()
}

func (k *kms) scheduleKeyDeletion(c *call) (any, error) {
	days := 30
	if c.args.PendingWindowInDays != nil {
		if days = *c.args.PendingWindowInDays; days < 7 || days > 30 {
			return nil, kmsError("ValidationException", "PendingWindowInDays must be between 7 and 30")
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.resolve(c, c.args.KeyId)
	if err != nil {
		return nil, err
	}
	if key.State == keyPending {
		return nil, kmsError("KMSInvalidStateException", "%s is pending deletion.", key.arn())
	}
	key.State, key.Deletion = keyPending, k.now().AddDate(0, 0, days)
	return struct {
		KeyId, KeyState     string
		DeletionDate        float64
		PendingWindowInDays int
	}{key.arn(), key.State, seconds(key.Deletion), days}, k.save()
}

func (k *kms) cancelKeyDeletion(c *call) (any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.resolve(c, c.args.KeyId)
	if err != nil {
		return nil, err
	}
	if key.State != keyPending {
		return nil, kmsError("KMSInvalidStateException", "%s is not pending deletion.", key.arn())
	}
	key.State, key.Deletion = keyDisabled, time.Time{}
	return struct{ KeyId string }{key.arn()}, k.save()
}

// keyFor returns the key that the control language names: an id, an ARN, or an
// alias in the default region and account.
func (k *kms) keyFor(name string) (*kmsKey, error) {
	for arn, key := range k.keys {
		if name == arn || name == key.ID {
			return key, nil
		}
	}
	for arn, id := range k.aliases {
		if name == arn || arn == aliasARN(DefaultRegion, DefaultAccount, name) {
			parts := strings.SplitN(arn, ":", 6)
			return k.keys[fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", parts[3], parts[4], id)], nil
		}
	}
	return nil, fmt.Errorf("no key %q", name)
}
