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
func (h *Handler) newKey(region, account string, multiRegion bool) *kmsKey {
	key := &kmsKey{ID: newKeyID(multiRegion), Region: region, Account: account, Material: make([]byte, materialSize),
		State: keyEnabled, Usage: usageEncrypt, Created: h.now(), MultiRegion: multiRegion}
	if multiRegion {
		key.Primary = region
	}
	rand.Read(key.Material)
	h.keys[key.arn()] = key
	return key
}

// newKeyID returns a UUID, or for a multi-region key mrk- and 32 hexadecimal
// digits.
func newKeyID(multiRegion bool) string {
	var b [16]byte
	rand.Read(b[:])
	if multiRegion {
		return fmt.Sprintf("mrk-%x", b)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// seconds since 1970, as KMS gives times.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// metadata is a key as CreateKey and DescribeKey report it.
func (h *Handler) metadata(key *kmsKey) fields {
	m := fields{"AWSAccountId": key.Account, "KeyId": key.ID, "Arn": key.arn(), "CreationDate": seconds(key.Created),
		"Enabled": key.State == keyEnabled, "Description": key.Description, "KeyUsage": key.Usage, "KeyState": key.State,
		"Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "MultiRegion": key.MultiRegion}
	spec := "HMAC_256"
	if key.Usage == usageEncrypt {
		spec = symmetric
		m["EncryptionAlgorithms"] = []string{symmetric}
	}
	m["KeySpec"], m["CustomerMasterKeySpec"] = spec, spec
	if key.State == keyPending {
		m["DeletionDate"] = seconds(key.Deletion)
	}
	if key.MultiRegion {
		m["MultiRegionConfiguration"] = h.family(key)
	}
	return fields{"KeyMetadata": m}
}

// family is the primary key and the replicas of a multi-region key.
func (h *Handler) family(key *kmsKey) fields {
	conf := fields{"MultiRegionKeyType": "REPLICA"}
	if key.Region == key.Primary {
		conf["MultiRegionKeyType"] = "PRIMARY"
	}
	replicas := []fields{}
	for _, arn := range slices.Sorted(maps.Keys(h.keys)) {
		other := h.keys[arn]
		names := fields{"Arn": arn, "Region": other.Region}
		switch {
		case other.ID != key.ID || other.Account != key.Account:
		case other.Region == key.Primary:
			conf["PrimaryKey"] = names
		default:
			replicas = append(replicas, names)
		}
	}
	conf["ReplicaKeys"] = replicas
	return conf
}

func (c *call) createKey() (fields, error) {
	if err := c.allow("*", c.Names); err != nil {
		return nil, err
	}
	a := c.args
	usage := usageEncrypt
	switch spec := a.KeySpec + a.CustomerMasterKeySpec; {
	case a.KeyUsage == "GENERATE_VERIFY_MAC" && spec == "HMAC_256":
		usage = a.KeyUsage
	case a.KeyUsage != "" && a.KeyUsage != usageEncrypt, spec != "" && spec != symmetric:
		return nil, errorf("UnsupportedOperationException", "this emulator has only symmetric keys for encryption, and HMAC_256 keys")
	}
	key := c.h.newKey(c.Sig.Region, c.Caller.Account, a.MultiRegion)
	key.Usage, key.Description = usage, a.Description
	return c.h.metadata(key), c.h.save()
}

func (c *call) describeKey() (fields, error) {
	key, err := c.resolve(c.args.KeyId)
	if err != nil {
		return nil, err
	}
	return c.h.metadata(key), nil
}

// rotationPeriod is how many days KMS takes where none is asked for.
const rotationPeriod = 365

// enableKeyRotation is for keys of KMS's own material, and of a multi-region key
// for the primary, whose rotation all replicas share.
func (c *call) enableKeyRotation() (fields, error) {
	key, err := c.resolve(c.args.KeyId)
	if err != nil {
		return nil, err
	}
	days := rotationPeriod
	if c.args.RotationPeriodInDays != nil {
		days = *c.args.RotationPeriodInDays
	}
	switch {
	case key.Usage != usageEncrypt, key.MultiRegion && key.Region != key.Primary:
		return nil, errorf("UnsupportedOperationException", "")
	case days < 90 || days > 2560:
		return nil, errorf("ValidationException", "RotationPeriodInDays must be between 90 and 2560")
	}
	if err := key.usable(); err != nil {
		return nil, err
	}
	for _, other := range c.h.keys {
		if other.ID == key.ID && other.Account == key.Account {
			other.Rotation = days
		}
	}
	return nil, c.h.save()
}

func (c *call) getKeyRotationStatus() (fields, error) {
	key, err := c.resolve(c.args.KeyId)
	switch {
	case err != nil:
		return nil, err
	case key.Usage != usageEncrypt:
		return nil, errorf("UnsupportedOperationException", "")
	case key.State == keyPending:
		return nil, errorf("KMSInvalidStateException", "%s is pending deletion.", key.arn())
	}
	out := fields{"KeyId": key.arn(), "KeyRotationEnabled": key.Rotation > 0}
	if key.Rotation > 0 {
		out["RotationPeriodInDays"] = key.Rotation
	}
	return out, nil
}

// paginate answers, under the name field, with the entries after the call's
// marker, as many as its limit allows. Their names are in order.
func paginate[E any](c *call, field string, entries []E, name func(E) string) (fields, error) {
	limit := 100
	if c.args.Limit != nil {
		if limit = *c.args.Limit; limit < 1 || limit > 1000 {
			return nil, errorf("ValidationException", "Limit must be between 1 and 1000")
		}
	}
	entries = slices.DeleteFunc(entries, func(e E) bool { return name(e) <= c.args.Marker })
	out := fields{field: entries, "Truncated": false}
	if len(entries) > limit {
		out[field], out["Truncated"], out["NextMarker"] = entries[:limit], true, name(entries[limit-1])
	}
	return out, nil
}

func (c *call) listKeys() (fields, error) {
	if err := c.allow("*", c.Names); err != nil {
		return nil, err
	}
	type entry struct{ KeyId, KeyArn string }
	entries := []entry{}
	for _, arn := range slices.Sorted(maps.Keys(c.h.keys)) {
		if key := c.h.keys[arn]; key.Region == c.Sig.Region && key.Account == c.Caller.Account {
			entries = append(entries, entry{key.ID, arn})
		}
	}
	return paginate(c, "Keys", entries, func(e entry) string { return e.KeyArn })
}

func (c *call) listAliases() (fields, error) {
	if err := c.allow("*", c.Names); err != nil {
		return nil, err
	}
	type entry struct{ AliasName, AliasArn, TargetKeyId string }
	entries := []entry{}
	for _, alias := range slices.Sorted(maps.Keys(c.h.aliases)) {
		name, ours := strings.CutPrefix(alias, arn(c.Sig.Region, c.Caller.Account, ""))
		if id := c.h.aliases[alias]; ours && (c.args.KeyId == "" || strings.HasSuffix(c.args.KeyId, id)) {
			entries = append(entries, entry{name, alias, id})
		}
	}
	return paginate(c, "Aliases", entries, func(e entry) string { return e.AliasArn })
}

const aliasCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_-"

// setAlias is CreateAlias and UpdateAlias.
func (c *call) setAlias() (fields, error) {
	name := c.args.AliasName
	if rest, ok := strings.CutPrefix(name, "alias/"); !ok || rest == "" || len(name) > 256 || strings.Trim(rest, aliasCharacters) != "" {
		return nil, errorf("ValidationException", "1 validation error detected: Value at 'aliasName' failed to satisfy constraint")
	}
	if strings.HasPrefix(name, "alias/aws/") {
		return nil, errorf("InvalidAliasNameException", "Alias must not begin with alias/aws/")
	}
	key, err := c.resolve(c.args.TargetKeyId)
	if err != nil {
		return nil, err
	}
	alias := arn(c.Sig.Region, c.Caller.Account, name)
	if err := c.allow(alias, []string{name}); err != nil {
		return nil, err
	}
	switch _, exists := c.h.aliases[alias]; {
	case exists && c.Op == "CreateAlias":
		return nil, errorf("AlreadyExistsException", "An alias with the name %s already exists", alias)
	case !exists && c.Op == "UpdateAlias":
		return nil, errorf("NotFoundException", "Alias %s is not found.", alias)
	}
	c.h.aliases[alias] = key.ID
	return nil, c.h.save()
}

// keyFor returns the key that the control language names: an id, an ARN, or an
// alias in the default region and account.
func (h *Handler) keyFor(name string) (*kmsKey, error) {
	for _, key := range h.keys {
		if name == key.arn() || name == key.ID {
			return key, nil
		}
		for _, alias := range h.aliasesOf(key) {
			if name == key.alias(alias) || key.alias(alias) == arn(DefaultRegion, iam.DefaultAccount, name) {
				return key, nil
			}
		}
	}
	return nil, fmt.Errorf("no key %q", name)
}
