package bucket

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"microsecrets/lib/internal/awsclient"
)

// Condition is what must hold of the object at a key for a request to change
// it; otherwise nothing is changed, and the error is an awsclient.ErrConflict.
// The zero Condition always holds. S3 compares ETags only, and has no condition on
// a deletion but IfMatch.
type Condition struct {
	IfMatch  string // this ETag, in quotes
	IfAbsent bool   // there is none: If-None-Match: *
}

// Matching returns the condition that the object has this ETag. Without an
// ETag there is no such condition.
func Matching(etag string) (Condition, error) {
	if etag == "" {
		return Condition{}, awsclient.Unusable("", "the server gives no ETag, so no change can be made to depend on what is stored")
	}
	return Condition{IfMatch: Quoted(etag)}, nil
}

func (c Condition) ifMatch() *string { return optional(c.IfMatch) }

func (c Condition) ifNoneMatch() *string {
	if c.IfAbsent {
		return aws.String("*")
	}
	return nil
}

func (c Condition) precondition() awsclient.Precondition {
	switch {
	case c.IfMatch != "":
		return awsclient.IfUnchanged
	case c.IfAbsent:
		return awsclient.IfAbsent
	}
	return awsclient.Unconditional
}

// ErrConditionsIgnored is wrapped by the error of a server that changes an object
// though the condition of the request does not hold.
var ErrConditionsIgnored = errors.New("the server ignores conditions")

// The requests that take a condition.
const (
	putObject               = "PutObject"
	completeMultipartUpload = "CompleteMultipartUpload"
	deleteObject            = "DeleteObject"
)

// probes are what was found out of a server that is not trusted.
type probes struct {
	busy     chan struct{}    // holds a value while somebody finds out
	verdicts map[string]error // nil or an ErrConditionsIgnored, by operation
	absent   bool             // If-None-Match has been seen to be honoured
}

func newProbes() *probes {
	return &probes{busy: make(chan struct{}, 1), verdicts: map[string]error{}}
}

func (p *probes) lock(ctx context.Context) error {
	select {
	case p.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *probes) unlock() { <-p.busy }

// trusting is the bucket without probes.
func (b *Bucket) trusting() *Bucket {
	trusting := *b
	trusting.probes = nil
	return &trusting
}

// probe finds out, once for each operation, whether the server refuses a request
// whose If-Match cannot hold, at a key beside the one that is about to be changed.
// What a server that ignores it has stored there is removed.
func (b *Bucket) probe(ctx context.Context, operation, key string, c Condition) error {
	if b.probes == nil || c == (Condition{}) {
		return nil
	}
	if err := b.probes.lock(ctx); err != nil {
		return err
	}
	defer b.probes.unlock()
	if verdict, known := b.probes.verdicts[operation]; known {
		return verdict
	}
	probing := b.trusting()
	probing.probing = true
	err := probing.probeMatch(ctx, operation, probeKey(key))
	for try := 1; isBusy(err) && !errors.Is(err, errProbeLeft) && try < repeats; try++ {
		err = probing.probeMatch(ctx, operation, probeKey(key))
	}
	if err != nil && !errors.Is(err, ErrConditionsIgnored) {
		return &unprobedError{err}
	}
	b.probes.verdicts[operation] = err
	return err
}

// unprobedError is the error of a probe that failed. Nothing of what was to be
// changed has been sent, so that nobody need wonder whether it was.
type unprobedError struct{ err error }

func (e *unprobedError) Error() string {
	return "it cannot be found out whether the server honours conditions: " + e.err.Error()
}

func (e *unprobedError) Unwrap() error { return e.err }

// As hides that the probe itself may have been applied.
func (e *unprobedError) As(target any) bool {
	to, ok := target.(**awsclient.Error)
	if !ok || !errors.As(e.err, to) {
		return false
	}
	of := **to
	of.MaybeApplied = false
	*to = &of
	return true
}

func (b *Bucket) probeMatch(ctx context.Context, operation, key string) error {
	never := Condition{IfMatch: fmt.Sprintf(`"%x"`, randomBytes())}
	var version string
	var err error
	if operation == deleteObject {
		version, err = b.delete(ctx, key, "", never)
	} else {
		version, err = b.probeUpload(ctx, key, never, operation == completeMultipartUpload)
	}
	switch {
	case isBusy(err), errors.Is(err, errProbeLeft):
		return err
	case errors.Is(err, awsclient.ErrConflict):
		return nil
	case err != nil:
		return err
	}
	return b.ignored(ctx, key, version, operation)
}

// ignored is the error of an operation on which the server ignores conditions,
// when what the probe stored is removed.
func (b *Bucket) ignored(ctx context.Context, key, version, operation string) error {
	if err := b.Delete(ctx, key, version, Condition{}); err != nil {
		return fmt.Errorf("%w on %s (%+q is left behind: %v)", ErrConditionsIgnored, operation, key, err)
	}
	return fmt.Errorf("%w on %s", ErrConditionsIgnored, operation)
}

// errProbeLeft ends a probe, whatever the server's verdict would be: another one could
// leave more.
var errProbeLeft = errors.New("a part that was stored to find it out is left behind")

func (b *Bucket) probeUpload(ctx context.Context, key string, c Condition, parts bool) (version string, err error) {
	u := b.Upload(ctx, key, c)
	if parts {
		if err := u.begin(); err != nil {
			return "", u.Fail(err)
		}
		u.Write([]byte{0})
	}
	written, err := u.Close()
	switch {
	case err == nil:
		return written.Version, nil
	case !errors.Is(err, awsclient.ErrConflict):
		return "", u.Fail(err)
	}
	// It is as it should be, but for what cannot be removed.
	if left := u.Abort(); left != nil {
		return "", leftBehind(fmt.Errorf("%w at %+q: %w", errProbeLeft, key, left))
	}
	return "", err
}

// repeats is how often a write that was to be made only where there is nothing
// is accepted once more before the server is said to ignore that: others may
// have removed what the write before has stored. It also bounds the removals of
// what was stored by that, where others are in the way.
const repeats = 3

// probeAbsent makes the first write that was to be made only where there was
// nothing once more: the server must refuse it, since now there is something. The
// probe with an If-Match says nothing of If-None-Match. An upload in parts cannot
// be repeated, and is taken on trust; so is a server that answers the repetition
// with another failure, until the next write. What a repetition stored, where
// others had removed the first, is removed again.
func (b *Bucket) probeAbsent(ctx context.Context, key string, data []byte) error {
	if b.probes == nil {
		return nil
	}
	if b.probes.lock(ctx) != nil {
		return nil // the write itself has been made
	}
	defer b.probes.unlock()
	if b.probes.absent {
		return nil
	}
	var stored []Written
	trusting := b.trusting()
	for len(stored) < repeats {
		again, err := trusting.put(ctx, key, data, Condition{IfAbsent: true})
		if err != nil {
			b.probes.absent = errors.Is(err, awsclient.ErrConflict) && !isBusy(err)
			return trusting.undo(ctx, key, stored, true)
		}
		stored = append(stored, again)
	}
	if err := trusting.undo(ctx, key, stored, false); err != nil {
		return err
	}
	return fmt.Errorf("stored, perhaps in place of what was there: %w (If-None-Match) on %s", ErrConditionsIgnored, putObject)
}

// NullVersion is the id of every version that is written while a bucket keeps none.
const NullVersion = "null"

// undo removes what repetitions stored. Without versions they have left one
// object, which is to be removed only where none was there before them.
func (b *Bucket) undo(ctx context.Context, key string, stored []Written, recreated bool) error {
	for i, w := range stored {
		version, c := w.Version, Condition{}
		if version == "" || version == NullVersion {
			if !recreated || i < len(stored)-1 {
				continue
			}
			version, c.IfMatch = "", w.ETag
		}
		err := b.Delete(ctx, key, version, c)
		for try := 1; undecided(err) && try < repeats; try++ {
			err = b.Delete(ctx, key, version, c)
		}
		if err != nil && (undecided(err) || !errors.Is(err, awsclient.ErrConflict)) {
			return awsclient.Unusable("", "stored, but what another removed meanwhile was stored again, and cannot be removed: "+err.Error())
		}
	}
	return nil
}

// undecided reports whether a conditional removal failed for another reason than its
// condition.
func undecided(err error) bool {
	var e *awsclient.Error
	return errors.As(err, &e) && (e.MaybeApplied || isBusy(err))
}

// isBusy reports whether a request was refused because it met another one, which
// says nothing of its condition.
func isBusy(err error) bool {
	var e *awsclient.Error
	return errors.As(err, &e) && e.Status == http.StatusConflict
}

// probeKey is a key that nobody uses, in the folder of another one.
func probeKey(key string) string {
	name := fmt.Sprintf("ms-probe-%x", randomBytes())
	folder := path.Dir(key)
	for len(folder)+1+len(name) > KeyMax {
		folder = path.Dir(folder)
	}
	return strings.TrimPrefix(folder+"/"+name, "./")
}

// KeyMax is S3's bound on a key, in bytes.
const KeyMax = 1024

func randomBytes() []byte {
	b := make([]byte, 16)
	rand.Read(b)
	return b
}
