package tool

import (
	"errors"
	"fmt"
	"strings"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/settings"
	"microsecrets/lib/secret"
)

// Other is a second store, which the command line names beside that of the settings.
type Other struct {
	Store  string
	Key    string // as the setting key; empty: that setting
	Region string // empty: that of the first store
	Owner  string // the account that must own the bucket; empty: the setting bucket-owner, if both are in one bucket, else any
}

// Check refuses a store or an owner that cannot be used.
func (o Other) Check(storeFlag, ownerFlag string) error {
	if err := secret.CheckStore(o.Store); err != nil {
		return Usagef("flag %s: %v", storeFlag, err)
	}
	if err := settings.CheckAccount(o.Owner); o.Owner != "" && err != nil {
		return Usagef("flag %s: %v", ownerFlag, err)
	}
	return nil
}

// CheckPrefixed is CheckPrefixed of an argument that is a name, or a prefix, there.
func (o Other) CheckPrefixed(t *Tool, arg string) error {
	options, err := o.options(t)
	if err != nil {
		return err
	}
	return CheckPrefixed(o.Store, options, arg)
}

// Open opens the store with the configuration and the credentials of first. Names are
// those of Tool.Open.
func (o Other) Open(t *Tool, first *secret.Store, names ...string) (*secret.Store, error) {
	options, err := o.options(t)
	if err != nil {
		return nil, err
	}
	options.Ahead = secret.Ahead{Names: names, Raw: t.KeyUnused}
	return first.Other(o.Store, options)
}

// options are those of the settings, but for what is said of the first store alone:
// who owns its bucket, unless both are in that, and what it is a replica of.
func (o Other) options(t *Tool) (*secret.Options, error) {
	s, err := t.Settings()
	if err != nil {
		return nil, err
	}
	options := t.options(s)
	t.trace(options)
	options.Origin, options.Region = "", o.Region
	bucket, _, _ := secret.SplitStore(o.Store)
	if first, _, _ := secret.SplitStore(s.Store); bucket != first {
		options.BucketOwner = ""
	}
	if o.Owner != "" {
		options.BucketOwner = o.Owner
	}
	if o.Key != "" {
		options.Key = o.Key
	}
	return options, nil
}

// Failed is an error of the store, which it names: otherwise nothing would tell which
// of the two it was. Flag is the one that Store comes from; those of Key and Region
// have its name, and "-key" or "-region".
func (o Other) Failed(err error, flag string) error {
	if err == nil {
		return nil
	}
	flags := []string{
		"the setting key", flag + "-key", "the setting store", flag, "name the key by -key", "name the key by " + flag + "-key",
		", under the same settings: ms-init", " there: ms-init -store STORE",
		"by -region, MS_REGION, AWS_REGION or the profile\nsuch as: export AWS_REGION=eu-central-1", "by " + flag + "-region, such as eu-central-1",
	}
	if o.Owner != "" {
		flags = append(flags, "the setting bucket-owner", flag+"-owner")
	}
	remedy := strings.NewReplacer(flags...).Replace(Advice(err))
	var cause *awsclient.Error
	switch {
	case !errors.As(err, &cause):
	case cause.Elsewhere != "":
		remedy = "the bucket is in " + cause.Elsewhere + ": set " + flag + "-region"
	case cause.Code == "NoSuchBucket":
		remedy = "check the bucket's name in " + flag
	}
	if o.Key == "" && errors.Is(err, secret.ErrNotAuthentic) {
		remedy = strings.TrimPrefix(remedy+"\nif the secrets there are under another key: "+flag+"-key", "\n")
	}
	if store := canonical(o.Store); !strings.Contains(err.Error(), store) {
		err = fmt.Errorf("%w (in %s)", err, store)
	}
	return hint.With(err, remedy)
}

// canonical is a store as errors have it.
func canonical(store string) string {
	bucket, under, _ := secret.SplitStore(store)
	return strings.TrimSuffix("s3://"+bucket+"/"+under, "/")
}
