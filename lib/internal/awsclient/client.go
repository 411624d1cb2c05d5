// Package awsclient is what the clients of S3, KMS and STS have in common: the AWS
// SDK's own chain of configuration and credentials, one HTTP client that gives
// up when nothing moves, a trace of the requests, and the one place where the
// SDK's errors become the few kinds that this project distinguishes.
package awsclient

import (
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
)

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

	// Moved, unless nil, is given the number of bytes of a body that have just been
	// sent or received, but for answers that are read as a whole. It may be called from
	// several goroutines at once.
	Moved func(n int)

	// Retrying, unless nil, is called when a request has failed and is to be made again.
	// It may be called from several goroutines at once.
	Retrying func(Retry)
}

// Client makes clients of S3, KMS and STS. It is safe for concurrent use.
type Client struct {
	cfg       aws.Config
	pathStyle *bool
	dialer    *dialer // nil with a client of the caller's own
	retrying  func(Retry)

	mu           sync.Mutex
	kms          map[string]*kms.Client // by region
	destinations map[string]*url.URL    // by service; see expect
}

// New returns the clients of a configuration. It makes no request. Loggers would
// print data keys: those of the configuration are not used.
func New(cfg aws.Config, o Options) *Client {
	cfg = cfg.Copy()
	cfg.Logger, cfg.ClientLogMode = logging.Nop{}, 0
	if _, bounded := cfg.Credentials.(*checkedCredentials); !bounded && cfg.Credentials != nil {
		cfg.Credentials = &checkedCredentials{cfg.Credentials, o.Timeout, new(question)}
	}
	next, dialer := httpClient(cfg.HTTPClient)
	cfg.HTTPClient = &transport{
		next:    next,
		timeout: o.Timeout,
		trace:   o.Trace,
		moved:   o.Moved,
	}
	return &Client{cfg: cfg, pathStyle: o.PathStyle, dialer: dialer, retrying: o.Retrying, destinations: map[string]*url.URL{}}
}

// MaxAttempts is how often a request is made at most.
func (c *Client) MaxAttempts() int {
	if c.cfg.RetryMaxAttempts > 0 {
		return c.cfg.RetryMaxAttempts
	}
	return retry.DefaultMaxAttempts
}

// S3 returns a client of S3 in the configured region.
func (c *Client) S3() *s3.Client {
	return s3.NewFromConfig(c.cfg, func(o *s3.Options) {
		o.Retryer = withSharedBackoff(o.Retryer, "S3", c.retrying)
		o.APIOptions = append(o.APIOptions, requireProof, withWaitLimit, leaveEncoding)
		o.UseARNRegion = true // an access point named by its ARN is where that says
		elsewhere := o.BaseEndpoint != nil && !IsAmazon(*o.BaseEndpoint)
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

// leaveEncoding keeps Accept-Encoding out of what is signed, since proxies rewrite
// it. The transport sets it.
func leaveEncoding(s *middleware.Stack) error {
	_, err := s.Finalize.Remove("DisableAcceptEncodingGzip")
	return err
}

// checksums reports whether the user has said when checksums are calculated and
// validated. If not, the loaded configuration holds the SDK's default.
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
			o.Retryer = withSharedBackoff(o.Retryer, "KMS", c.retrying)
			o.APIOptions = append(o.APIOptions, requireProof, withWaitLimit)
		})
	}
	return c.kms[region]
}

// STS returns a client of STS in the configured region.
func (c *Client) STS() *sts.Client {
	return sts.NewFromConfig(c.cfg, func(o *sts.Options) {
		o.Retryer = withSharedBackoff(o.Retryer, "STS", c.retrying)
		o.APIOptions = append(o.APIOptions, requireProof, withWaitLimit)
	})
}

// Region is the configured region.
func (c *Client) Region() string { return c.cfg.Region }

// IsAmazon reports whether an endpoint is one of Amazon's.
func IsAmazon(endpoint string) bool {
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
