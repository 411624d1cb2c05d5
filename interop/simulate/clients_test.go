package simulate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/message"
	"microsecrets/lib/secret"
)

// A simulation is one run of a scenario.
type simulation struct {
	*scenario
	server *fakeawstest.Server
	start  time.Time

	mu       sync.Mutex // guards what follows while clients run
	clock    int64      // of events
	requests int
	counts   map[string]int // of requests, by operation
	sent     map[*http.Request]request
	underWay map[string]int  // writes, by key
	doubts   map[string]bool // the operations of which a write may have been acted on
	staging  int             // writes of the first client
	listed   map[string]int  // the length of the journal when the versions of a key were last listed, by operation
	journal  map[string][]entry
	records  []*record
	seen     map[string]secret.Version // the latest that a client has seen, by name
	faults   []string                  // the requests that were befallen
	log      []string
	quiet    bool // nothing befalls requests
	over     bool // nothing is noted any more

	plaintexts map[string]string // of what landed, by ETag
	violations []violation
	excused    map[string]bool // names whose history no look can make sense of
}

// A violation is a promise that was broken.
type violation struct{ label, text string }

func (s *simulation) violate(label, format string, args ...any) {
	s.violations = append(s.violations, violation{label, fmt.Sprintf(format, args...)})
}

// A record is what an operation did, as its client saw it.
type record struct {
	operation
	client    int
	want      string         // of if, the version that must be there
	content   string         // of a put
	call, ret int64          // in the order of events
	from, to  map[string]int // the lengths of the journals, by name
	err       error
	outcome   outcome
	receipt   *secret.Receipt
	current   bool // of a rotation: nothing to do
	value     string
	etag      string
	names     map[string]bool // of a listing
	versions  []string        // of a listing of versions: their ids, the newest first
}

// An outcome is what a program's exit status says.
type outcome string

const (
	done    outcome = "done"    // 0
	refused outcome = "refused" // 6 or 3: nothing was changed
	unknown outcome = "unknown" // 7, and MaybeApplied: a change was made or not, or will be
	failed  outcome = "failed"  // another status: nothing was changed
)

func outcomeOf(err error) outcome {
	var e *secret.Error
	switch {
	case err == nil:
		return done
	case errors.As(err, &e) && e.MaybeApplied:
		return unknown
	case errors.Is(err, secret.ErrExists), errors.Is(err, secret.ErrChanged), errors.Is(err, secret.ErrNotFound):
		return refused
	}
	return failed
}

func (s *simulation) logf(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf("%8.3f  ", time.Since(s.start).Seconds())+fmt.Sprintf(format, args...))
}

func (s *simulation) lengths() map[string]int {
	lengths := map[string]int{}
	for name, journal := range s.journal {
		lengths[name] = len(journal)
	}
	return lengths
}

func (s *simulation) begin(o operation, client int) *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock++
	r := &record{operation: o, client: client, call: s.clock, from: s.lengths()}
	s.records = append(s.records, r)
	s.logf("%-8s %s %s begins", o.id, o.kind, o.name)
	return r
}

func (s *simulation) end(r *record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock++
	r.ret, r.to, r.err, r.outcome = s.clock, s.lengths(), err, outcomeOf(err)
	if err == nil && r.receipt != nil {
		s.seen[r.name] = secret.Version{Entry: secret.Entry{ETag: r.receipt.ETag}, ID: r.receipt.Version}
	}
	text := fmt.Sprintf("%-8s %s %s %.8s ends: %s", r.id, r.kind, r.name, r.want, r.outcome)
	if r.is(copies) {
		text = fmt.Sprintf("%-8s %s %s to %s ends: %s", r.id, r.kind, r.other, r.name, r.outcome)
	}
	switch {
	case err != nil:
		text += ": " + err.Error()
	case r.receipt != nil:
		text += fmt.Sprintf(": %s %.8s %.6s", r.receipt.Outcome, r.receipt.ETag, r.receipt.Version)
	case r.etag != "":
		text += fmt.Sprintf(": %.8s", r.etag)
	}
	s.logf("%s", text)
}

type idKey struct{}

// as is the context of an operation, whose requests say so.
func as(ctx context.Context, id string) context.Context { return context.WithValue(ctx, idKey{}, id) }

// attribute writes the operation into its requests.
func attribute(stack *middleware.Stack) error {
	return stack.Build.Add(middleware.BuildMiddlewareFunc("Attribute",
		func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
			if id, ok := ctx.Value(idKey{}).(string); ok {
				in.Request.(*smithyhttp.Request).Header.Set(header, id)
			}
			return next.HandleBuild(ctx, in)
		}), middleware.After)
}

// config leads to the emulator; trusted has the library take it for Amazon's.
func (s *simulation) config(trusted bool) aws.Config {
	cfg := s.server.Config()
	cfg.APIOptions = append(cfg.APIOptions, attribute)
	cfg.RetryMaxAttempts = s.attempts
	if trusted {
		own := strings.TrimPrefix(*cfg.BaseEndpoint, "http://127.0.0.1")
		cfg.BaseEndpoint = nil
		cfg.APIOptions = append(cfg.APIOptions, func(stack *middleware.Stack) error {
			return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("Divert",
				func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
					r := in.Request.(*smithyhttp.Request)
					host := "127.0.0.1"
					if bucket, _, virtual := strings.Cut(r.URL.Host, ".s3."); virtual {
						host = bucket + ".localhost"
					}
					r.URL.Scheme, r.URL.Host = "http", host+own
					return next.HandleFinalize(ctx, in)
				}), "ResolveEndpointV2", middleware.After)
		})
	}
	return cfg
}

// The keys between which rotators rotate.
const (
	keyA = "alias/microsecrets-a"
	keyB = "alias/microsecrets-b"
)

func (s *simulation) open(t *testing.T, key string, trusted bool) *secret.Store {
	store, err := secret.New(s.config(trusted), "s3://"+fakeaws.DefaultBucket, &secret.Options{
		Key: key, Unsigned: s.unsigned, Timeout: patience, By: new(string),
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// run runs a scenario. Porcupine works outside of the bubble, in which its time
// limit would never pass.
func run(t *testing.T, c *scenario) *simulation {
	s := &simulation{
		scenario: c, counts: map[string]int{}, sent: map[*http.Request]request{}, underWay: map[string]int{}, doubts: map[string]bool{}, listed: map[string]int{},
		journal: map[string][]entry{}, seen: map[string]secret.Version{}, plaintexts: map[string]string{}, excused: map[string]bool{}, quiet: true,
	}
	synctest.Test(t, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, c.seed)
		s.run(t)
	})
	s.check()
	s.linear()
	return s
}

func (s *simulation) run(t *testing.T) {
	s.start = time.Now()
	s.server = fakeawstest.StartWith(t, fakeaws.Options{InMemory: true, Plan: s.plan, Landed: s.landed})
	defer s.server.Close()
	s.server.Do("bucket " + fakeaws.DefaultBucket + " versioned")
	if s.history != "suspended" {
		s.server.Do("bucket " + fakeaws.DefaultBucket + " " + s.history)
	}
	setup := s.open(t, keyA+","+keyB, true)
	for i := range s.existing {
		if i == 1 && s.history == "suspended" {
			s.server.Do("bucket " + fakeaws.DefaultBucket + " suspended")
		}
		r := s.begin(operation{id: fmt.Sprintf("setup.%d", i), kind: "put", name: nameOf(i)}, len(s.clients))
		r.content = "put " + r.id + "\n"
		var err error
		r.receipt, err = s.open(t, []string{keyA, keyB}[i%2], true).Put(as(t.Context(), r.id), r.name, strings.NewReader(r.content), nil)
		s.end(r, err)
	}
	if s.history == "suspended" {
		s.server.Do("bucket " + fakeaws.DefaultBucket + " suspended")
	}
	s.quiet = false
	var clients sync.WaitGroup
	if s.becomes != "" {
		clients.Go(func() {
			time.Sleep(s.at)
			if _, err := s.server.Control("", "bucket", fakeaws.DefaultBucket, s.becomes); err != nil {
				panic(err)
			}
		})
	}
	shared := s.open(t, keyA+","+keyB, s.trusted)
	rotator := func(i int) *secret.Rotator {
		keys := []string{keyA, keyB}
		return s.open(t, keys[i], s.trusted).NewRotator(&secret.RotateOptions{From: keys[1-i]})
	}
	rotators := []*secret.Rotator{rotator(0), rotator(1)}
	for i, operations := range s.clients {
		c := &client{simulation: s, number: i, store: shared, dice: rand.New(rand.NewPCG(s.seed, hash("client", i)))}
		c.rotator = rotators[i%2]
		if !s.shared {
			c.store = s.open(t, keyA+","+keyB, s.trusted)
			c.rotator = rotator(i % 2)
		}
		clients.Go(func() {
			if s.staged && i > 0 {
				time.Sleep(time.Duration(c.dice.IntN(3000)) * time.Millisecond)
			}
			for _, o := range operations {
				time.Sleep(time.Duration(c.dice.IntN(200_000)) * time.Microsecond)
				if !s.leaves(o.id) && !s.leaves(fmt.Sprintf("c%d", i)) {
					c.do(t.Context(), o)
				}
			}
		})
	}
	clients.Wait()
	time.Sleep(time.Minute) // for the requests that act though their clients are gone
	s.mu.Lock()
	s.quiet = true
	s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.journal)) {
		r := s.begin(operation{id: "final." + name, kind: "get", name: name}, len(s.clients))
		value, err := setup.Get(as(t.Context(), r.id), name, nil)
		r.value = string(value)
		s.end(r, err)
	}
	s.over = true
	s.decrypt(t)
	s.tidy()
}

// tidy looks for what nobody needs any more, where nothing went wrong.
func (s *simulation) tidy() {
	if s.faulty > 0 || s.busy || s.lapses || s.purges || slices.ContainsFunc(s.records, func(r *record) bool { return r.outcome == unknown || r.outcome == failed }) {
		return
	}
	if left := s.server.Do("uploads"); left != "" {
		s.violate("upload-left", "%s", left)
	}
	for line := range strings.Lines(s.server.Do("versions")) {
		if strings.Contains(line, "ms-probe-") && !strings.Contains(line, "deleted") {
			s.violate("probe-left", "%s", line)
		}
	}
}

// decrypt reads the plaintext of all that landed, by the codec alone.
func (s *simulation) decrypt(t *testing.T) {
	client := kms.NewFromConfig(s.server.Config())
	for name, journal := range s.journal {
		for _, e := range journal {
			if !e.put || s.plaintexts[e.object.ETag] != "" {
				continue
			}
			body, err := e.object.Body()
			var plaintext []byte
			if err == nil {
				plaintext, err = open(body, func(h *message.Header) ([]byte, error) {
					out, err := client.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: h.DataKeys[0].Ciphertext, EncryptionContext: h.Context})
					if err != nil {
						return nil, err
					}
					return out.Plaintext, nil
				})
			}
			if err != nil {
				s.violate("unreadable", "%s: what %s stored: %v", name, e.id, err)
			}
			s.plaintexts[e.object.ETag] = string(plaintext)
		}
	}
}

func open(body []byte, unwrap message.UnwrapFunc) ([]byte, error) {
	m, err := message.NewReader(bytes.NewReader(body), message.ReaderOptions{AcceptUnsigned: true}, unwrap)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(m)
}

// A client does its operations one after the other.
type client struct {
	*simulation
	number  int
	store   *secret.Store
	rotator *secret.Rotator
	dice    *rand.Rand
}

func (c *client) do(ctx context.Context, o operation) {
	if o.looks && slices.Contains([]string{"if", "if-version", "add-if", "remove-if", "remove-version"}, o.kind) {
		look := o
		look.id, look.kind = o.id+"-", []string{"stat", "reader"}[o.dice%2]
		if o.kind == "remove-version" {
			look.kind = "versions"
		}
		c.read(ctx, look)
	}
	limit := time.Hour
	if o.share(32, 25) && c.faulty > 0 { // an interrupt
		limit = time.Duration(o.dice>>40%400) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(as(ctx, o.id), limit)
	defer cancel()
	switch o.kind {
	case "get", "reader", "stat", "list", "versions":
		c.read(ctx, o)
	case "bulk":
		var all sync.WaitGroup
		for i := range 3 * c.names {
			one := o
			one.id, one.kind, one.name = fmt.Sprintf("%s.%d", o.id, i), []string{"get", "reader", "stat"}[i%3], nameOf(i/3)
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Microsecond) // in an order that can be repeated
				c.read(ctx, one)
			})
		}
		all.Wait()
	default:
		c.write(ctx, o)
	}
}

// write does an operation that changes something.
func (c *client) write(ctx context.Context, o operation) {
	content := "put " + o.id + "\n"
	if o.kind == "put-changed" {
		content = "put the same\n"
	}
	if c.large && !o.share(8, 4) {
		content += ballast
	}
	if o.kind == "copy" {
		source := o
		source.id, source.kind, source.name = o.id+"-", "get", o.other
		r := c.read(ctx, source)
		if r.outcome != done {
			return
		}
		content, o.kind = r.value+"copy "+o.id+"\n", "create"
	}
	c.mu.Lock()
	want := c.seen[o.name]
	c.mu.Unlock()
	if want.ETag == "" {
		want.ETag = strings.Repeat("0", 32)
	}
	if want.ID == "" || want.ID == secret.NullVersion {
		switch o.kind {
		case "if-version":
			o.kind = "if"
		case "remove-version":
			o.kind = "remove-if"
		}
	}
	r := c.begin(o, c.number)
	r.content = content
	src := io.Reader(strings.NewReader(content))
	if o.share(16, 6) { // a client that pauses
		src = io.MultiReader(pause(o.dice>>24%9000), src)
	}
	merge := func(options *secret.PutOptions) (*secret.Receipt, error) {
		return c.store.Merge(ctx, o.name, func(old []byte) ([]byte, error) {
			if o.share(16, 6) {
				time.Sleep(time.Duration(o.dice>>24%9000) * time.Millisecond)
			}
			return []byte(o.change(string(old))), nil
		}, options)
	}
	var err error
	switch o.kind {
	case "put":
		r.receipt, err = c.store.Put(ctx, o.name, src, nil)
	case "cp", "cp-over":
		r.receipt, err = c.store.Copy(ctx, o.name, c.store, o.other, &secret.CopyOptions{Replace: o.kind == "cp-over"})
	case "put-changed":
		r.receipt, err = c.store.Put(ctx, o.name, src, &secret.PutOptions{Changed: true})
	case "create":
		r.receipt, err = c.store.Put(ctx, o.name, src, &secret.PutOptions{Create: true})
	case "if":
		r.want = want.ETag
		r.receipt, err = c.store.Put(ctx, o.name, src, &secret.PutOptions{If: r.want})
	case "if-version":
		r.want = want.ID
		r.receipt, err = c.store.Put(ctx, o.name, src, &secret.PutOptions{If: r.want})
	case "add", "drop":
		r.receipt, err = merge(nil)
	case "add-if":
		r.want = want.ETag
		r.receipt, err = merge(&secret.PutOptions{If: r.want})
	case "add-create":
		r.receipt, err = merge(&secret.PutOptions{Create: true})
	case "remove":
		err = c.store.Remove(ctx, o.name, nil)
	case "remove-if":
		r.want = want.ETag
		err = c.store.Remove(ctx, o.name, &secret.RemoveOptions{If: r.want})
	case "remove-version":
		r.want = want.ID
		err = c.store.Remove(ctx, o.name, &secret.RemoveOptions{Version: r.want})
	case "purge":
		err = c.store.Remove(ctx, o.name, &secret.RemoveOptions{Purge: true})
	case "rotate":
		var rotation *secret.Rotation
		rotation, err = c.rotator.Rotate(ctx, o.name)
		r.current = err == nil && rotation.Current
	default:
		panic(o.kind)
	}
	c.end(r, err)
}

// ballast makes a secret one that is stored in parts.
var ballast = strings.Repeat("x", 9<<20) + "\n"

// pause is a source that yields nothing, after so many milliseconds.
type pause time.Duration

func (p pause) Read([]byte) (int, error) {
	time.Sleep(time.Duration(p) * time.Millisecond)
	return 0, io.EOF
}

// change is what a merge makes of a value.
func (o operation) change(old string) string {
	if o.kind != "drop" {
		return old + "add " + o.id + "\n"
	}
	lines := strings.SplitAfter(old, "\n")
	for i, line := range slices.Backward(lines) {
		if strings.HasPrefix(line, "add ") {
			return strings.Join(slices.Delete(lines, i, i+1), "")
		}
	}
	return old
}

// read does an operation that changes nothing.
func (c *client) read(ctx context.Context, o operation) *record {
	r := c.begin(o, c.number)
	ctx = as(ctx, o.id)
	err := c.reading(ctx, r)
	c.end(r, err)
	return r
}

func (c *client) reading(ctx context.Context, r *record) error {
	saw := secret.Version{}
	switch r.kind {
	case "get":
		value, err := c.store.Get(ctx, r.name, nil)
		r.value = string(value)
		return err
	case "reader":
		reader, err := c.store.NewReader(ctx, r.name, nil)
		if err != nil {
			return err
		}
		defer reader.Close()
		value, err := io.ReadAll(reader)
		r.value, r.etag = string(value), reader.Info().ETag
		saw.ETag, saw.ID = r.etag, reader.Info().Version
		if err != nil {
			return err
		}
	case "stat":
		info, err := c.store.Stat(ctx, r.name, nil)
		if err != nil {
			return err
		}
		r.etag = info.ETag
		saw.ETag, saw.ID = r.etag, info.Version
	case "list":
		r.names = map[string]bool{}
		for e, err := range c.store.List(ctx, "", nil) {
			if err != nil {
				return err
			}
			r.names[e.Name] = true
		}
	case "versions":
		return c.listVersions(r, c.store.Versions(ctx, r.name))
	}
	if saw.ETag != "" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.seen[r.name] = saw
	}
	return nil
}

func (c *client) listVersions(r *record, versions iter.Seq2[secret.Version, error]) error {
	var list []secret.Version
	for v, err := range versions {
		if err != nil {
			return err
		}
		list = append(list, v)
		r.versions = append(r.versions, v.ID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[r.name] = list[r.dice>>48%uint64(len(list))]
	return nil
}
