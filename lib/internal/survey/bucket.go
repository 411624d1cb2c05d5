package survey

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/sync/errgroup"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/printable"
)

// A Bucket is what was seen of one. Unless Exists is true, nothing else was looked at.
type Bucket struct {
	Name   string
	Exists Fact[bool] // an awsclient.ErrDenied: it is another account's, or hidden from the caller
	Region Fact[string]

	Empty         Fact[bool] // no object, no old version and no deletion, under any prefix
	OwnerEnforced Fact[bool] // there are no access control lists
	PublicAccess  Fact[PublicAccess]
	Policy        Fact[string] // JSON as S3 returns it; empty: there is none. It is looked at for TLSOnly alone
	TLSOnly       Fact[bool]   // the policy denies requests without TLS
	Versioning    Fact[Versioning]
	Lifecycle     Fact[Lifecycle]
}

// PublicAccess is the bucket's own block of public access. The account may have one
// beside it, which is not looked at.
type PublicAccess struct{ BlockACLs, IgnoreACLs, BlockPolicy, Restrict bool }

// All reports whether everything is blocked.
func (p PublicAccess) All() bool { return p == PublicAccess{true, true, true, true} }

// Versioning is whether a bucket keeps what is overwritten and deleted.
type Versioning struct {
	Enabled   bool
	Suspended bool // it was enabled before
	MFADelete bool // nobody changes it without an MFA device of the account's root user
}

// Bucket looks at a bucket: a request or two, then what is left side by side.
func (s *Surveyor) Bucket(ctx context.Context, name string) *Bucket {
	b := &Bucket{Name: name}
	if !s.encrypted() {
		b.TLSOnly.Err, b.Policy.Err = ErrInapplicable, ErrInapplicable
	}
	if b.Exists, b.Region = s.exists(ctx, name); !b.Exists.Value {
		return b
	}
	var look errgroup.Group
	for _, each := range []func(){
		func() { b.Empty = s.empty(ctx, name) },
		func() { b.OwnerEnforced = s.ownerEnforced(ctx, name) },
		func() { b.PublicAccess = s.publicAccess(ctx, name) },
		func() {
			if b.TLSOnly.Err == nil {
				b.Policy = s.Policy(ctx, name)
			}
		},
		func() { b.Versioning = s.versioning(ctx, name) },
		func() { b.Lifecycle = s.Lifecycle(ctx, name) },
	} {
		look.Go(func() error {
			each()
			return nil
		})
	}
	look.Wait()
	switch {
	case b.TLSOnly.Err != nil:
	case b.Policy.Err != nil:
		b.TLSOnly.Err = b.Policy.Err
	default:
		b.TLSOnly.Value, b.TLSOnly.Err = tlsOnly(b.Policy.Value, b.ARN())
	}
	return b
}

// ARN is the bucket's.
func (b *Bucket) ARN() string { return "arn:" + Partition(b.Region.Value) + ":s3:::" + b.Name }

// exists looks whether there is the bucket, and where. What a failure means is only
// in the body of an answer, which a HEAD has not.
func (s *Surveyor) exists(ctx context.Context, name string) (Fact[bool], Fact[string]) {
	out, err := s.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
	if err == nil {
		return Fact[bool]{Value: true}, Fact[string]{Value: regionOr(aws.ToString(out.BucketRegion), s.region)}
	}
	err = s.failed(ctx, "HeadBucket", err)
	var e *awsclient.Error
	if errors.As(err, &e) && (e.Status < 300 || e.Status >= 500) || !errors.As(err, &e) && err != ErrInapplicable {
		return none[bool](err), none[string](err)
	}
	location, err := s.s3.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
	if err == nil {
		region := string(location.LocationConstraint)
		switch region {
		case "":
			region = "us-east-1"
		case "EU":
			region = "eu-west-1"
		}
		return Fact[bool]{Value: true}, Fact[string]{Value: regionOr(region, s.region)}
	}
	err = s.failed(ctx, "GetBucketLocation", err)
	switch {
	case code(err) == "NoSuchBucket":
		return Fact[bool]{}, none[string](ErrInapplicable)
	case errors.Is(err, awsclient.ErrDenied) && code(err) == "AccessDenied":
		err = hint.With(err, "the bucket belongs to another account, or you may not look at it (s3:ListBucket, s3:GetBucketLocation)")
	}
	return none[bool](err), none[string](err)
}

// regionOr is the name of a region, or otherwise if it has not the form of one.
func regionOr(name, otherwise string) string {
	if !printable.Word(name, 63, "-") {
		return otherwise
	}
	return name
}

// empty asks for one version, which takes in deletions; whoever may not list
// versions can see at least whether there is an object.
func (s *Surveyor) empty(ctx context.Context, name string) Fact[bool] {
	out, err := s.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &name, MaxKeys: aws.Int32(1), ExpectedBucketOwner: s.owner()})
	if err == nil && aws.ToString(out.Name) == "" {
		return none[bool](awsclient.Unusable("ListObjectVersions", "the answer is not a listing"))
	}
	if err == nil {
		return Fact[bool]{Value: len(out.Versions)+len(out.DeleteMarkers) == 0 && !aws.ToBool(out.IsTruncated)}
	}
	if err = s.failed(ctx, "ListObjectVersions", err); err != ErrInapplicable && !errors.Is(err, awsclient.ErrDenied) {
		return none[bool](err)
	}
	objects, other := s.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &name, MaxKeys: aws.Int32(1), ExpectedBucketOwner: s.owner()})
	if other == nil && aws.ToString(objects.Name) != "" && (len(objects.Contents) > 0 || err == ErrInapplicable) {
		return Fact[bool]{Value: len(objects.Contents) == 0}
	}
	return none[bool](err)
}

func (s *Surveyor) ownerEnforced(ctx context.Context, name string) Fact[bool] {
	out, err := s.s3.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
	if err != nil {
		err = s.failed(ctx, "GetBucketOwnershipControls", err)
		return absentIs(false, err, "OwnershipControlsNotFoundError")
	}
	enforced := false
	if out.OwnershipControls != nil {
		for _, rule := range out.OwnershipControls.Rules {
			enforced = enforced || rule.ObjectOwnership == types.ObjectOwnershipBucketOwnerEnforced
		}
	}
	return Fact[bool]{Value: enforced}
}

// absentIs is the fact of what S3 says not to be there, by its code.
func absentIs[T any](value T, err error, absent string) Fact[T] {
	if code(err) == absent {
		return Fact[T]{Value: value}
	}
	return none[T](err)
}

func (s *Surveyor) publicAccess(ctx context.Context, name string) Fact[PublicAccess] {
	out, err := s.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
	if err != nil {
		return absentIs(PublicAccess{}, s.failed(ctx, "GetPublicAccessBlock", err), "NoSuchPublicAccessBlockConfiguration")
	}
	c := out.PublicAccessBlockConfiguration
	if c == nil {
		return Fact[PublicAccess]{}
	}
	return Fact[PublicAccess]{Value: PublicAccess{aws.ToBool(c.BlockPublicAcls), aws.ToBool(c.IgnorePublicAcls), aws.ToBool(c.BlockPublicPolicy), aws.ToBool(c.RestrictPublicBuckets)}}
}

// Policy is a bucket's policy, byte for byte as S3 returns it.
func (s *Surveyor) Policy(ctx context.Context, name string) Fact[string] {
	out, err := s.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
	if err != nil {
		return absentIs("", s.failed(ctx, "GetBucketPolicy", err), "NoSuchBucketPolicy")
	}
	if aws.ToString(out.Policy) == "" {
		return none[string](awsclient.Unusable("GetBucketPolicy", "an empty policy"))
	}
	return Fact[string]{Value: *out.Policy}
}

func (s *Surveyor) versioning(ctx context.Context, name string) Fact[Versioning] {
	out, err := s.s3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
	if err != nil {
		return none[Versioning](s.failed(ctx, "GetBucketVersioning", err))
	}
	return Fact[Versioning]{Value: Versioning{
		Enabled:   out.Status == types.BucketVersioningStatusEnabled,
		Suspended: out.Status == types.BucketVersioningStatusSuspended,
		MFADelete: out.MFADelete == types.MFADeleteStatusEnabled,
	}}
}

// Lifecycle is a bucket's lifecycle configuration. It is read out of the answer as it
// came, since the SDK drops what it does not know.
func (s *Surveyor) Lifecycle(ctx context.Context, name string) Fact[Lifecycle] {
	var body []byte
	keep := middleware.DeserializeMiddlewareFunc("KeepBody", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if response, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil {
			body, err = io.ReadAll(response.Body) // bounded by awsclient
			response.Body = io.NopCloser(bytes.NewReader(body))
		}
		return out, metadata, err
	})
	const op = "GetBucketLifecycleConfiguration"
	out, err := s.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &name, ExpectedBucketOwner: s.owner()},
		func(o *s3.Options) {
			o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error { return stack.Deserialize.Add(keep, middleware.After) })
		})
	if err != nil {
		return absentIs(Lifecycle{}, s.failed(ctx, op, err), "NoSuchLifecycleConfiguration")
	}
	l, err := parseLifecycle(body)
	if err != nil {
		return none[Lifecycle](awsclient.Unusable(op, "the answer is not a lifecycle configuration"))
	}
	l.MinimumSize = string(out.TransitionDefaultMinimumObjectSize)
	return Fact[Lifecycle]{Value: l}
}
