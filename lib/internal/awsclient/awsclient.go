// Package awsclient is what the clients of S3 and KMS have in common: the AWS
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
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"microsecrets/lib/internal/hint"
)

// metadataTimeout is what the instance metadata service is given to answer.
// The SDK's own patience would make a laptop without credentials wait for many
// seconds before it is told so.
const metadataTimeout = 1500 * time.Millisecond

// connections is how many kept-alive connections to one host are worth having:
// the most requests that the project has in flight at once.
const connections = 32

// Options are how the clients behave.
type Options struct {
	// PathStyle puts the bucket into the path instead of the host name. Nil
	// means automatic: for any configured endpoint outside amazonaws.com.
	PathStyle *bool

	// Timeout is the longest wait without progress, not a bound on a whole
	// transfer. 0 or below means no bound.
	Timeout time.Duration

	// Trace, unless nil, is given each request when it has ended. It may be called
	// from several goroutines at once.
	Trace func(Request)
}

// Client makes clients of S3 and KMS. It is safe for concurrent use.
type Client struct {
	cfg       aws.Config
	pathStyle *bool

	mu  sync.Mutex
	kms map[string]*kms.Client // by region
}

// Load reads the SDK's configuration and obtains credentials, so that a missing
// region or missing credentials are a clear failure before any request to S3
// or KMS. A region and a profile, unless empty, override the SDK's own. The error
// is an ErrConfig or an ErrDenied.
func Load(ctx context.Context, region, profile string, timeout time.Duration) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(region),
		config.WithSharedConfigProfile(profile),
		config.WithLogger(logging.Nop{}),
	)
	if err != nil {
		return cfg, configError(err)
	}
	if cfg.Region == "" {
		return cfg, hint.With(&Error{Kind: ErrConfig, Detail: "no region"},
			"give one by -region, MS_REGION, AWS_REGION or the profile")
	}
	return cfg, retrieve(ctx, cfg.Credentials)
}

// New returns the clients of a configuration. It makes no request. Loggers would
// print data keys: those of the configuration are not used.
func New(cfg aws.Config, o Options) *Client {
	cfg = cfg.Copy()
	cfg.Logger, cfg.ClientLogMode = logging.Nop{}, 0
	// Set after loading: given to the loader, a client of our own would take
	// AWS_CA_BUNDLE away from the user.
	cfg.HTTPClient = &transport{
		next:    pooled(cfg.HTTPClient),
		timeout: o.Timeout,
		trace:   o.Trace,
	}
	return &Client{cfg: cfg, pathStyle: o.PathStyle}
}

// MaxAttempts is how often a request is made at most.
func (c *Client) MaxAttempts() int {
	if c.cfg.RetryMaxAttempts > 0 {
		return c.cfg.RetryMaxAttempts
	}
	return retry.DefaultMaxAttempts
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
		return hint.With(&Error{Kind: ErrConfig, Detail: "the AWS configuration has no such profile"},
			"it is named by -profile, MS_PROFILE or AWS_PROFILE")
	}
	// Its text is the SDK's, and may hold a line of a file or a URL's password.
	return hint.With(&Error{Kind: ErrConfig, Detail: "the AWS configuration cannot be used"},
		"check the AWS_ variables and the files that AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name (~/.aws/config, ~/.aws/credentials)")
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
		return hint.With(&Error{Kind: ErrDenied, Detail: "no credentials"},
			"tried the environment (AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE), the profile in the shared AWS files, the container's endpoint and the instance metadata service")
	}
	// What a credential_process prints, and the URLs and tokens of other sources,
	// stand in the SDK's error.
	return hint.With(&Error{Kind: ErrDenied, Detail: "no credentials"},
		"the source of credentials that is configured gave none; a session may have to be renewed (aws sso login)")
}

// S3 returns a client of S3 in the configured region.
func (c *Client) S3() *s3.Client {
	return s3.NewFromConfig(c.cfg, func(o *s3.Options) {
		o.Retryer = withSharedBackoff(o.Retryer)
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
func (c *Client) KMS(region string) *kms.Client {
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
			o.Retryer = withSharedBackoff(o.Retryer)
		})
	}
	return c.kms[region]
}

// Region is the configured region.
func (c *Client) Region() string { return c.cfg.Region }

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
