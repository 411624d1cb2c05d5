package fakeaws

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The verbs of the control language for keys of KMS.

func (l *line) doKey() (string, error) {
	sub := l.next("the kind of action")
	k := l.s.kms
	k.mu.Lock()
	defer k.mu.Unlock()
	switch sub {
	case "create":
		return l.createKey(k)
	case "list":
		return k.list(), nil
	case "alias":
		name := l.next("alias/NAME")
		key, err := k.keyFor(l.next("KEY"))
		if !l.end() || err != nil {
			return "", err
		}
		k.aliases[aliasARN(key.Region, key.Account, name)] = key.ID
		return "", k.save()
	}
	key, err := k.keyFor(l.next("KEY"))
	if l.err != nil || err != nil {
		return "", err
	}
	switch sub {
	case "arn":
		return key.arn() + "\n", nil
	case "enable":
		key.State = keyEnabled
	case "disable", "cancel":
		key.State = keyDisabled
	case "delete":
		key.State, key.Deletion = keyPending, k.now().AddDate(0, 0, 30)
	case "remove":
		delete(k.keys, key.arn())
	case "share":
		key.Shared = append(key.Shared, l.next("ACCOUNT"))
	case "replicate":
		replica := *key
		replica.Region = l.next("REGION")
		if !key.MultiRegion {
			l.fail("%s is no multi-region key", key.arn())
		}
		if !l.end() {
			return "", nil
		}
		k.keys[replica.arn()] = &replica
		return replica.arn() + "\n", k.save()
	default:
		l.fail("unknown action %q", sub)
	}
	if !l.end() {
		return "", nil
	}
	return "", k.save()
}

func (l *line) createKey(k *kms) (string, error) {
	region, account := l.option("region", DefaultRegion), l.option("account", DefaultAccount)
	usage, multi := l.option("usage", usageEncrypt), l.flag("multi")
	alias := l.maybe("")
	if alias != "" && !strings.HasPrefix(alias, "alias/") {
		l.fail("an alias begins with alias/")
	}
	if !l.end() {
		return "", nil
	}
	key := k.createKeyLocked(region, account, multi)
	key.Usage = usage
	if alias != "" {
		k.aliases[aliasARN(region, account, alias)] = key.ID
	}
	return key.arn() + "\n", k.save()
}

func (k *kms) list() string {
	var b strings.Builder
	for _, arn := range slices.Sorted(maps.Keys(k.keys)) {
		key := k.keys[arn]
		fmt.Fprintf(&b, "%s %s", arn, key.State)
		for _, alias := range slices.Sorted(maps.Keys(k.aliases)) {
			if name, ok := strings.CutPrefix(alias, aliasARN(key.Region, key.Account, "")); ok && k.aliases[alias] == key.ID {
				b.WriteString(" " + name)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (l *line) doAuto() (string, error) {
	word := l.next("on or off")
	if word != "on" && word != "off" {
		l.fail("%q is neither on nor off", word)
	}
	if !l.end() {
		return "", nil
	}
	l.s.kms.mu.Lock()
	defer l.s.kms.mu.Unlock()
	l.s.kms.auto = word == "on"
	return "", nil
}
