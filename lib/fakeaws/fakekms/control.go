package fakekms

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"microsecrets/lib/fakeaws/iam"
	"microsecrets/lib/fakeaws/internal/control"
)

// Help describes the verbs of Control.
const Help = `Keys of KMS (KEY: id, ARN, or alias/… in us-east-1)
  key create [alias/NAME] [region=R] [account=A] [multi] [usage=U]   prints its ARN
  key arn KEY             prints its ARN
  key list                ARN STATE ALIASES
  key enable|disable|delete|cancel|remove KEY      delete: pending; remove: gone
  key alias alias/NAME KEY         point an alias at a key
  key replicate KEY REGION         of a multi-region key, prints the ARN
  key share KEY ACCOUNT   let another account use it
  auto on|off             make alias/microsecrets-… keys on first use
`

var verbs = map[string]func(*Handler, *control.Line) (string, error){"key": (*Handler).doKey, "auto": (*Handler).doAuto}

// Control runs a line of the control language, split into words, and returns
// what it prints.
func (h *Handler) Control(dir string, words ...string) (string, error) {
	return control.Run(verbs, h, dir, words)
}

func (h *Handler) doKey(l *control.Line) (string, error) {
	sub := l.Next("the kind of action")
	h.mu.Lock()
	defer h.mu.Unlock()
	switch sub {
	case "create":
		return h.doCreateKey(l)
	case "list":
		return h.list(), nil
	case "alias":
		name := l.Next("alias/NAME")
		key, err := h.keyFor(l.Next("KEY"))
		if !l.End() || err != nil {
			return "", err
		}
		h.aliases[aliasARN(key.Region, key.Account, name)] = key.ID
		return "", h.save()
	}
	key, err := h.keyFor(l.Next("KEY"))
	if err != nil {
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
		key.State, key.Deletion = keyPending, h.now().AddDate(0, 0, 30)
	case "remove":
		delete(h.keys, key.arn())
	case "share":
		key.Shared = append(key.Shared, l.Next("ACCOUNT"))
	case "replicate":
		replica := *key
		replica.Region = l.Next("REGION")
		if !key.MultiRegion {
			l.Fail("%s is no multi-region key", key.arn())
		}
		if !l.End() {
			return "", nil
		}
		h.keys[replica.arn()] = &replica
		return replica.arn() + "\n", h.save()
	default:
		l.Fail("unknown action %q", sub)
	}
	if !l.End() {
		return "", nil
	}
	return "", h.save()
}

func (h *Handler) doCreateKey(l *control.Line) (string, error) {
	region, account := l.Option("region", DefaultRegion), l.Option("account", iam.DefaultAccount)
	usage, multi := l.Option("usage", usageEncrypt), l.Flag("multi")
	alias := l.Maybe("")
	if alias != "" && !strings.HasPrefix(alias, "alias/") {
		l.Fail("an alias begins with alias/")
	}
	if !l.End() {
		return "", nil
	}
	key := h.createKeyLocked(region, account, multi)
	key.Usage = usage
	if alias != "" {
		h.aliases[aliasARN(region, account, alias)] = key.ID
	}
	return key.arn() + "\n", h.save()
}

func (h *Handler) list() string {
	var b strings.Builder
	for _, arn := range slices.Sorted(maps.Keys(h.keys)) {
		key := h.keys[arn]
		fmt.Fprintf(&b, "%s %s", arn, key.State)
		for _, alias := range slices.Sorted(maps.Keys(h.aliases)) {
			if name, ok := strings.CutPrefix(alias, aliasARN(key.Region, key.Account, "")); ok && h.aliases[alias] == key.ID {
				b.WriteString(" " + name)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (h *Handler) doAuto(l *control.Line) (string, error) {
	word := l.Next("on or off")
	if word != "on" && word != "off" {
		l.Fail("%q is neither on nor off", word)
	}
	if !l.End() {
		return "", nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.auto = word == "on"
	return "", nil
}
