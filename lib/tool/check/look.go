package check

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/keyring"
	"microsecrets/lib/internal/printable"
	"microsecrets/lib/internal/settings"
	"microsecrets/lib/internal/survey"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

const (
	maxWait      = 10 * time.Second // for anything without progress; less if the setting timeout is
	identityWait = 3 * time.Second
	maxSkew      = 5 * time.Minute
	readMax      = 1 << 20 // bytes of a secret that are decrypted

	someRegion = "us-east-1" // where a bucket's region can be asked for without knowing it
)

// A checker looks at one thing after the other, and goes on as far as it can.
type checker struct {
	options
	t       *tool.Tool
	targets []target

	settings *settings.Settings
	bucket   string // empty: there is no store
	under    string // what keys begin with: PREFIX and a slash, or nothing
	client   *awsclient.Client
	survey   *survey.Surveyor
	store    *secret.Store
	region   bool // it is known

	unusable map[string]bool // KMS keys that cannot be tried

	bad    bool  // a row was "no"
	failed error // of standard output
}

func (c *checker) run(ctx context.Context) error {
	steps := []func(context.Context) bool{c.lookAtSettings, c.connect, c.lookAtServers, c.lookAtRights}
	for _, step := range steps {
		if on := step(ctx); !on || c.failed != nil || ctx.Err() != nil {
			break
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return c.failed
}

// rest is the row of all that comes after what it depends on.
func (c *checker) rest(what, without string) {
	c.add(row{State: unknown, What: what, Detail: "not looked at without " + without})
}

func (c *checker) lookAtSettings(context.Context) bool {
	s, err := c.t.OtherSettings()
	if s == nil {
		c.add(c.failure("settings", err, bad, ""))
		c.rest("everything else", "the settings")
		return false
	}
	own := *s
	own.Timeout = min(s.Timeout, maxWait)
	c.settings = &own
	for _, each := range s.Describe() {
		switch {
		case each.Value == "", each.Name == "region":
		case err != nil && (each.Name == "store" || each.Name == "origin"):
		default:
			c.add(row{State: fit, What: each.Name, Detail: fmt.Sprintf("%s (%s)", each.Value, each.Source)})
		}
	}
	if err != nil {
		c.add(c.failure("store", err, bad, ""))
		return true
	}
	c.bucket, c.under, _ = secret.SplitStore(s.Store) // it has been checked
	return true
}

// connect finds the region and the credentials.
func (c *checker) connect(ctx context.Context) bool {
	client, open, err := c.t.Connect(ctx, c.settings)
	c.region = err == nil
	if err != nil && ctx.Err() == nil {
		elsewhere := *c.settings
		elsewhere.Region = someRegion
		var other error
		if client, open, other = c.t.Connect(ctx, &elsewhere); other != nil {
			c.add(c.failure("AWS configuration", other, bad, ""))
			c.rest("everything else", "the configuration")
			return false
		}
		c.add(c.failure("region", err, bad, ""))
	}
	if ctx.Err() != nil {
		return false
	}
	c.client = client
	c.survey = survey.New(client, c.settings.BucketOwner)
	if c.bucket != "" {
		if c.store, err = open(); err != nil {
			c.add(c.failure("store", err, bad, ""))
		}
	}
	if c.region {
		c.addRegion()
	}
	return true
}

func (c *checker) addRegion() {
	source := c.client.RegionSource()
	for _, s := range c.settings.Describe() {
		if s.Name == "region" && s.Source != "default" {
			source = s.Source
		}
	}
	c.add(row{State: fit, What: "region", Detail: fmt.Sprintf("%s (%s)", c.client.Region(), source)})
}

// seen is what was found out side by side.
type seen struct {
	s3, kms  awsclient.Reached
	identity survey.Fact[survey.Identity]
	bucket   *survey.Bucket
	keys     []survey.Key
	services []string // of the keys
}

// isAccessPoint reports whether the store is an access point, behind which nobody can
// look.
func (c *checker) isAccessPoint() bool {
	return strings.HasPrefix(c.bucket, "arn:") || strings.HasSuffix(c.bucket, "-s3alias") || strings.HasSuffix(c.bucket, "--ol-s3")
}

// lookAtServers looks at all that is not about secrets.
func (c *checker) lookAtServers(ctx context.Context) bool {
	key, err := c.client.AccessKey(ctx)
	if ctx.Err() != nil {
		return false
	}
	credentials := err == nil
	if credentials {
		c.addCredentials(key)
	} else {
		c.add(c.failure("credentials", err, bad, ""))
	}

	var s seen
	var ids []string
	if credentials && c.region {
		ids, s.services = c.keys()
		s.keys = make([]survey.Key, len(ids))
	}
	var group errgroup.Group
	look := func(f func()) {
		group.Go(func() error {
			f()
			return nil
		})
	}
	look(func() {
		bucket := c.bucket
		if strings.HasPrefix(bucket, "arn:") {
			bucket = "" // it names no host of its own
		}
		s.s3 = c.client.ReachS3(ctx, bucket)
	})
	look(func() { s.kms = c.client.ReachKMS(ctx) })
	if credentials {
		look(func() {
			bounded, cancel := context.WithTimeout(ctx, identityWait)
			defer cancel()
			s.identity = c.survey.Identity(bounded)
		})
		if c.bucket != "" && !c.isAccessPoint() {
			look(func() { s.bucket = c.survey.Bucket(ctx, c.bucket) })
		}
		for i, id := range ids {
			look(func() { s.keys[i] = c.survey.Key(ctx, id) })
		}
	}
	group.Wait()
	if ctx.Err() != nil {
		return false
	}

	if credentials {
		credentials = c.addIdentity(s.identity, isOff(s.s3) || isOff(s.kms))
	}
	c.addClock(s.s3, s.kms)
	c.addServer("S3", s.s3)
	c.addServer("KMS", s.kms)
	c.addTLS(s.s3, s.kms)
	if !credentials {
		c.rest("bucket, keys and rights", "good credentials")
		return false
	}
	c.addBucket(&s)
	c.addKeys(&s)
	switch {
	case s.s3.Err != nil:
		c.rest("rights", "S3")
	case !c.region:
		c.rest("rights", "the region")
	case s.bucket != nil && s.bucket.Exists.Err == nil && !s.bucket.Exists.Value:
		c.rest("rights", "a bucket")
	default:
		return c.store != nil
	}
	return false
}

func (c *checker) addCredentials(key awsclient.AccessKey) {
	detail := "an access key that does not have the form of AWS's"
	if key.End != "" {
		detail = "access key …" + key.End
	}
	detail += ", from " + key.Source
	if !key.Expires.IsZero() {
		detail += ", until " + key.Expires.UTC().Format(time.RFC3339)
	}
	c.add(row{State: fit, What: "credentials", Detail: detail})
}

// addIdentity reports whether the credentials may be good: STS has not refused them.
func (c *checker) addIdentity(who survey.Fact[survey.Identity], clockOff bool) bool {
	if who.Err != nil {
		r := c.failure("identity", who.Err, unknown, "")
		switch {
		case r.State == bad && clockOff:
			r.Remedy = "set the clock first: what it signs is refused for its time"
		case r.State == bad && r.Remedy == "":
			r.Remedy = "check the access key and its secret, or renew the session"
		}
		c.add(r)
		return r.State != bad
	}
	c.add(row{State: fit, What: "identity", Detail: who.Value.ARN})
	return true
}

// isOff reports whether this machine's clock differs too much from a server's.
func isOff(s awsclient.Reached) bool { return s.Dated && s.Ahead.Abs() > maxSkew }

func (c *checker) addClock(servers ...awsclient.Reached) {
	for _, s := range servers {
		if !s.Dated {
			continue
		}
		r := row{State: fit, What: "clock", Detail: "within 5 minutes of the server's"}
		if isOff(s) {
			way := "behind"
			if s.Ahead < 0 {
				way = "ahead of"
			}
			r.State = bad
			r.Detail = fmt.Sprintf("this machine's clock is %v %s the server's", s.Ahead.Abs(), way)
			r.Remedy = "set the clock, and keep it so by NTP: timedatectl set-ntp true"
		}
		c.add(r)
		return
	}
	c.add(row{State: unknown, What: "clock", Detail: "no server has said what time it is"})
}

func (c *checker) addServer(service string, s awsclient.Reached) {
	r := row{State: fit, What: service, Detail: s.URL}
	if s.Err != nil {
		advice := tool.Advice(s.Err)
		if advice == "" {
			advice = "check the network, AWS_ENDPOINT_URL_" + service + ", AWS_ENDPOINT_URL, HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
		}
		r = row{State: bad, What: service, Detail: strings.TrimPrefix(s.URL+": "+s.Err.Error(), ": "), Remedy: advice}
	}
	c.add(r)
}

func (c *checker) addTLS(servers ...awsclient.Reached) {
	r := row{State: fit, What: "TLS", Detail: "certificates are valid"}
	for _, s := range servers {
		u, err := url.Parse(s.URL)
		switch {
		case err != nil || s.URL == "" || u.Scheme == "https" && s.Err != nil:
			if r.State == fit {
				r = row{State: unknown, What: "TLS", Detail: "not looked at"}
			}
		case u.Scheme == "https":
		case !isLocal(u.Hostname()):
			c.add(row{State: bad, What: "TLS", Detail: s.URL + " is not encrypted: others on the way can read data keys and pretend to be the server",
				Remedy: "give the endpoint as https://"})
			return
		case r.State == fit:
			r = row{State: inapplicable, What: "TLS", Detail: s.URL + " is on this machine"}
		}
	}
	c.add(r)
}

func isLocal(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// services are those of the arguments, each once.
func (c *checker) services() (services []string) {
	said := map[string]bool{}
	for _, t := range c.targets {
		if !said[t.service] {
			services = append(services, t.service)
		}
		said[t.service] = true
	}
	return services
}

// keys are the KMS keys of the services, each once, and the first service of each.
func (c *checker) keys() (ids, services []string) {
	all := c.services()
	if all == nil && !strings.Contains(c.settings.Key, "{service}") {
		all = []string{"every service"}
	}
	said := map[string]bool{}
	for _, service := range all {
		keys, err := keyring.Keys(c.settings.Key, service)
		if err != nil {
			c.add(c.failure("key of "+service, err, bad, ""))
		}
		for _, id := range keys {
			if !said[id] {
				ids, services = append(ids, id), append(services, service)
			}
			said[id] = true
		}
	}
	return ids, services
}

// addBucket adds what ms-init would make of the bucket.
func (c *checker) addBucket(s *seen) {
	b := s.bucket
	switch {
	case c.bucket == "":
		c.rest("bucket", "a store")
		return
	case s.s3.Err != nil && (b == nil || b.Exists.Err != nil):
		c.rest("bucket", "S3")
		return
	case b == nil:
		c.add(row{State: inapplicable, What: "bucket", Detail: "the store is an access point: what is behind it is not looked at"})
		return
	}
	var args []string
	if b.Exists.Value && (b.Empty.Err != nil || !b.Empty.Value) {
		args = append(args, "-adopt")
	}
	remedy := c.makeCommand(append(args, c.services()...)...)
	for _, i := range b.Items(survey.Wanted{Under: c.under}) {
		if i.Thing != survey.TheBucket && !b.Exists.Value {
			break // the bucket comes first
		}
		r := c.item(i, remedy)
		switch {
		case i.Thing != survey.TheBucket:
		case i.State == survey.Missing:
			r.Detail = "there is none"
			r.Remedy = "check the setting store; to make it: " + remedy
		case i.State == survey.Fit:
			r.Detail = "in " + b.Region.Value
		}
		c.add(r)
	}
}

// item is the row of an item. Remedy is the command that mends it.
func (c *checker) item(i survey.Item, remedy string) row {
	switch i.State {
	case survey.Fit:
		return row{State: fit, What: i.What}
	case survey.Missing:
		return row{State: bad, What: i.What, Detail: "missing", Remedy: remedy}
	case survey.Unfit:
		return row{State: bad, What: i.What, Detail: "not as it should be", Remedy: remedy}
	case survey.Inapplicable:
		return row{State: inapplicable, What: i.What}
	case survey.Left:
		return row{State: bad, What: i.What, Detail: i.Err.Error(), Remedy: hint.Of(i.Err)}
	}
	return c.failure(i.What, i.Err, unknown, "")
}

func (c *checker) addKeys(s *seen) {
	switch {
	case !c.region:
		c.rest("keys", "the region")
	case len(s.keys) == 0 && len(c.targets) == 0:
		c.add(row{State: inapplicable, What: "keys", Detail: "give a SERVICE or a NAME to look at its key"})
	}
	c.unusable = map[string]bool{}
	for n, k := range s.keys {
		service := s.services[n]
		if errors.Is(k.Found.Err, awsclient.ErrUnreachable) {
			c.unusable[k.ID] = true
		}
		remedy := c.makeCommand(service)
		if len(c.targets) == 0 {
			remedy = c.makeCommand("SERVICE")
		}
		for _, i := range c.survey.Items(k, service, s.identity.Value.Account) {
			if i.State == survey.Missing || i.Thing == survey.TheKey && i.State == survey.Left {
				c.unusable[k.ID] = true
			}
			if i.State == survey.Missing && i.Thing != survey.TheAlias {
				continue // the alias says it
			}
			r := c.item(i, remedy)
			switch {
			case i.Thing == survey.TheAlias && i.State == survey.Fit:
				r.Detail = "names " + k.Found.Value.ARN
			case i.Thing == survey.TheAlias:
				r.Detail = "no such KMS key or alias in this account and region"
			case i.Thing == survey.TheKey && i.State == survey.Fit:
				r.Detail = strings.ToLower(printable.Line(string(k.Found.Value.State)))
			}
			c.add(r)
		}
	}
}

// lookAtRights tries what the caller may do with secrets.
func (c *checker) lookAtRights(ctx context.Context) bool {
	targets := c.targets
	if len(targets) == 0 {
		targets = []target{{}}
	}
	for _, t := range targets {
		found, listed := c.list(ctx, t)
		if t.arg == "" || ctx.Err() != nil {
			return true
		}
		c.mayWrite(ctx, t)
		switch {
		case t.name != "":
			c.read(ctx, t, t.name)
		case found != "":
			c.read(ctx, t, found)
		case t.prefix == "":
			c.add(row{State: inapplicable, What: "get and decrypt", Detail: "give a NAME, and -exact: the service default has no path to be listed by"})
		case listed:
			c.add(row{State: inapplicable, What: "get and decrypt", Detail: "nothing to try: there are no names that begin with " + t.prefix})
		default:
			c.add(row{State: unknown, What: "get and decrypt", Detail: "no name is known to try", Remedy: "give a NAME"})
		}
		if c.write && ctx.Err() == nil {
			c.putAndRemove(ctx, t)
		}
	}
	return true
}

// list asks for the first names of a target, and returns one below its prefix.
func (c *checker) list(ctx context.Context, t target) (name string, listed bool) {
	what := "list " + cmp.Or(t.prefix, c.store.String())
	for e, err := range c.store.List(ctx, t.prefix, nil) {
		if err != nil {
			if ctx.Err() == nil {
				c.add(c.failure(what, err, bad, t.arg))
			}
			return "", false
		}
		if t.prefix != "" && secret.CheckName(e.Name) == nil {
			name = e.Name
		}
		break
	}
	c.add(row{State: fit, What: what})
	return name, true
}

// mayWrite asks KMS, and no more: S3 does not tell without a write.
func (c *checker) mayWrite(ctx context.Context, t target) {
	what := "encrypt for " + t.arg
	if c.settings.Origin != "" {
		c.add(row{State: inapplicable, What: what, Detail: "the store has an origin, and can only be read"})
		return
	}
	ids, err := keyring.Keys(c.settings.Key, t.service)
	if err != nil {
		return // said with the keys
	}
	name := t.name
	if name == "" {
		name = t.folder + "ms-check"
	}
	// The pairs that a message has: policies have conditions on them.
	pairs := map[string]string{
		"ms-store": c.store.String(), "ms-name": name, "ms-at": time.Now().UTC().Format(time.RFC3339),
	}
	if c.settings.By != "" {
		pairs["ms-by"] = c.settings.By
	}
	if !c.settings.Unsigned {
		pairs["aws-crypto-public-key"] = "ms-check"
	}
	for i, id := range ids {
		if c.unusable[id] {
			c.rest(what, "the key "+printable.Line(id))
			continue
		}
		may := c.survey.MayEncrypt
		if i == 0 {
			may = c.survey.MayGenerate
		}
		r := row{State: fit, What: what, Detail: "with " + printable.Line(id)}
		if err := may(ctx, id, pairs); ctx.Err() != nil {
			return
		} else if err != nil {
			r = c.failure(what, err, bad, t.arg)
		}
		c.add(r)
	}
}

// enough ends the reading of a large secret.
type enough struct{ left int }

var errEnough = errors.New("enough was read")

func (e *enough) Write(p []byte) (int, error) {
	if e.left -= len(p); e.left < 0 {
		return 0, errEnough
	}
	return len(p), nil
}

// read gets and decrypts a secret, of which nothing is kept.
func (c *checker) read(ctx context.Context, t target, name string) {
	get, decrypt := "get "+name, "decrypt "+name
	_, err := c.store.Stream(ctx, name, &enough{readMax}, nil)
	var e *awsclient.Error
	errors.As(err, &e)
	switch {
	case ctx.Err() != nil:
	case err == nil:
		c.add(row{State: fit, What: get})
		c.add(row{State: fit, What: decrypt})
	case errors.Is(err, errEnough):
		c.add(row{State: fit, What: get})
		c.add(row{State: fit, What: decrypt, Detail: "its first MiB, which is all that was tried"})
	case errors.Is(err, secret.ErrNotFound):
		r := c.failure(get, err, bad, t.arg)
		r.Remedy = cmp.Or(r.Remedy, "to store it: ms-put "+tool.Quote(name))
		c.add(r)
	case e != nil && e.Op == "GetObject":
		c.add(c.failure(get, err, bad, t.arg))
	default:
		c.add(row{State: fit, What: get})
		c.add(c.failure(decrypt, err, bad, t.arg))
	}
}

// putAndRemove stores a secret under a name that nobody has, and removes it, also if
// the user interrupts it.
func (c *checker) putAndRemove(ctx context.Context, t target) {
	var random [8]byte
	rand.Read(random[:])
	name := t.folder + "ms-check-" + hex.EncodeToString(random[:])
	if c.settings.Origin != "" {
		return // said by mayWrite
	}
	receipt, err := c.store.Put(ctx, name, strings.NewReader("ms-check\n"), &secret.PutOptions{Create: true})
	if err != nil {
		r := c.failure("put "+name, err, bad, t.arg)
		if r.Action == "s3:PutObject" && c.survey.Elsewhere() {
			// There it is tried first whether conditions hold.
			r.Role = "merger"
			r.Remedy = "needs s3:PutObject and, at this server, s3:GetObject: " + c.policyCommand(r.Role, t.arg)
		}
		if failed, ok := errors.AsType[*secret.Error](err); ok && failed.MaybeApplied {
			r.Remedy = "if it was stored: ms-rm " + tool.Quote(name)
			c.add(r)
		} else if ctx.Err() == nil {
			c.add(r)
		}
		return
	}
	c.add(row{State: fit, What: "put " + name})
	what := "remove " + name
	if ctx.Err() != nil {
		// The second creation, by which the server is tested, may act after the removal.
		defer c.add(row{State: unknown, What: what, Detail: "interrupted while the server was tested: it may be stored once more",
			Remedy: "if it is there: ms-rm " + tool.Quote(name)})
	}
	ctx = context.WithoutCancel(ctx)
	if receipt.Version != "" {
		if err = c.store.Remove(ctx, name, &secret.RemoveOptions{Version: receipt.Version}); err == nil {
			c.add(row{State: fit, What: what})
			return
		}
	}
	err = c.store.Remove(ctx, name, &secret.RemoveOptions{If: receipt.ETag})
	switch {
	case err != nil:
		r := c.failure(what, err, bad, t.arg)
		r.Remedy = strings.TrimSuffix("it is still there: ms-rm "+tool.Quote(name)+"\n"+r.Remedy, "\n")
		c.add(r)
	case receipt.Version != "":
		c.add(row{State: fit, What: what, Detail: "by a deletion; its version stays in the history"})
	default:
		c.add(row{State: fit, What: what})
	}
}
