package initialize

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/printable"
	"microsecrets/lib/internal/survey"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// rights are what a role may do with the secrets that a policy is for.
type rights struct {
	objects []string // actions of S3 on objects
	list    []string // actions of S3 on the bucket, where its prefix is one of theirs
	decrypt bool
	encrypt bool
	rotated bool // what is encrypted tells that it was rotated
}

// roles are what -policy takes.
var roles = map[string]rights{
	"reader": {objects: []string{"s3:GetObject"}, decrypt: true},
	"writer": {objects: []string{"s3:PutObject", "s3:AbortMultipartUpload"}, encrypt: true},
	"merger": {objects: []string{"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"}, list: []string{"s3:ListBucket"}, decrypt: true, encrypt: true},
	"lister": {list: []string{"s3:ListBucket", "s3:ListBucketVersions"}},
	"rotator": {
		objects: []string{"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:AbortMultipartUpload"},
		list:    []string{"s3:ListBucket", "s3:ListBucketVersions"},
		decrypt: true, encrypt: true, rotated: true,
	},
	"remover": {objects: []string{"s3:GetObject", "s3:DeleteObject"}},
	"admin":   {}, // see adminPolicy
}

// The keys of the encryption context that the programs write.
var (
	contextKeys = words{"ms-store", "ms-name", "ms-by", "ms-at", "ms-copied-from", "aws-crypto-public-key"}
	rotatedKeys = words{"ms-rotated-by", "ms-rotated-at"}
)

// words are a string of IAM's JSON, or several.
type words []string

// MarshalJSON is part of json.Marshaler.
func (w words) MarshalJSON() ([]byte, error) {
	if len(w) == 1 {
		return json.Marshal(w[0])
	}
	return json.Marshal([]string(w))
}

type conditions map[string]map[string]words

type statement struct {
	Effect    string
	Action    words
	Resource  words
	Condition conditions `json:",omitempty"`
}

type policy struct {
	Version   string
	Statement []statement
}

func (p *policy) allow(actions, resources words, c conditions) {
	p.Statement = append(p.Statement, statement{"Allow", actions, resources, c})
}

// A scope is what one argument stands for: every name that begins with path, which
// ends in a slash, or the one name.
type scope struct {
	path, name string
	service    string
}

// parseScope takes SERVICE, PATH/ or NAME.
func (o *options) parseScope(arg string) (scope, error) {
	checked := arg
	if !o.exact {
		checked = strings.TrimSuffix(arg, "/")
	}
	if err := secret.CheckName(checked); err != nil {
		return scope{}, err
	}
	service, _, below := strings.Cut(arg, "/")
	switch {
	case o.exact && !below:
		return scope{name: arg, service: "default"}, nil
	case o.exact || below && checked == arg:
		return scope{name: arg, service: service}, nil
	case checked == "default":
		return scope{}, hint.With(tool.Usagef(`the names of the service "default" have no path that a policy could name`), "name each: -policy "+o.role+" -exact NAME...")
	}
	return scope{path: checked + "/", service: service}, nil
}

// Names and patterns as IAM has them. Where it takes "*" and "?" for any characters,
// those of a name are escaped; "$" begins a variable everywhere.
var (
	literal = strings.NewReplacer("$", "${$}")
	quoted  = strings.NewReplacer("$", "${$}", "*", "${*}", "?", "${?}")
)

// pattern is the scope as a pattern.
func (s scope) pattern() string {
	if s.name != "" {
		return quoted.Replace(s.name)
	}
	return quoted.Replace(s.path) + "*"
}

// matching adds the condition that the value of a key is, below a prefix, in one of the
// scopes.
func (c conditions) matching(key, under string, scopes []scope) {
	operator, values := "StringEquals", words{}
	exact := !slices.ContainsFunc(scopes, func(s scope) bool { return s.path != "" })
	for _, s := range scopes {
		if exact {
			values = append(values, literal.Replace(under+s.name))
		} else {
			operator, values = "StringLike", append(values, quoted.Replace(under)+s.pattern())
		}
	}
	if c[operator] == nil {
		c[operator] = map[string]words{}
	}
	c[operator][key] = values
}

// printPolicy prints the policy of a role.
func (o *options) printPolicy(ctx context.Context, t *tool.Tool, p place, args []string) error {
	can := roles[o.role]
	if can.encrypt || o.role == "admin" {
		if err := t.CheckWritable(); err != nil {
			return err
		}
	}
	if isAlias(p.bucket) {
		return hint.With(tool.Usagef("the store is an access point's alias, which policies do not take"), "give the access point's ARN by -store")
	}
	if o.role == "admin" {
		if strings.HasPrefix(p.bucket, "arn:") {
			return hint.With(tool.Usagef("the store is an access point, which cannot be made fit"), "give the bucket behind it by -store")
		}
		return o.printAdmin(ctx, t, p, args)
	}
	var scopes []scope
	var refused tool.Failures
	for _, arg := range args {
		s, err := o.parseScope(arg)
		scopes, refused = append(scopes, s), append(refused, err)
	}
	if err := refused.Err(); err != nil {
		return err
	}
	var services []string
	for _, s := range scopes {
		services = append(services, s.service)
	}
	for _, setting := range []string{p.settings.Key, cmp.Or(o.from, p.settings.Key)} {
		if _, _, err := keysOf(setting, services); (can.decrypt || can.encrypt) && err != nil {
			return err
		}
	}
	client, err := t.Client(ctx)
	if err != nil {
		return err
	}
	w := &writer{place: p, rights: can, from: o.from, survey: survey.New(client, ""), arns: map[string]string{}}
	if err := w.build(ctx, scopes); err != nil {
		return err
	}
	return w.policy.print(t)
}

// A writer puts a policy together.
type writer struct {
	place
	rights
	from   string // further keys to read
	survey *survey.Surveyor
	arns   map[string]string // of keys, by how they are named
	policy policy
}

// bucketARN is the ARN of the bucket, or of the access point, and what comes before the
// keys of objects in the ARNs of those.
func (p place) bucketARN(region string) (bucket, objects string) {
	if strings.HasPrefix(p.bucket, "arn:") {
		return p.bucket, p.bucket + "/object/"
	}
	bucket = "arn:" + survey.Partition(region) + ":s3:::" + p.bucket
	return bucket, bucket + "/"
}

func (w *writer) build(ctx context.Context, scopes []scope) error {
	bucket, objects := w.bucketARN(w.survey.Region())
	var resources words
	for _, s := range scopes {
		resources = append(resources, objects+quoted.Replace(w.under)+s.pattern())
	}
	if w.objects != nil {
		w.policy.allow(w.objects, resources, nil)
	}
	if w.list != nil {
		c := conditions{}
		c.matching("s3:prefix", w.under, scopes)
		w.policy.allow(w.list, words{bucket}, c)
	}
	if w.decrypt || w.encrypt {
		return w.keys(ctx, scopes)
	}
	return nil
}

// keys allows the use of the keys, each for the names that are under it.
func (w *writer) keys(ctx context.Context, scopes []scope) error {
	type group struct {
		keys, from words
		scopes     []scope
	}
	var groups []*group
	var failed tool.Failures
	for _, s := range scopes {
		keys, err := w.resolve(ctx, w.settings.Key, s.service)
		failed = append(failed, err)
		var from words
		if w.from != "" {
			from, err = w.resolve(ctx, w.from, s.service)
			failed = append(failed, err)
		}
		i := slices.IndexFunc(groups, func(g *group) bool { return slices.Equal(g.keys, keys) && slices.Equal(g.from, from) })
		if i < 0 {
			i, groups = len(groups), append(groups, &group{keys: keys, from: from})
		}
		groups[i].scopes = append(groups[i].scopes, s)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := failed.Err(); err != nil {
		return err
	}
	for _, g := range groups {
		if w.decrypt {
			all := slices.Clone(g.keys)
			for _, key := range g.from {
				if !slices.Contains(all, key) {
					all = append(all, key)
				}
			}
			w.policy.allow(words{"kms:Decrypt"}, all, w.bound(g.scopes))
		}
		if !w.encrypt {
			continue
		}
		c := w.bound(g.scopes)
		names := contextKeys
		if w.rotated {
			names = slices.Concat(contextKeys, rotatedKeys)
		}
		c["ForAllValues:StringEquals"] = map[string]words{"kms:EncryptionContextKeys": names}
		w.policy.allow(words{"kms:GenerateDataKey"}, g.keys[:1], c)
		if len(g.keys) > 1 {
			w.policy.allow(words{"kms:Encrypt"}, g.keys[1:], c)
		}
	}
	return nil
}

// bound are the conditions on the encryption context: the store, and the name.
func (w *writer) bound(scopes []scope) conditions {
	c := conditions{"StringEquals": {"kms:EncryptionContext:ms-store": {literal.Replace(cmp.Or(w.origin(), w.store))}}}
	c.matching("kms:EncryptionContext:ms-name", "", scopes)
	return c
}

// origin is the store that the objects were written for, in its canonical form; empty
// where it is the store itself.
func (p place) origin() string {
	bucket, under, err := secret.SplitStore(p.settings.Origin)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix("s3://"+bucket+"/"+under, "/")
}

// resolve returns the ARNs of the keys of a setting for a service.
func (w *writer) resolve(ctx context.Context, setting, service string) (words, error) {
	ids, _, err := keysOf(setting, []string{service})
	if err != nil {
		return nil, err
	}
	var arns words
	for _, id := range ids {
		if w.arns[id] == "" {
			found := w.survey.Describe(ctx, id)
			switch {
			case errors.Is(found.Err, survey.ErrInapplicable):
				return nil, fmt.Errorf("%s: this server does not describe keys", id)
			case found.Err != nil:
				return nil, found.Err
			case found.Value == nil:
				return nil, hint.With(fmt.Errorf("%s: KMS knows no such key or alias in this account and region", printable.Line(id)), "ms-init "+service+" makes it")
			}
			w.arns[id] = found.Value.ARN
		}
		arns = append(arns, w.arns[id])
	}
	return arns, nil
}

// printAdmin prints the policy of whoever runs ms-init. It allows no use of a key.
func (o *options) printAdmin(ctx context.Context, t *tool.Tool, p place, services []string) error {
	ids, _, err := keysOf(p.settings.Key, services)
	if err != nil {
		return err
	}
	client, err := t.Client(ctx)
	if err != nil {
		return err
	}
	look := survey.New(client, p.settings.BucketOwner)
	who := look.Identity(ctx)
	account := cmp.Or(who.Value.Account, p.settings.BucketOwner)
	if account == "" {
		return hint.With(fmt.Errorf("the account is not known: %w", who.Err), cmp.Or(hint.Of(who.Err), "give it by -bucket-owner"))
	}
	bucket, _ := p.bucketARN(look.Region())
	out := adminPolicy(bucket, account, ids, look)
	return out.print(t)
}

func adminPolicy(bucket, account string, ids []string, look *survey.Surveyor) *policy {
	p := &policy{}
	p.allow(words{
		"s3:CreateBucket", "s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketLocation",
		"s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls",
		"s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock",
		"s3:GetBucketPolicy", "s3:PutBucketPolicy",
		"s3:GetBucketVersioning", "s3:PutBucketVersioning",
		"s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration",
	}, words{bucket}, nil)
	var aliases, keys words
	add := func(list *words, arn string) {
		if !slices.Contains(*list, arn) {
			*list = append(*list, arn)
		}
	}
	for _, id := range ids {
		name, region, owner, isAlias := look.Alias(id)
		arn := "arn:" + survey.Partition(region) + ":kms:" + region + ":" + cmp.Or(owner, account) + ":"
		switch {
		case isAlias:
			add(&aliases, arn+name)
			add(&keys, arn+"key/*")
		case strings.HasPrefix(name, "key/"):
			add(&keys, arn+name)
		default:
			add(&keys, arn+"key/"+name)
		}
	}
	if aliases != nil {
		p.allow(words{"kms:CreateKey", "kms:ListKeys", "kms:ListAliases"}, words{"*"}, nil)
		p.allow(words{"kms:CreateAlias"}, slices.Concat(aliases, keys), nil)
	}
	if keys != nil {
		p.allow(words{"kms:DescribeKey", "kms:GetKeyRotationStatus", "kms:EnableKeyRotation"}, keys, nil)
	}
	return p
}

// maxManaged is how many characters IAM takes in a managed policy, white space aside.
const maxManaged = 6144

func (p *policy) print(t *tool.Tool) error {
	p.Version = "2012-10-17"
	var text, short bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(p); err != nil {
		return err
	}
	if _, err := t.Stdout.Write(printable.JSON(text.Bytes())); err != nil {
		return tool.FileError("standard output", err)
	}
	if json.Compact(&short, text.Bytes()) == nil && short.Len() > maxManaged {
		t.Notef("the policy has %d characters: a managed policy of IAM's takes %d", short.Len(), maxManaged)
	}
	return nil
}
