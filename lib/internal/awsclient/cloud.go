// Package cloud is what the clients of S3 and KMS have in common: the AWS
// SDK's own chain of configuration and credentials, one HTTP client that gives
// up when nothing moves, a trace of the requests, and the one place where the
// SDK's errors become the few that this project tells apart.
package awsclient

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

// metadataTimeout is what the instance metadata service is given to answer.
// The SDK's own patience would make a laptop without credentials wait for many
// seconds before it is told so.
const metadataTimeout = 1500 * time.Millisecond

// connections is how many kept-alive connections to one host are worth having:
// the most requests that the project has in flight at once.
const connections = 32

// Options are the settings that the clients depend on. The zero value leaves
// everything to the SDK's chain.
type Options struct {
	Region  string // overrides AWS_REGION and the profile's region
	Profile string // overrides AWS_PROFILE

	// PathStyle puts the bucket into the path instead of the host name. Nil
	// means automatic: for any configured endpoint outside amazonaws.com.
	PathStyle *bool

	// Timeout is the longest wait without progress, not a bound on a whole
	// transfer. Zero means no bound.
	Timeout time.Duration

	// Trace, unless nil, gets a line for each request. It may be called from
	// several goroutines at once.
	Trace func(line string)
}

// Cloud makes clients of S3 and KMS. It is safe for concurrent use.
type Cloud struct {
	cfg       aws.Config
	pathStyle *bool

	mu  sync.Mutex
	kms map[string]*kms.Client // by region
}

// Open reads the SDK's configuration and obtains credentials, so that a missing
// region or missing credentials are a clear failure before any request to S3
// or KMS. The error is an ErrConfig or an ErrDenied.
func Open(ctx context.Context, o Options) (*Cloud, error) {
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(o.Region),
		config.WithSharedConfigProfile(o.Profile),
		config.WithLogger(logging.Nop{}),
	)
	if err != nil {
		return nil, configError(err)
	}
	if cfg.Region == "" {
		return nil, &Error{Kind: ErrConfig, Detail: "no region",
			Advice: "give one by -region, MS_REGION, AWS_REGION or the profile"}
	}
	if err := retrieve(ctx, cfg.Credentials); err != nil {
		return nil, err
	}
	// Set after loading: given to the loader, a client of our own would take
	// AWS_CA_BUNDLE away from the user.
	cfg.HTTPClient = &client{
		next:    pooled(cfg.HTTPClient),
		timeout: o.Timeout,
		trace:   o.Trace,
	}
	return &Cloud{cfg: cfg, pathStyle: o.PathStyle}, nil
}

func pooled(c aws.HTTPClient) aws.HTTPClient {
	b, ok := c.(*awshttp.BuildableClient)
	if c == nil {
		b, ok = awshttp.NewBuildableClient(), true
	}
	if !ok {
		return c
	}
	return b.WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = connections
	})
}

func configError(err error) error {
	var missing config.SharedConfigProfileNotExistError
	if errors.As(err, &missing) {
		return &Error{Kind: ErrConfig, Detail: "the AWS configuration has no such profile",
			Advice: "it is named by -profile, MS_PROFILE or AWS_PROFILE"}
	}
	// Its text is the SDK's, and may hold a line of a file or a URL's password.
	return &Error{Kind: ErrConfig, Detail: "the AWS configuration cannot be used",
		Advice: "check the AWS_ variables and the files that AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name (~/.aws/config, ~/.aws/credentials)"}
}

func retrieve(ctx context.Context, p aws.CredentialsProvider) error {
	metadata := false
	if s, ok := p.(aws.CredentialProviderSource); ok {
		metadata = slices.Contains(s.ProviderSources(), aws.CredentialSourceIMDS)
	}
	bounded := ctx
	if metadata {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, metadataTimeout)
		defer cancel()
	}
	_, err := p.Retrieve(bounded)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case metadata:
		return &Error{Kind: ErrDenied, Detail: "no credentials",
			Advice: "tried the environment (AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE), the profile in the shared AWS files, the container's endpoint and the instance metadata service"}
	}
	// What a credential_process prints, and the URLs and tokens of other sources,
	// stand in the SDK's error.
	return &Error{Kind: ErrDenied, Detail: "no credentials",
		Advice: "the source of credentials that is configured gave none; a session may have to be renewed (aws sso login)"}
}

// S3 returns a client of S3 in the configured region.
func (c *Cloud) S3() *s3.Client {
	return s3.NewFromConfig(c.cfg, func(o *s3.Options) {
		o.Retryer = paced(o.Retryer)
		o.APIOptions = append(o.APIOptions, requireProof)
		elsewhere := o.BaseEndpoint != nil && !isAmazon(*o.BaseEndpoint)
		o.UsePathStyle = elsewhere
		if c.pathStyle != nil {
			o.UsePathStyle = *c.pathStyle
		}
		calculation, validation := checksums(c.cfg)
		if elsewhere && !calculation {
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		}
		// What is stored authenticates itself; a CRC beside it says nothing new.
		if !validation {
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		}
	})
}

// checksums tells whether the user has said when checksums are calculated and
// validated: where nobody has, the loaded configuration holds the SDK's default.
func checksums(cfg aws.Config) (calculation, validation bool) {
	for _, source := range cfg.ConfigSources {
		switch c := source.(type) {
		case config.EnvConfig:
			calculation = calculation || c.RequestChecksumCalculation != 0
			validation = validation || c.ResponseChecksumValidation != 0
		case config.SharedConfig:
			calculation = calculation || c.RequestChecksumCalculation != 0
			validation = validation || c.ResponseChecksumValidation != 0
		}
	}
	return calculation, validation
}

// KMS returns the client of KMS in a region, by default the configured one.
func (c *Cloud) KMS(region string) *kms.Client {
	if region == "" {
		region = c.cfg.Region
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kms == nil {
		c.kms = map[string]*kms.Client{}
	}
	if c.kms[region] == nil {
		c.kms[region] = kms.NewFromConfig(c.cfg, func(o *kms.Options) {
			o.Region = region
			o.Retryer = paced(o.Retryer)
		})
	}
	return c.kms[region]
}

// Region is the configured region.
func (c *Cloud) Region() string { return c.cfg.Region }

func isAmazon(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	for _, domain := range []string{"amazonaws.com", "amazonaws.com.cn"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}
