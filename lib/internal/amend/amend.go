// Package amend makes a store fit, one change at a time: what package survey has
// found to be missing or unfit. It only ever adds or turns on.
package amend

import (
	"context"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/survey"
)

// An Amender changes what a Surveyor has seen. It is for one caller at a time.
type Amender struct {
	*survey.Surveyor
	client *awsclient.Client
	s3     *s3.Client
}

// New returns an Amender. It makes no request. Every request for a bucket names the
// Surveyor's Owner.
func New(c *awsclient.Client, s *survey.Surveyor) *Amender { return &Amender{s, c, c.S3()} }

func (a *Amender) owner() *string {
	if a.Owner == "" {
		return nil
	}
	return &a.Owner
}

// again is what may be done about a change whose outcome is not known, or that
// somebody was faster with.
const again = "run ms-init again: it goes on from what is there"

func (a *Amender) failed(ctx context.Context, op string, err error, attempts *awsclient.Attempts) error {
	err = awsclient.Classify(ctx, op, err, awsclient.Facts{Attempts: attempts})
	var e *awsclient.Error
	if errors.As(err, &e) && e.MaybeApplied {
		err = hint.With(err, again)
	}
	return err
}

// A Refusal is the error of a change that a server other than Amazon's does not know, or
// takes to be invalid: it answers in order, and will never make it.
type Refusal struct {
	error      // the answer, an *awsclient.Error
	Lacks bool // it does not have the operation at all
}

func (r *Refusal) Unwrap() error { return r.error }

// failedOf is failed, of a change to a bucket that may be a Refusal.
func (a *Amender) failedOf(ctx context.Context, op string, err error, attempts *awsclient.Attempts) error {
	err = a.failed(ctx, op, err, attempts)
	var e *awsclient.Error
	switch {
	case !a.Elsewhere() || !errors.As(err, &e):
	case survey.Lacks(err):
		return &Refusal{err, true}
	case e.Status == http.StatusBadRequest && e.Code != "" && e.Kind == nil:
		return &Refusal{err, false}
	}
	return err
}

func changed(op, what string) error {
	return hint.With(&awsclient.Error{Kind: awsclient.ErrConflict, Op: op, Detail: what + " was changed by somebody else meanwhile"}, again)
}

// CreateBucket makes a bucket in the Surveyor's region, and reports whether it did:
// the caller's own may have come into being since it was looked for. To create it again would
// reset its access control lists.
func (a *Amender) CreateBucket(ctx context.Context, name string) (made bool, err error) {
	in := &s3.CreateBucketInput{Bucket: &name, ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced}
	if region := a.Region(); region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	create := func() error {
		attempts := &awsclient.Attempts{}
		_, err := a.s3.CreateBucket(ctx, in, attempts.Watch)
		return a.failedOf(ctx, "CreateBucket", err, attempts)
	}
	err = create()
	if errors.As(err, new(*Refusal)) { // what is not known may be the header alone; the survey shows what is there
		in.ObjectOwnership = ""
		err = create()
	}
	var e *awsclient.Error
	if errors.As(err, &e) && e.Code == "BucketAlreadyOwnedByYou" {
		return false, nil
	}
	return err == nil, err
}

// EnforceOwner does away with a bucket's access control lists.
func (a *Amender) EnforceOwner(ctx context.Context, name string) error {
	_, err := a.s3.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{
		Bucket:              &name,
		ExpectedBucketOwner: a.owner(),
		OwnershipControls:   &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced}}},
	})
	return a.failedOf(ctx, "PutBucketOwnershipControls", err, nil)
}

// BlockPublicAccess turns all four blocks on.
func (a *Amender) BlockPublicAccess(ctx context.Context, name string) error {
	on := aws.Bool(true)
	_, err := a.s3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{
		Bucket:              &name,
		ExpectedBucketOwner: a.owner(),
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicAcls: on, IgnorePublicAcls: on, BlockPublicPolicy: on, RestrictPublicBuckets: on,
		},
	})
	return a.failedOf(ctx, "PutPublicAccessBlock", err, nil)
}

// EnableVersioning turns versioning on.
func (a *Amender) EnableVersioning(ctx context.Context, name string) error {
	_, err := a.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket:                  &name,
		ExpectedBucketOwner:     a.owner(),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	return a.failedOf(ctx, "PutBucketVersioning", err, nil)
}

// DenyPlain adds the statement that denies requests without TLS to a bucket's policy.
// S3 has no condition for that, so the policy is read again at the last moment: what
// differs from what was surveyed is left as it is, an awsclient.ErrConflict.
func (a *Amender) DenyPlain(ctx context.Context, b *survey.Bucket) error {
	const op = "PutBucketPolicy"
	policy, err := survey.WithTLSOnly(b.Policy.Value, b.ARN())
	if err != nil {
		return err
	}
	if now := a.Policy(ctx, b.Name); now.Err != nil || now.Value != b.Policy.Value {
		if now.Err == nil {
			now.Err = changed(op, "the bucket's policy")
		}
		return now.Err
	}
	attempts := &awsclient.Attempts{}
	_, err = a.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &b.Name, ExpectedBucketOwner: a.owner(), Policy: &policy}, attempts.Watch)
	return a.failedOf(ctx, op, err, attempts)
}

// AddRules adds lifecycle rules, or replaces those of their IDs. All that the bucket
// has are ms-init's own: a lifecycle configuration is replaced as a whole. It is read
// again at the last moment as the policy is.
func (a *Amender) AddRules(ctx context.Context, b *survey.Bucket, rules ...survey.Rule) error {
	const op = "PutBucketLifecycleConfiguration"
	now := a.Lifecycle(ctx, b.Name)
	switch {
	case now.Err != nil:
		return now.Err
	case !now.Value.Same(b.Lifecycle.Value) || now.Value.Others():
		return changed(op, "the lifecycle configuration")
	}
	all := now.Value
	for _, r := range rules {
		all = all.With(r)
	}
	configuration := &types.BucketLifecycleConfiguration{}
	for _, r := range all.Rules {
		configuration.Rules = append(configuration.Rules, rule(r))
	}
	attempts := &awsclient.Attempts{}
	_, err := a.s3.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket:                             &b.Name,
		ExpectedBucketOwner:                a.owner(),
		LifecycleConfiguration:             configuration,
		TransitionDefaultMinimumObjectSize: types.TransitionDefaultMinimumObjectSize(all.MinimumSize),
	}, attempts.Watch)
	return a.failedOf(ctx, op, err, attempts)
}

func rule(r survey.Rule) types.LifecycleRule {
	out := types.LifecycleRule{ID: &r.ID, Status: types.ExpirationStatusDisabled, Filter: &types.LifecycleRuleFilter{Prefix: &r.Prefix}}
	if r.Active {
		out.Status = types.ExpirationStatusEnabled
	}
	if r.AbortDays > 0 {
		out.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(int32(r.AbortDays))}
	}
	if r.NoncurrentDays > 0 {
		out.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(int32(r.NoncurrentDays))}
	}
	return out
}

// CreateKey makes a symmetric key in a region, once: a key whose making is not
// answered may be there, and is taken up by its description later. It returns the
// key's ARN.
func (a *Amender) CreateKey(ctx context.Context, region, description string) (string, error) {
	attempts := &awsclient.Attempts{}
	out, err := a.client.KMS(region).CreateKey(ctx, &kms.CreateKeyInput{Description: &description}, func(o *kms.Options) {
		o.Retryer = aws.NopRetryer{}
	}, attempts.WatchKMS)
	if err != nil {
		return "", a.failed(ctx, "CreateKey", err, attempts)
	}
	return *out.KeyMetadata.Arn, nil
}

// EnableRotation has KMS rotate a key's material every year. The key is the primary
// one, if it is a multi-region key.
func (a *Amender) EnableRotation(ctx context.Context, keyARN string) error {
	_, region, _, _ := a.Alias(keyARN)
	client := a.client.KMS(region)
	_, err := client.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &keyARN})
	err = a.failed(ctx, "EnableKeyRotation", err, nil)
	if endpoint := client.Options().BaseEndpoint; endpoint != nil && !awsclient.IsAmazon(*endpoint) && survey.Lacks(err) {
		return &Refusal{err, true}
	}
	return err
}

// CreateAlias gives a key the alias id, alias/NAME or its ARN, that nobody has. If
// somebody has made it meanwhile, for another key, it stays theirs: an
// awsclient.ErrConflict.
func (a *Amender) CreateAlias(ctx context.Context, id, keyARN string) error {
	alias, region, _, _ := a.Alias(id)
	_, err := a.client.KMS(region).CreateAlias(ctx, &kms.CreateAliasInput{AliasName: &alias, TargetKeyId: &keyARN})
	err = a.failed(ctx, "CreateAlias", err, nil)
	var e *awsclient.Error
	if !errors.As(err, &e) || e.Code != "AlreadyExistsException" {
		return err
	}
	now := a.Key(ctx, id) // the reply to the first attempt may have been lost
	if m := now.Found.Value; now.Found.Err == nil && m != nil && m.ARN == keyARN {
		return nil
	}
	return hint.With(&awsclient.Error{Kind: awsclient.ErrConflict, Op: "CreateAlias", Detail: "somebody else has made " + alias + " meanwhile"},
		"the key "+keyARN+" is left without an alias: give it one, or schedule its deletion")
}
