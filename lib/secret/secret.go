// Package secret keeps secrets by name in an S3 bucket, each one object,
// encrypted and signed on the client as an AWS Encryption SDK message with a
// data key from KMS. A secret is bound to its store, its name and its key.
//
// What was put is what is got, byte for byte, and nothing unverified is released:
//
//	store, err := secret.Open(ctx, "s3://example-microsecrets/prod", nil)
//	…
//	_, err = store.Put(ctx, "myservice/tls.key", bytes.NewReader(key), nil)
//	…
//	key, err := store.Get(ctx, "myservice/tls.key", nil)
//
// Options, wherever they are taken, may be nil.
package secret

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/internal/defaults"
	"microsecrets/lib/internal/keyring"
	"microsecrets/lib/message"
)

// DefaultKey is Options.Key where none is given.
const DefaultKey = defaults.Key

// DefaultTimeout is Options.Timeout where none is given.
const DefaultTimeout = defaults.Timeout

// MaxInMemory is how many bytes of secrets a Store holds in memory until they are
// verified, and so the largest secret that Get returns.
const MaxInMemory = 64 << 20

// The encryption context's keys. All of them are stored in clear in the
// object's header and are sent to KMS.
const (
	contextStore = "ms-store"
	contextName  = "ms-name"
	contextBy    = "ms-by"
	contextAt    = "ms-at"
)

// A claim is what the encryption context of a new message says, beside what the
// message is bound to.
type claim struct {
	kept       map[string]string // of a message that is encrypted anew; nil: who writes it, and when
	copiedFrom string            // the URL of the secret that it is a copy of; empty: it is none
}

// Options say which keys secrets are under, and how S3 and KMS are reached.
type Options struct {
	// Key is a KMS key in any form that KMS takes, or several with commas:
	// the first makes data keys, every further one wraps them as well, and any one
	// of them is enough to read. {service} in it is the name's service, its first
	// segment. Empty means DefaultKey.
	Key string

	// Origin is the store that the objects were written for, where the store is a
	// replica of it. With it set nothing can be put.
	Origin string

	BucketOwner string // the account that must own the bucket, 12 digits
	SSE         string // the server-side encryption header, aws:kms or AES256

	// By is who writes: a claim of at most 256 bytes, stored in clear. Nil means
	// user@host, and an empty text no claim.
	By *string

	Unsigned bool // write and accept messages without a signature; see doc/threats.md

	// LastWriterWins sends no conditions, for a server that ignores them: the writer
	// that comes last silently undoes what others wrote.
	LastWriterWins bool

	// PathStyle puts the bucket into the path instead of the host name. Nil
	// means automatic: for any configured endpoint outside amazonaws.com.
	PathStyle *bool

	// Timeout is the longest wait without progress, not a bound on a whole
	// transfer. 0 means DefaultTimeout, below 0 no bound.
	Timeout time.Duration

	// Trace, unless nil, is given each request when it has ended, from several
	// goroutines at once. It never sees a secret.
	Trace func(Request)

	// Moved, unless nil, is given how many bytes of a request or an answer have just been
	// sent or received, headers aside and those of a repeated request again, from several
	// goroutines at once. It is called for each piece, and must not take time.
	Moved func(n int)

	// Retrying, unless nil, is called when a request has failed and is to be made again,
	// from several goroutines at once.
	Retrying func(Retry)

	Region  string // of Open alone: overrides AWS_REGION and the profile's region
	Profile string // of Open alone: overrides AWS_PROFILE

	// NoProcess, of Open alone, makes a profile with credential_process an ErrDenied:
	// no program is run.
	NoProcess bool

	// MFA, of Open alone, returns the code that a profile with mfa_serial wants, and
	// may take any time. Nil means that such a profile is an ErrDenied.
	MFA func(context.Context) (string, error)

	// Ahead, of Open alone, is what will be done first.
	Ahead Ahead
}

// Ahead is what a caller will do with a store as soon as it is open. Connections for
// it are opened, TLS included, while the credentials are being found. It promises
// nothing: what is not used is closed after a few seconds.
type Ahead struct {
	// Names are the secrets that will be read or written, all at once. Each gets a
	// connection to S3 and one to KMS, of at most 32 to each server.
	Names []string

	Raw bool // KMS will not be asked
}

// Request is one request to S3 or KMS, by what is public of it.
type Request struct {
	What      string        // method and URL, or the KMS operation and host, with the number of the attempt
	Status    string        // the HTTP status, empty without an answer
	RequestID string        // the service's, if it answered
	Err       error         // why there is no answer
	Took      time.Duration // from its beginning to its answer, or that of a large answer's header
}

// String is the request in one printable line.
func (r Request) String() string { return awsclient.Request(r).String() }

// Retry is a request that failed and is made again.
type Retry struct {
	Service  string        // S3 or KMS
	Attempt  int           // the one that failed, from 1
	Attempts int           // how many are made at most
	Delay    time.Duration // until the next one is made
	Why      string        // what failed: a status and a code, or a few words, all of it printable
}

// orZero is what options are that may be nil.
func orZero[T any](o *T) T {
	if o == nil {
		o = new(T)
	}
	return *o
}

// Store is a store of secrets. It is safe for concurrent use.
type Store struct {
	location
	origin       location
	options      Options
	cfg          aws.Config
	client       *awsclient.Client
	regionSource string // where Open found the region
	bucket       *bucket.Bucket
	memory       *memory
}

// Open returns a store, with the AWS configuration and credentials that the SDK
// finds: environment, profiles, SSO, web identity, container, instance. It obtains
// credentials, but makes no request to S3 or KMS. A store or an option that cannot
// be used, or no region, is an ErrInvalid; no credentials are an ErrDenied.
func Open(ctx context.Context, store string, o *Options) (*Store, error) {
	s, err := newStore(store, o)
	if err != nil {
		return nil, err
	}
	cfg, err := awsclient.Load(ctx, awsclient.LoadOptions{
		Region:  s.options.Region,
		Profile: s.options.Profile,
		Timeout: s.options.Timeout,
		MFA:     s.options.MFA,

		NoProcess: s.options.NoProcess,
	})
	if err != nil {
		return nil, s.fail("open", "", err)
	}
	s.connect(cfg)
	if s.options.Region == "" {
		s.regionSource = awsclient.RegionSource(cfg)
	}
	if a := s.options.Ahead; len(a.Names) > 0 && !a.Raw && !s.options.Unsigned {
		go message.Prepare()
	}
	defer s.expect(s.options.Ahead)()
	if err := s.client.Authenticate(ctx); err != nil {
		return nil, s.fail("open", "", err)
	}
	return s, nil
}

// expect has connections opened, at least one to S3, until done is called.
func (s *Store) expect(a Ahead) (done func()) {
	all := []func(){}
	for range max(1, len(a.Names)) {
		all = append(all, s.client.ExpectS3(s.location.bucket))
	}
	for _, name := range a.Names {
		if t, err := s.resolve(name); err == nil && !a.Raw {
			all = append(all, s.client.ExpectKMS(keyring.New(s.client, t.kms).Region()))
		}
	}
	return func() {
		for _, done := range all {
			done()
		}
	}
}

// Region is the AWS region in use, and where Open found it: a variable, the profile
// or the instance. Source is empty if it was given by Options or to New.
func (s *Store) Region() (name, source string) { return s.client.Region(), s.regionSource }

// New returns a store, with an AWS configuration of the caller's, whose Region must
// be set. It makes no request of any kind. The configuration's Logger and
// ClientLogMode are not used: they would print data keys.
func New(cfg aws.Config, store string, o *Options) (*Store, error) {
	s, err := newStore(store, o)
	if err != nil {
		return nil, err
	}
	if err := awsclient.Check(cfg); err != nil {
		return nil, s.fail("open", "", err)
	}
	s.connect(cfg)
	return s, nil
}

// Other returns another store, with the AWS configuration and the credentials of s,
// which are obtained once for both. MaxInMemory holds for both together. Of the options
// that are of Open alone, Region and Ahead are used here as well; without a Region the
// other store is in that of s.
func (s *Store) Other(store string, o *Options) (*Store, error) {
	other, err := newStore(store, o)
	if err != nil {
		return nil, err
	}
	cfg := s.cfg.Copy()
	if other.options.Region != "" {
		cfg.Region = other.options.Region
	}
	if err := awsclient.Check(cfg); err != nil {
		return nil, other.fail("open", "", err)
	}
	other.connect(cfg)
	other.memory = s.memory
	other.expect(other.options.Ahead)()
	return other, nil
}

func newStore(store string, o *Options) (*Store, error) {
	s := &Store{memory: newMemory(), options: orZero(o)}
	o = &s.options
	var err error
	if s.location, err = parseLocation(store); err != nil {
		return nil, &Error{Op: "open", Err: err}
	}
	s.origin = s.location
	if o.Origin != "" {
		if s.origin, err = parseLocation(o.Origin); err != nil {
			return nil, &Error{Op: "open", Err: err}
		}
	}
	if s.location.isARN() && o.PathStyle != nil && *o.PathStyle {
		return nil, &Error{Op: "open", Err: invalidf("the ARN of an access point cannot be in the path of a URL, which path-style puts it into")}
	}
	if o.Key == "" {
		o.Key = DefaultKey
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.By == nil {
		by := defaults.By()
		o.By = &by
	}
	if !defaults.ValidBy(*o.By) {
		return nil, &Error{Op: "open", Err: invalidf("Options.By has over %d bytes, or a control character", defaults.ByMax)}
	}
	return s, nil
}

func (s *Store) connect(cfg aws.Config) {
	s.cfg = cfg
	o := s.options
	ao := awsclient.Options{PathStyle: o.PathStyle, Timeout: o.Timeout}
	if s.location.isARN() {
		ao.PathStyle = new(bool)
	}
	if o.Trace != nil {
		ao.Trace = func(r awsclient.Request) { o.Trace(Request(r)) }
	}
	ao.Moved = o.Moved
	if o.Retrying != nil {
		ao.Retrying = func(r awsclient.Retry) { o.Retrying(Retry(r)) }
	}
	s.client = awsclient.New(cfg, ao)
	s3 := s.client.S3()
	s.bucket = bucket.New(s3, s.location.bucket, bucket.Options{
		Owner:         o.BucketOwner,
		SSE:           o.SSE,
		Trusted:       s3.Options().BaseEndpoint == nil, // S3 itself, found by the SDK
		Unconditional: o.LastWriterWins,
	})
}

// Check reports what Open with these options, and then any method with this name,
// would refuse before it sends anything: an ErrInvalid. It makes no request.
func Check(store string, o *Options, name string) error {
	s, err := newStore(store, o)
	if err != nil {
		return err
	}
	_, err = s.resolve(name)
	return s.fail("check", name, err)
}

// String is the store in its canonical form: s3://BUCKET or s3://BUCKET/PREFIX.
func (s *Store) String() string { return s.location.String() }

// target is a name, resolved once: what the requests need of it.
type target struct {
	name string
	key  string   // of the object
	kms  []string // the KMS keys
}

// locate resolves a name where no KMS key is needed.
func (s *Store) locate(name string) (target, error) {
	key, err := s.location.key(name)
	return target{name: name, key: key}, err
}

// resolve resolves a name.
func (s *Store) resolve(name string) (target, error) {
	t, err := s.locate(name)
	if err != nil {
		return t, err
	}
	t.kms, err = s.keys(s.options.Key, name)
	return t, err
}

// keys are the KMS keys of a setting for a name.
func (s *Store) keys(setting, name string) ([]string, error) {
	return keyring.Keys(setting, service(name))
}

// resolveToWrite resolves the name of a secret that is to be changed.
func (s *Store) resolveToWrite(name string) (target, error) {
	if s.options.Origin != "" {
		return target{}, ErrReplica
	}
	t, err := s.resolve(name)
	if err == nil && len(t.kms) > message.MaxDataKeys {
		err = invalidf("%d keys in the setting key: a secret is under at most %d", len(t.kms), message.MaxDataKeys)
	}
	return t, err
}

// ErrReplica is the error of a change through a store with an origin. It is an
// ErrInvalid.
var ErrReplica = invalidf("a store with an origin is a replica: it can only be read")

func (s *Store) suite() message.Suite {
	if s.options.Unsigned {
		return message.Unsigned
	}
	return message.Signed
}

// claims returns who wrote a message, and when, as its header says.
func claims(h *message.Header) (by string, at time.Time) {
	at, _ = time.Parse(time.RFC3339, h.Context[contextAt])
	return h.Context[contextBy], at
}
