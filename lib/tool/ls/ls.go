// Package ls is the program ms-ls.
package ls

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"microsecrets/lib/internal/printable"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/names"
)

// Usage is what ms-ls -h prints.
var Usage = `usage: ms-ls [flags] [PREFIX...]

List the names that begin with PREFIX, or all names, sorted, one on each line.
PREFIX is plain text: end it with "/" to list one service. KMS is not called.

  -l               stored size, time, ETag, name; on a terminal in columns, with
                   rounded sizes and local times
  -top             one level only: the services, or what is right below PREFIX; a
                   line that ends in "/" stands for the names that begin with it
  -versions        every version and deletion, newest first: VERSION, STATE (latest,
                   old or deleted) and name; a PREFIX that does not end in "/" is
                   one exact NAME. With -l also who wrote each, and when, as its
                   header claims, which nobody has verified
  -json            a JSON object on each line: name, size, time, etag, latest,
                   deleted; with -versions also version; with -versions -l also
                   claims, notOurs or unread
  -0               end each name with a NUL
` + tool.Usage + `
example:
  ms-ls -top | sed 's,/$,,'
`

type options struct {
	long, top, versions, json, nul bool
}

// Run is one call of ms-ls. It returns the exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := tool.New("ms-ls", Usage, stdin, stdout, stderr)
	var o options
	t.BoolVar(&o.long, "l", false, "")
	t.BoolVar(&o.top, "top", false, "")
	t.BoolVar(&o.versions, "versions", false, "")
	t.BoolVar(&o.json, "json", false, "")
	t.BoolVar(&o.nul, "0", false, "")
	return t.Run(ctx, args, func(ctx context.Context, prefixes []string) error {
		if err := t.NoFlags(args, prefixes); err != nil {
			return err
		}
		if err := o.check(); err != nil {
			return err
		}
		for _, p := range prefixes {
			if err := secret.CheckPrefix(p); err != nil {
				return err
			}
		}
		store, err := t.Open(ctx)
		if err != nil {
			return err
		}
		return o.list(ctx, t, store, o.distinct(prefixes))
	})
}

func (o *options) check() error {
	switch {
	case o.nul && (o.json || o.long || o.versions):
		return tool.Usagef("flag -0 does not go with -l, -json and -versions")
	case o.top && o.versions:
		return tool.Usagef("flags -top and -versions do not go together")
	}
	return nil
}

// distinct sorts prefixes and leaves out those that another one covers, so that
// the list is sorted and has no name twice.
func (o *options) distinct(prefixes []string) []string {
	if len(prefixes) == 0 {
		return []string{""}
	}
	var kept []string
	for _, p := range slices.Sorted(slices.Values(prefixes)) {
		if n := len(kept); n == 0 || !o.covers(kept[n-1], p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// covers reports whether prefix lists all that other does. With -versions, a
// prefix that does not end in a slash is a name.
func (o *options) covers(prefix, other string) bool {
	if o.versions && prefix != "" && !strings.HasSuffix(prefix, "/") {
		return prefix == other
	}
	return strings.HasPrefix(other, prefix)
}

func (o *options) list(ctx context.Context, t *tool.Tool, store *secret.Store, prefixes []string) error {
	t.Progress(0)
	out := newTable(t.Stdout, o)
	left, history, printed := 0, false, false
	var missed unreadHeaders
	for _, prefix := range prefixes {
		var listed []string // as far as they are kept
		for v, err := range o.lines(ctx, store, prefix) {
			switch {
			case err != nil:
				out.flush()
				return err
			case !v.Valid:
				left++
				continue
			}
			history, printed = history || v.ID != secret.NullVersion, true
			missed.add(v.err)
			if err := o.print(out, v); err != nil {
				return tool.FileError("standard output", err)
			}
			if len(listed) <= names.Max {
				listed = append(listed, v.Name)
			}
		}
		o.keep(t, prefix, listed)
	}
	if err := out.flush(); err != nil {
		return tool.FileError("standard output", err)
	}
	if left > 0 {
		what := "keys in %s are not names of secrets and were left out"
		if left == 1 {
			what = "key in %s is not the name of a secret and was left out"
		}
		t.Notef("%d "+what, left, store)
	}
	if o.versions && printed && !history {
		t.Notef("%s keeps no versions, or kept none when these were written: what they replaced is gone", store)
	}
	missed.tell(t, store)
	return nil
}

// keep keeps what was listed for completion, if the user has it: its folder is there.
func (o *options) keep(t *tool.Tool, prefix string, listed []string) {
	s, err := t.Settings()
	if err != nil || o.versions || len(listed) > names.Max {
		return
	}
	kept, err := names.Open(s, false)
	if err != nil {
		return
	}
	defer kept.Close()
	if o.top {
		_ = kept.Put(prefix, listed) // completion then asks the store, or has no names
	} else {
		_ = kept.PutAll(prefix, listed)
	}
}

// lines are what is printed for a prefix: without -versions, only the Entry of
// each is set.
func (o *options) lines(ctx context.Context, store *secret.Store, prefix string) iter.Seq2[version, error] {
	if o.versions && o.long {
		return withClaims(ctx, store, prefix)
	}
	return func(yield func(version, error) bool) {
		if o.versions {
			for v, err := range store.Versions(ctx, prefix) {
				if !yield(version{Version: v}, err) {
					return
				}
			}
			return
		}
		for e, err := range store.List(ctx, prefix, &secret.ListOptions{OneLevel: o.top}) {
			if !yield(version{Version: secret.Version{Entry: e}}, err) {
				return
			}
		}
	}
}

// line is what -json prints.
type line struct {
	Name string     `json:"name"`
	Size *int64     `json:"size,omitempty"`
	Time *time.Time `json:"time,omitempty"`
	ETag string     `json:"etag,omitempty"`

	Version string `json:"version,omitempty"` // only with -versions: other listings of S3 do not have it
	Latest  *bool  `json:"latest,omitempty"`
	Deleted *bool  `json:"deleted,omitempty"`

	// Only with -versions -l, one of these; none of a deletion.
	Claims  *claims `json:"claims,omitempty"`
	NotOurs string  `json:"notOurs,omitempty"` // why
	Unread  string  `json:"unread,omitempty"`  // why
}

func (o *options) print(out *table, v version) error {
	switch {
	case o.json:
		return o.printJSON(out, v)
	case o.long || o.versions:
		return out.row(o.columns(v, out.format))
	case o.nul:
		return out.text(v.Name + "\x00")
	}
	return out.text(v.Name + "\n")
}

func (o *options) printJSON(out *table, v version) error {
	l := line{Name: v.Name, ETag: v.ETag}
	if !v.Group {
		at, latest := v.Modified.UTC().Truncate(time.Second), v.Latest || !o.versions
		l.Size, l.Time, l.Version, l.Latest, l.Deleted = &v.Size, &at, v.ID, &latest, &v.Deleted
	}
	if v.Deleted {
		l.Size = nil
	}
	if o.long {
		l.Claims, l.NotOurs, l.Unread = v.json()
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(l); err != nil {
		return err
	}
	if o.long { // foreign text
		return out.text(string(printable.JSON(b.Bytes())))
	}
	return out.text(b.String())
}

// columns are what -l and -versions print of a version, its name last.
func (o *options) columns(v version, f format) []string {
	var columns []string
	if o.long {
		size, at, etag := f.size(v.Size), f.time(v.Modified), v.ETag
		switch {
		case v.Group:
			size, at, etag = "-", "-", "-"
		case v.Deleted:
			size, etag = "-", "-"
		}
		columns = append(columns, size, at, etag)
	}
	if o.versions {
		columns = append(columns, v.ID, state(v.Version))
		if o.long {
			columns = append(columns, v.said(f))
		}
	}
	return append(columns, v.Name)
}
