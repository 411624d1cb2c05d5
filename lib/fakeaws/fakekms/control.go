package fakekms

import (
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

var verbs = map[string]func(*Handler, *control.Line){"key": (*Handler).doKey, "auto": (*Handler).doAuto}

// Control runs a line of the control language, split into words, and returns
// what it prints.
func (h *Handler) Control(dir string, words ...string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return control.Run(verbs, h, dir, words)
}

func (h *Handler) doKey(l *control.Line) {
	action := l.Next("the kind of action")
	switch action {
	case "create":
		h.doCreateKey(l)
		return
	case "list":
		l.End()
		h.list(l)
		return
	}
	alias := ""
	if action == "alias" {
		alias = l.Next("alias/NAME")
	}
	key, err := h.keyFor(l.Next("KEY"))
	l.Check(err)
	switch action {
	case "arn":
		l.Printf("%s\n", key.arn())
	case "alias":
		h.aliases[key.alias(alias)] = key.ID
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
		if !key.MultiRegion {
			l.Fail("%s is no multi-region key", key.arn())
		}
		replica := *key
		replica.Region = l.Next("REGION")
		h.keys[replica.arn()] = &replica
		l.Printf("%s\n", replica.arn())
	default:
		l.Fail("unknown action %q", action)
	}
	l.End()
	l.Check(h.save())
}

func (h *Handler) doCreateKey(l *control.Line) {
	region, account := l.Option("region", DefaultRegion), l.Option("account", iam.DefaultAccount)
	usage, multi := l.Option("usage", usageEncrypt), l.Flag("multi")
	alias := l.Maybe("")
	if alias != "" && !strings.HasPrefix(alias, "alias/") {
		l.Fail("an alias begins with alias/")
	}
	l.End()
	key := h.newKey(region, account, multi)
	key.Usage = usage
	if alias != "" {
		h.aliases[key.alias(alias)] = key.ID
	}
	l.Printf("%s\n", key.arn())
	l.Check(h.save())
}

func (h *Handler) list(l *control.Line) {
	for _, arn := range slices.Sorted(maps.Keys(h.keys)) {
		key := h.keys[arn]
		l.Printf("%s\n", strings.Join(append([]string{arn, key.State}, h.aliasesOf(key)...), " "))
	}
}

func (h *Handler) doAuto(l *control.Line) {
	word := l.Next("on or off")
	if word != "on" && word != "off" {
		l.Fail("%q is neither on nor off", word)
	}
	l.End()
	h.auto = word == "on"
}
