package ls

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"time"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/printable"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// A version is what is listed, and with -versions -l what its header claims.
type version struct {
	secret.Version
	claims *secret.Claims
	err    error // of reading the header
}

// state is the word for what a version is.
func state(v secret.Version) string {
	switch {
	case v.Deleted:
		return "deleted"
	case v.Latest:
		return "latest"
	}
	return "old"
}

// withClaims lists versions as store.Versions does, and reads the headers side by side,
// at most tool.ManyAtOnce at once. Once the server is not reachable no further header is
// asked for: each would be tried for as long as the first.
func withClaims(ctx context.Context, store *secret.Store, prefix string) iter.Seq2[version, error] {
	type reading struct {
		version
		listing error // the end of the list
		done    chan struct{}
	}
	return func(yield func(version, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		// One more is being waited for, and one more is about to be queued.
		queue := make(chan *reading, tool.ManyAtOnce-2)
		go func() {
			defer close(queue)
			var unreachable atomic.Pointer[error]
			for v, err := range store.Versions(ctx, prefix) {
				r := &reading{version{Version: v}, err, make(chan struct{})}
				if err != nil || !v.Valid || v.Deleted {
					close(r.done)
				} else {
					go func() {
						defer close(r.done)
						if lost := unreachable.Load(); lost != nil {
							r.err = *lost
							return
						}
						r.claims, r.err = store.Claims(ctx, v)
						if errors.Is(r.err, secret.ErrUnreachable) {
							unreachable.Store(&r.err)
						}
					}()
				}
				select {
				case queue <- r:
				case <-ctx.Done():
					return
				}
			}
		}()
		for r := range queue {
			<-r.done
			if ctx.Err() != nil {
				break
			}
			if !yield(r.version, r.listing) {
				return
			}
		}
		if ctx.Err() != nil { // the list may have come to no end of its own
			yield(version{}, context.Cause(ctx))
		}
	}
}

// said is what a version's header claims, or why that is not known.
func (v version) said(f format) string {
	switch {
	case v.Deleted:
		return "-"
	case v.notOurs() != "":
		return "not ours: " + v.notOurs()
	case v.err != nil:
		return "unread: " + v.unread()
	}
	var parts []string
	for _, c := range []struct {
		what, by string
		at       time.Time
	}{{"", v.claims.By, v.claims.At}, {"rotated ", v.claims.RotatedBy, v.claims.RotatedAt}} {
		var said []string
		if !c.at.IsZero() {
			said = append(said, f.time(c.at))
		}
		if c.by != "" {
			said = append(said, "by "+printable.Quote(c.by))
		}
		if said != nil {
			parts = append(parts, c.what+strings.Join(said, " "))
		}
	}
	if parts == nil {
		return "claims nothing"
	}
	return "claims " + strings.Join(parts, ", ")
}

// notOurs says why a version is no secret of its name, or nothing.
func (v version) notOurs() string {
	if !errors.Is(v.err, secret.ErrNotAuthentic) {
		return ""
	}
	why := v.err
	var failed *secret.Error
	if errors.As(why, &failed) {
		why = failed.Err // without the name
	}
	return strings.TrimPrefix(why.Error(), secret.ErrNotAuthentic.Error()+": ")
}

// unread says in a few words why a header could not be read.
func (v version) unread() string {
	switch {
	case errors.Is(v.err, secret.ErrDenied):
		return "not allowed"
	case errors.Is(v.err, secret.ErrUnreachable):
		return "not reachable"
	case errors.Is(v.err, secret.ErrNotFound), errors.Is(v.err, secret.ErrChanged):
		return "gone"
	}
	return "failed"
}

// claims are what -json prints of a header.
type claims struct {
	At        string `json:"at,omitempty"`
	By        string `json:"by,omitempty"`
	RotatedAt string `json:"rotatedAt,omitempty"`
	RotatedBy string `json:"rotatedBy,omitempty"`
}

// json is what -json prints of said: one of the three, or nothing.
func (v version) json() (c *claims, notOurs, unread string) {
	switch {
	case v.notOurs() != "":
		return nil, v.notOurs(), ""
	case v.err != nil:
		return nil, "", v.unread()
	case v.claims == nil:
		return nil, "", ""
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return plain{}.time(t)
	}
	return &claims{at(v.claims.At), v.claims.By, at(v.claims.RotatedAt), v.claims.RotatedBy}, "", ""
}

// unreadHeaders are what there is to say about headers that could not be read.
type unreadHeaders struct {
	count int
	first error
}

func (u *unreadHeaders) add(err error) {
	switch {
	case err == nil, errors.Is(err, secret.ErrNotAuthentic), errors.Is(err, secret.ErrNotFound), errors.Is(err, secret.ErrChanged):
		return // its line says all
	case u.first == nil:
		u.first = err
	}
	u.count++
}

// tell prints how many there are, and what may be done about the first.
func (u *unreadHeaders) tell(t *tool.Tool, store *secret.Store) {
	if u.first == nil {
		return
	}
	what := "1 version: its header, which claims who wrote it and when,"
	if u.count > 1 {
		what = fmt.Sprintf("%d versions: their headers, which claim who wrote them and when,", u.count)
	}
	t.Notef("%s: %s could not be read: %s", store, what, u.first)
	advice := tool.Advice(u.first)
	var answer *awsclient.Error
	if errors.As(u.first, &answer) && answer.Code == "AccessDenied" { // it is there: it was listed
		advice = "reading a header takes s3:GetObject for the latest version, and s3:GetObjectVersion for others; ms-ls -versions without -l reads none"
	}
	t.Hint(advice)
}
