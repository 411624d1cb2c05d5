package tool

import (
	"microsecrets/lib/secret"
)

// Other is a second store, which the command line names beside that of the settings.
type Other struct {
	Store  string
	Key    string // as the setting key; empty: that setting
	Region string // empty: that of the first store
}

// Check refuses a store that cannot be used, and names that it cannot have, before
// anything is opened. Names is nil if none is known yet. It reports all that is wrong.
func (o Other) Check(t *Tool, names ...string) error {
	options, err := o.options(t)
	if err != nil {
		return err
	}
	if err := secret.CheckStore(o.Store); err != nil {
		return err
	}
	var failed Failures
	for _, name := range names {
		failed = append(failed, secret.Check(o.Store, options, name))
	}
	return failed.Err()
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
// who owns its bucket, and what it is a replica of.
func (o Other) options(t *Tool) (*secret.Options, error) {
	s, err := t.Settings()
	if err != nil {
		return nil, err
	}
	options := t.options(s)
	t.trace(options)
	options.BucketOwner, options.Origin, options.Region = "", "", o.Region
	if o.Key != "" {
		options.Key = o.Key
	}
	return options, nil
}
