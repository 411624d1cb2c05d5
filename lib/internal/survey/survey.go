// Package survey looks at a bucket and at KMS keys, and changes nothing: what is
// there, what is not, and what the caller may not see. ms-check shows it, and ms-init
// decides by it what to make and to mend.
package survey

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/printable"
)

// A Fact is one thing that was looked at. Its Value holds only without an Err.
type Fact[T any] struct {
	Value T
	Err   error // an awsclient.ErrDenied: not allowed to look; ErrInapplicable; or any other failure
}

// ErrInapplicable is the Err of what has no meaning here: the server does not have
// it, or it is for TLS and there is none.
var ErrInapplicable = errors.New("does not apply")

// none is a Fact without a value.
func none[T any](err error) Fact[T] { return Fact[T]{Err: err} }

// inapplicable are the codes of an operation that a server does not have, beside the
// status 501.
var inapplicable = map[string]bool{
	"NotImplemented": true, "MethodNotAllowed": true, "UnknownOperationException": true, "UnsupportedOperationException": true,
}

// Lacks reports whether a failure is that of a server that does not have the operation.
func Lacks(err error) bool {
	var e *awsclient.Error
	return errors.As(err, &e) && (e.Status == http.StatusNotImplemented || inapplicable[e.Code])
}

// failed turns an error of the SDK into the Err of a Fact.
func (s *Surveyor) failed(ctx context.Context, op string, err error) error {
	if err = awsclient.Classify(ctx, op, err, awsclient.Facts{}); Lacks(err) {
		return ErrInapplicable
	}
	return err
}

// code is the service's error code of a failure, or empty.
func code(err error) string {
	var e *awsclient.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// A Surveyor looks. It is safe for concurrent use.
type Surveyor struct {
	// Owner is the account that must own the bucket, sent with every request for it;
	// empty is any.
	Owner string

	s3     *s3.Client
	kms    func(region string) *kms.Client
	sts    *sts.Client
	region string
}

// New returns a Surveyor. It makes no request.
func New(c *awsclient.Client, owner string) *Surveyor {
	return &Surveyor{Owner: owner, s3: c.S3(), kms: c.KMS, sts: c.STS(), region: c.Region()}
}

func (s *Surveyor) owner() *string {
	if s.Owner == "" {
		return nil
	}
	return &s.Owner
}

// Region is the region in which a bucket is made, and a key that is not named by an
// ARN.
func (s *Surveyor) Region() string { return s.region }

// Elsewhere reports whether S3 is reached at an endpoint that is not Amazon's.
func (s *Surveyor) Elsewhere() bool {
	endpoint := s.s3.Options().BaseEndpoint
	return endpoint != nil && !awsclient.IsAmazon(*endpoint)
}

// OneServer reports whether the account that STS names is one that S3 knows: both are
// Amazon's, or both are reached at one endpoint. Other servers have owners of their own.
func (s *Surveyor) OneServer() bool {
	if !s.Elsewhere() {
		return true
	}
	other := s.sts.Options().BaseEndpoint
	return other != nil && origin(*s.s3.Options().BaseEndpoint) == origin(*other)
}

// origin is the scheme, the host and the port of an endpoint.
func origin(endpoint string) string {
	u, err := url.Parse(strings.ToLower(endpoint))
	if err != nil {
		return endpoint
	}
	return u.Scheme + "://" + u.Hostname() + ":" + cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

// encrypted reports whether S3 is reached by TLS.
func (s *Surveyor) encrypted() bool {
	endpoint := s.s3.Options().BaseEndpoint
	return endpoint == nil || !strings.HasPrefix(strings.ToLower(*endpoint), "http:")
}

// An Identity is who asks.
type Identity struct {
	Account string // 12 digits
	ARN     string // safe to show
}

// Identity asks STS who asks, which needs no permission. Credentials of another
// server's are not shown to Amazon's.
func (s *Surveyor) Identity(ctx context.Context) Fact[Identity] {
	if s.Elsewhere() && s.sts.Options().BaseEndpoint == nil {
		return none[Identity](ErrInapplicable)
	}
	const op = "GetCallerIdentity"
	out, err := s.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return none[Identity](s.failed(ctx, op, err))
	}
	who := Identity{aws.ToString(out.Account), printable.Line(aws.ToString(out.Arn))}
	if len(who.Account) != 12 || strings.Trim(who.Account, "0123456789") != "" {
		return none[Identity](awsclient.Unusable(op, "STS answered without an account"))
	}
	return Fact[Identity]{Value: who}
}

// Partition is the part of AWS that a region belongs to, as ARNs have it.
func Partition(region string) string {
	for prefix, partition := range map[string]string{"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b"} {
		if strings.HasPrefix(region, prefix) {
			return partition
		}
	}
	return "aws"
}
