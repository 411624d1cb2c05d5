package bucket

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"microsecrets/lib/internal/awsclient"
)

// Condition is what must hold of the object at a key for a request to change
// it; otherwise nothing is changed, and the error is a awsclient.ErrConflict. The
// zero Condition always holds. S3 compares ETags only, and has no condition on a
// deletion but IfMatch.
type Condition struct {
	IfMatch  string // this ETag, as S3 gives it, in quotes
	IfAbsent bool   // there is none: If-None-Match: *
}

func (c Condition) ifNoneMatch() *string {
	if c.IfAbsent {
		return aws.String("*")
	}
	return nil
}

// refused makes a awsclient.ErrConflict of the 404 to an If-Match: the object is
// absent, or its newest version is a deletion.
func (c Condition) refused(err error) error {
	var e *awsclient.Error
	if c.IfMatch != "" && errors.As(err, &e) && e.Kind == awsclient.ErrNotFound {
		e.Kind = awsclient.ErrConflict
	}
	return err
}

// ErrIgnored is wrapped by the error of a server that changes an object though
// the condition of the request does not hold.
var ErrIgnored = errors.New("the server ignores conditions")

// The requests that take a condition.
const (
	putObject               = "PutObject"
	completeMultipartUpload = "CompleteMultipartUpload"
	deleteObject            = "DeleteObject"
)

// trials are what was found out of a server that is not trusted.
type trials struct {
	mu       sync.Mutex
	honours  map[string]error // nil or an ErrIgnored, by operation
	repeated bool
}

// honours finds out, once for each operation, whether the server refuses a
// request whose If-Match cannot hold, at a key beside the one that is about to
// be changed. What a server that ignores it has stored there is removed.
func (b *Bucket) honours(ctx context.Context, operation, key string, c Condition) error {
	if b.trusted || c == (Condition{}) {
		return nil
	}
	b.tried.mu.Lock()
	defer b.tried.mu.Unlock()
	if verdict, known := b.tried.honours[operation]; known {
		return verdict
	}
	err := b.try(ctx, operation, probeKey(key))
	if err != nil && !errors.Is(err, ErrIgnored) {
		return err
	}
	if b.tried.honours == nil {
		b.tried.honours = map[string]error{}
	}
	b.tried.honours[operation] = err
	return err
}

func (b *Bucket) try(ctx context.Context, operation, key string) error {
	trusting := &Bucket{client: b.client, name: b.name, owner: b.owner, sse: b.sse, trusted: true}
	never := Condition{IfMatch: fmt.Sprintf(`"%x"`, randomBytes())}
	var version string
	var err error
	switch operation {
	case deleteObject:
		version, err = trusting.Delete(ctx, key, "", never)
	default:
		version, err = trusting.tryUpload(ctx, key, never, operation == completeMultipartUpload)
	}
	switch {
	case errors.Is(err, awsclient.ErrConflict):
		return nil
	case err != nil:
		var e *awsclient.Error
		if errors.As(err, &e) {
			e.Doubt = false // of what is to be changed nothing has been sent
		}
		return fmt.Errorf("it cannot be found out whether the server honours conditions: %w", err)
	}
	if _, err := trusting.Delete(ctx, key, version, Condition{}); err != nil {
		return fmt.Errorf("%w on %s (%+q is left behind: %v)", ErrIgnored, operation, key, err)
	}
	return fmt.Errorf("%w on %s", ErrIgnored, operation)
}

func (b *Bucket) tryUpload(ctx context.Context, key string, c Condition, parts bool) (version string, err error) {
	u := b.Upload(ctx, key, c)
	if parts {
		if err := u.begin(); err != nil {
			return "", err
		}
		u.Write([]byte{0})
	}
	written, err := u.Close()
	if err != nil {
		return "", errors.Join(err, u.Abort())
	}
	return written.Version, nil
}

// repeats is how often a write that was to be made only where there is nothing
// is accepted once more before the server is said to ignore that: others may
// have removed what the write before has stored.
const repeats = 3

// repeat does the first write that was to be made only where there is nothing
// once more: the server must refuse it, since now there is something. The trial
// with an If-Match says nothing of If-None-Match. An upload in parts cannot be
// repeated, and is taken on trust. Whatever else becomes of the repetition, what
// was written is stored; then the next write tells.
func (b *Bucket) repeat(ctx context.Context, key string, data *buffer, c Condition, written Written) (Written, error) {
	if b.trusted || !c.IfAbsent {
		return written, nil
	}
	b.tried.mu.Lock()
	defer b.tried.mu.Unlock()
	if b.tried.repeated {
		return written, nil
	}
	trusting := &Bucket{client: b.client, name: b.name, owner: b.owner, sse: b.sse, trusted: true}
	for range repeats {
		again, err := trusting.put(ctx, key, data, c)
		if err != nil {
			b.tried.repeated = errors.Is(err, awsclient.ErrConflict)
			return written, nil
		}
		written = again
	}
	return Written{}, fmt.Errorf("stored, perhaps in place of what was there: %w (If-None-Match) on %s", ErrIgnored, putObject)
}

// probeKey is a key that nobody uses, in the folder of another one.
func probeKey(key string) string {
	name := fmt.Sprintf("ms-probe-%x", randomBytes())
	folder := path.Dir(key)
	for len(folder)+1+len(name) > keyMax {
		folder = path.Dir(folder)
	}
	return strings.TrimPrefix(folder+"/"+name, "./")
}

// keyMax is S3's bound on a key, in bytes.
const keyMax = 1024

func randomBytes() []byte {
	b := make([]byte, 16)
	rand.Read(b)
	return b
}
