package awsclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/printable"
)

const (
	// metadataTimeout is what the instance metadata service is given to answer.
	// With the SDK's own timeout, a laptop without credentials would wait for many
	// seconds before it learns so.
	metadataTimeout = 1500 * time.Millisecond

	// sourceMax bounds what a connection to a source of credentials brings, in bytes.
	sourceMax = 1 << 20
)

// LoadOptions say what of the SDK's configuration is given, and how long is waited
// for the rest of it.
type LoadOptions struct {
	Region  string        // overrides the SDK's own, unless empty
	Profile string        // overrides the SDK's own, unless empty
	Timeout time.Duration // bounds each source of credentials; 0 or below is no bound

	// MFA asks a person for the code that a profile wants, and takes any time. Nil
	// means that nobody can be asked. Its error is shown.
	MFA func(context.Context) (string, error)

	NoProcess bool // a profile with credential_process is an ErrDenied: no program is run
}

// Load reads the SDK's configuration. Where no region is configured it is that of
// the instance. The error is an ErrConfig or an ErrDenied, whose text is not the
// SDK's: that may hold the output of a credential_process, a URL with a password, or
// a token. Credentials are obtained by the first request, or by Client.Authenticate.
func Load(ctx context.Context, o LoadOptions) (aws.Config, error) {
	asking := new(question)
	cfg, err := o.load(ctx, asking)
	if err == nil && cfg.Region == "" {
		if o.Region, err = instanceRegion(ctx, cfg); err == nil {
			cfg, err = o.load(ctx, asking)
		}
	}
	if err != nil {
		return cfg, err
	}
	if err := Check(cfg); err != nil {
		return cfg, err
	}
	checked := &checkedCredentials{cfg.Credentials, o.Timeout, asking}
	if o.NoProcess && slices.Contains(checked.ProviderSources(), aws.CredentialSourceProcess) {
		return cfg, hint.With(&Error{Kind: ErrDenied, Detail: "no credentials: the profile has a credential_process, which is not run here"},
			"use the credentials that it prints, in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN")
	}
	cfg.Credentials = checked
	return cfg, nil
}

// Dial opens a connection, as the method of net.Dialer does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

type dialKey struct{}

// WithDial returns a context with which Load gives a configuration that opens its
// connections by dial: a test of a whole program reaches a server in memory.
func WithDial(ctx context.Context, dial Dial) context.Context {
	return context.WithValue(ctx, dialKey{}, dial)
}

// Authenticate obtains credentials, so that missing ones are a clear failure, an
// ErrDenied, before any request to S3 or KMS.
func (c *Client) Authenticate(ctx context.Context) error {
	_, err := c.cfg.Credentials.Retrieve(ctx)
	return err
}

// load reads the SDK's configuration. A file may be a pipe into which nobody
// writes.
func (o LoadOptions) load(ctx context.Context, asking *question) (aws.Config, error) {
	type result struct {
		cfg aws.Config
		err error
	}
	plain := awshttp.NewBuildableClient()
	dial := plain.GetTransport().DialContext
	if given, ok := ctx.Value(dialKey{}).(Dial); ok {
		dial = given
	}
	client := plain.WithTransportOptions(restrict, func(t *http.Transport) {
		t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &boundedConn{c, io.LimitReader(c, sourceMax)}, nil
		}
	})
	options := []func(*config.LoadOptions) error{
		config.WithRegion(o.Region),
		config.WithSharedConfigProfile(o.Profile),
		config.WithLogger(logging.Nop{}),
		config.WithHTTPClient(client),
		// The SDK gives the container's endpoint a client of its own otherwise.
		config.WithEndpointCredentialOptions(func(e *endpointcreds.Options) { e.HTTPClient = client }),
	}
	if o.Timeout > 0 {
		options = append(options, config.WithProcessCredentialOptions(func(p *processcreds.Options) { p.Timeout = o.Timeout }))
	}
	if o.MFA != nil {
		options = append(options, config.WithAssumeRoleCredentialOptions(func(a *stscreds.AssumeRoleOptions) {
			a.TokenProvider = func() (string, error) {
				asking.Lock()
				defer asking.Unlock()
				defer asking.answered.Store(true)
				code, err := o.MFA(ctx)
				if err != nil {
					err = &mfaError{err}
				}
				return code, err
			}
		}))
	}
	bounded, cancel := withBound(ctx, o.Timeout, asking)
	defer cancel(nil)
	loaded := make(chan result, 1)
	go func() {
		cfg, err := config.LoadDefaultConfig(bounded, options...)
		if err != nil {
			err = configError(err)
		}
		loaded <- result{cfg, err}
	}()
	select {
	case r := <-loaded:
		// What the sources of credentials use stays bounded; objects are larger.
		if b, ok := r.cfg.HTTPClient.(*awshttp.BuildableClient); ok {
			r.cfg.HTTPClient = b.WithTransportOptions(func(t *http.Transport) { t.DialContext = dial })
		}
		return r.cfg, r.err
	case <-bounded.Done():
		if ctx.Err() != nil {
			return aws.Config{}, context.Cause(ctx)
		}
		return aws.Config{}, hint.With(&Error{Kind: ErrDenied, Detail: fmt.Sprintf("no credentials: the AWS configuration cannot be read in %v", o.Timeout)}, filesHint)
	}
}

// boundedConn is a connection that ends after so many bytes.
type boundedConn struct {
	net.Conn
	r io.Reader
}

func (c *boundedConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// question is what a person is asked: it is locked meanwhile.
type question struct {
	sync.Mutex
	answered atomic.Bool // since the bound last began
}

// withBound returns a context that ends after the timeout, which begins again when a
// person has been asked.
func withBound(ctx context.Context, timeout time.Duration, asking *question) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if timeout <= 0 {
		return ctx, cancel
	}
	var timer *time.Timer
	timer = time.AfterFunc(math.MaxInt64, func() {
		asking.Lock() // while a person is asked, the time does not count
		defer asking.Unlock()
		if asking.answered.Swap(false) {
			timer.Reset(timeout)
			return
		}
		cancel(context.DeadlineExceeded)
	})
	timer.Reset(timeout)
	context.AfterFunc(ctx, func() { timer.Stop() })
	return ctx, cancel
}

const (
	filesHint  = "check AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, or ~/.aws/config and ~/.aws/credentials"
	regionHint = "give one by -region, MS_REGION, AWS_REGION or the profile\nsuch as: export AWS_REGION=eu-central-1"
)

func configError(err error) error {
	switch {
	case errors.As(err, new(config.SharedConfigProfileNotExistError)):
		return hint.With(&Error{Kind: ErrConfig, Detail: "the AWS configuration has no such profile"},
			"it is named by -profile, MS_PROFILE, AWS_PROFILE, or the source_profile of another one\naws configure list-profiles lists those that there are")
	case errors.As(err, new(config.AssumeRoleTokenProviderNotSetError)):
		return noMFA(errors.New("nobody can be asked"))
	case errors.As(err, new(config.SharedConfigLoadError)):
		return hint.With(&Error{Kind: ErrConfig, Detail: "a file of the AWS configuration cannot be used"}, filesHint)
	case errors.As(err, new(config.SharedConfigAssumeRoleError)), errors.As(err, new(config.CredentialRequiresARNError)):
		return hint.With(&Error{Kind: ErrConfig, Detail: "the role of the profile cannot be used"},
			"check role_arn, source_profile and credential_source of the profile that -profile, MS_PROFILE or AWS_PROFILE names")
	}
	suspects := slices.DeleteFunc([]string{
		"AWS_CA_BUNDLE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_DEFAULTS_MODE", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE",
		"AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION", "AWS_ROLE_ARN", "AWS_S3_USE_ARN_REGION",
		"AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT", "AWS_WEB_IDENTITY_TOKEN_FILE",
	}, func(name string) bool { return os.Getenv(name) == "" })
	what := filesHint
	if len(suspects) > 0 {
		what = "check " + strings.Join(suspects, ", ") + " and the files of the AWS configuration (~/.aws/config, ~/.aws/credentials)"
	}
	return hint.With(&Error{Kind: ErrConfig, Detail: "the AWS configuration cannot be used"}, what)
}

func instanceRegion(ctx context.Context, cfg aws.Config) (string, error) {
	bounded, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	out, err := imds.NewFromConfig(cfg).GetRegion(bounded, nil)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil || !isRegion(out.Region):
		return "", hint.With(&Error{Kind: ErrConfig, Detail: "no region"}, regionHint)
	}
	return out.Region, nil
}

// RegionSource says where the region of a configuration that Load returned came
// from, unless it was given to Load.
func RegionSource(cfg aws.Config) string {
	for _, source := range cfg.ConfigSources {
		switch c := source.(type) {
		case config.EnvConfig:
			if c.Region == cfg.Region && os.Getenv("AWS_REGION") != "" {
				return "AWS_REGION"
			} else if c.Region == cfg.Region {
				return "AWS_DEFAULT_REGION"
			}
		case config.SharedConfig:
			if c.Region == cfg.Region {
				return "the AWS profile"
			}
		}
	}
	return "the instance metadata service"
}

// isRegion reports whether a name can be a part of a host's.
func isRegion(name string) bool {
	return printable.Word(name, 63, "-") && strings.Trim(name, "-") == name
}

// Check refuses a configuration with which no request can be made: an ErrConfig,
// which shows no value.
func Check(cfg aws.Config) error {
	switch {
	case cfg.Region == "":
		return hint.With(&Error{Kind: ErrConfig, Detail: "no region"}, regionHint)
	case !isRegion(cfg.Region):
		return hint.With(&Error{Kind: ErrConfig, Detail: "the region is not a region's name"}, regionHint)
	}
	ofS3, ofKMS := s3.NewFromConfig(cfg).Options(), kms.NewFromConfig(cfg).Options()
	err := checkEndpoint("S3", ofS3.BaseEndpoint, ofS3.EndpointOptions.UseFIPSEndpoint, ofS3.EndpointOptions.UseDualStackEndpoint)
	if err == nil {
		err = checkEndpoint("KMS", ofKMS.BaseEndpoint, ofKMS.EndpointOptions.UseFIPSEndpoint, ofKMS.EndpointOptions.UseDualStackEndpoint)
	}
	return err
}

func checkEndpoint(service string, endpoint *string, fips aws.FIPSEndpointState, dualStack aws.DualStackEndpointState) error {
	if endpoint == nil {
		return nil
	}
	from := "AWS_ENDPOINT_URL_" + service + ", AWS_ENDPOINT_URL or the profile"
	u, err := url.Parse(*endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || !hasPort(u) || u.RawQuery != "" || u.Fragment != "":
		return hint.With(&Error{Kind: ErrConfig, Detail: "the endpoint of " + service + " is not a URL that begins with https:// or http:// and a host"},
			"it is named by "+from)
	case u.User != nil:
		return hint.With(&Error{Kind: ErrConfig, Detail: "the endpoint of " + service + " has a user or a password in its URL, which are not sent"},
			"it is named by "+from)
	case fips == aws.FIPSEndpointStateEnabled:
		return hint.With(&Error{Kind: ErrConfig, Detail: "a FIPS endpoint and an endpoint's URL do not go together"},
			"unset AWS_USE_FIPS_ENDPOINT, use_fips_endpoint of the profile, or "+from)
	case dualStack == aws.DualStackEndpointStateEnabled:
		return hint.With(&Error{Kind: ErrConfig, Detail: "a dual-stack endpoint and an endpoint's URL do not go together"},
			"unset AWS_USE_DUALSTACK_ENDPOINT, use_dualstack_endpoint of the profile, or "+from)
	}
	return nil
}
