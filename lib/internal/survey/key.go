package survey

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"golang.org/x/sync/errgroup"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/printable"
)

// A Key is what was seen of a KMS key.
type Key struct {
	ID       string          // as it was asked for: an id, an ARN, an alias or an alias ARN
	Found    Fact[*Metadata] // nil: KMS knows no such key or alias
	Rotation Fact[bool]      // its material is rotated automatically
}

// Metadata is what KMS says of a key. Its texts are words of KMS's.
type Metadata struct {
	ARN         string
	Account     string
	Region      string
	Description string // may hold anything
	State       types.KeyState
	Usage       types.KeyUsageType
	Spec        types.KeySpec
	Origin      types.OriginType
	Managed     bool // by AWS, and not by a customer
	Created     time.Time
	Primary     string // ARN of the primary key, of a multi-region key; else empty
}

// Symmetric reports whether data keys can be made under the key.
func (m *Metadata) Symmetric() bool {
	return m.Usage == types.KeyUsageTypeEncryptDecrypt && m.Spec == types.KeySpecSymmetricDefault
}

// Rotatable reports whether KMS can rotate the key's material.
func (m *Metadata) Rotatable() bool {
	return m.Symmetric() && m.Origin == types.OriginTypeAwsKms && !m.Managed
}

// Alias returns the name of the alias, alias/NAME, that a key is asked for by, and
// the region and the account that it is in; account "" is the caller's.
func (s *Surveyor) Alias(id string) (name, region, account string, ok bool) {
	region = s.region
	if a, err := arn.Parse(id); err == nil {
		id, region, account = a.Resource, a.Region, a.AccountID
	}
	return id, region, account, strings.HasPrefix(id, "alias/")
}

// at is the client for a key.
func (s *Surveyor) at(id string) *kms.Client {
	if a, err := arn.Parse(id); err == nil {
		return s.kms(a.Region)
	}
	return s.kms("")
}

// Key looks at a key: two requests.
func (s *Surveyor) Key(ctx context.Context, id string) Key {
	k := Key{ID: id, Found: s.Describe(ctx, id)}
	switch m := k.Found.Value; {
	case k.Found.Err != nil:
		k.Rotation = none[bool](k.Found.Err)
	case m == nil, !m.Rotatable(), m.State == types.KeyStatePendingDeletion:
		k.Rotation = none[bool](ErrInapplicable)
	default:
		k.Rotation = s.rotation(ctx, cmp.Or(m.Primary, m.ARN))
	}
	return k
}

// Describe looks at a key, without its rotation: one request. No key is nil.
func (s *Surveyor) Describe(ctx context.Context, id string) Fact[*Metadata] {
	const op = "DescribeKey"
	out, err := s.at(id).DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &id})
	if err != nil {
		err = s.failedWith(ctx, op, id, err)
		return absentIs[*Metadata](nil, err, "NotFoundException")
	}
	m, ok := metadata(out.KeyMetadata)
	if !ok {
		return none[*Metadata](awsclient.Unusable(op, "KMS answered without the ARN of a key"))
	}
	return Fact[*Metadata]{Value: m}
}

// failedWith is failed, of a key.
func (s *Surveyor) failedWith(ctx context.Context, op, id string, err error) error {
	err = awsclient.Classify(ctx, op, err, awsclient.Facts{Key: showKey(id)})
	if inapplicable[code(err)] {
		return ErrInapplicable
	}
	return err
}

func showKey(id string) string {
	if printable.Token(id) {
		return id
	}
	return printable.Quote(id)
}

func metadata(m *types.KeyMetadata) (*Metadata, bool) {
	if m == nil {
		return nil, false
	}
	a, err := arn.Parse(aws.ToString(m.Arn))
	if err != nil || a.Service != "kms" || !strings.HasPrefix(a.Resource, "key/") || !printable.Token(*m.Arn) {
		return nil, false
	}
	found := &Metadata{
		ARN: *m.Arn, Account: a.AccountID, Region: a.Region, Description: aws.ToString(m.Description),
		State: m.KeyState, Usage: m.KeyUsage, Spec: m.KeySpec, Origin: m.Origin,
		Managed: m.KeyManager == types.KeyManagerTypeAws, Created: aws.ToTime(m.CreationDate),
	}
	if multi := m.MultiRegionConfiguration; multi != nil && multi.PrimaryKey != nil {
		found.Primary = aws.ToString(multi.PrimaryKey.Arn)
	}
	return found, true
}

func (s *Surveyor) rotation(ctx context.Context, keyARN string) Fact[bool] {
	out, err := s.at(keyARN).GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &keyARN})
	if err != nil {
		return none[bool](s.failedWith(ctx, "GetKeyRotationStatus", keyARN, err))
	}
	return Fact[bool]{Value: out.KeyRotationEnabled}
}

// describedAtOnce is how many keys are looked at side by side.
const describedAtOnce = 8

// Unnamed returns the caller's enabled keys in a region that have no alias and a
// description, the oldest first: keys that were made for a purpose and have not been
// named since.
func (s *Surveyor) Unnamed(ctx context.Context, region, description string) ([]*Metadata, error) {
	client := s.kms(region)
	named := map[string]bool{}
	for p := kms.NewListAliasesPaginator(client, &kms.ListAliasesInput{}); p.HasMorePages(); {
		out, err := p.NextPage(ctx)
		if err != nil {
			return nil, awsclient.Classify(ctx, "ListAliases", err, awsclient.Facts{})
		}
		for _, a := range out.Aliases {
			named[aws.ToString(a.TargetKeyId)] = true
		}
	}
	var mu sync.Mutex
	var found []*Metadata
	look, within := errgroup.WithContext(ctx)
	look.SetLimit(describedAtOnce)
	for p := kms.NewListKeysPaginator(client, &kms.ListKeysInput{}); p.HasMorePages(); {
		out, err := p.NextPage(ctx)
		if err != nil {
			look.Wait()
			return nil, awsclient.Classify(ctx, "ListKeys", err, awsclient.Facts{})
		}
		for _, each := range out.Keys {
			if named[aws.ToString(each.KeyId)] || each.KeyArn == nil {
				continue
			}
			look.Go(func() error {
				fact := s.Describe(within, *each.KeyArn)
				m := fact.Value
				switch {
				case errors.Is(fact.Err, awsclient.ErrDenied), fact.Err == nil && m == nil:
					return nil // nobody's whom the caller could have made it for, or gone
				case fact.Err != nil:
					return fact.Err
				case m.Description == description && m.State == types.KeyStateEnabled && m.Symmetric() && !m.Managed:
					mu.Lock()
					defer mu.Unlock()
					found = append(found, m)
				}
				return nil
			})
		}
	}
	if err := look.Wait(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	slices.SortFunc(found, func(a, b *Metadata) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ARN, b.ARN)) })
	return found, nil
}
