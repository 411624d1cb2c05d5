package bucket

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"microsecrets/lib/internal/awsclient"
)

// Entry is a line of a listing: an object, or, where the listing has one level
// only, what several keys have in common up to the delimiter.
type Entry struct {
	Info
	Common bool // Key is a common prefix, its last byte the delimiter
}

const (
	// listAhead is how many parts of a listing are asked for ahead of the one
	// that is being consumed, and the most requests at once.
	listAhead = 24

	// listHeld bounds the pages that wait to be consumed.
	listHeld = listAhead + 8
)

// List lists the keys that begin with prefix, in the order of their bytes. With
// oneLevel, keys that go on behind a "/" after the prefix are one Entry.
//
// A listing of one page is one request. What lies behind the first page is cut
// into parts, each a range of keys, that are asked for side by side, some of
// them ahead of the consumer. The ranges have no key in common and leave none
// out, so a key that is there all the while is listed exactly once, whatever
// others write. Where to cut is a guess, which costs requests if it is wrong,
// but no keys.
func (b *Bucket) List(ctx context.Context, prefix string, oneLevel bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		l := listing{
			bucket:  b,
			prefix:  prefix,
			top:     oneLevel,
			queue:   []*part{{dir: prefix, run: 1}},
			arrived: make(chan *part, listAhead),
		}
		for len(l.queue) > 0 {
			l.send(ctx)
			l.receive(<-l.arrived)
			for len(l.queue) > 0 && l.queue[0].done {
				p := l.queue[0]
				l.queue[0] = nil // whose page takes memory
				l.queue = l.queue[1:]
				l.held--
				if !p.yield(yield) {
					return
				}
			}
		}
	}
}

// part is a range of keys: those above after and, unless end is empty, up to
// end. One request is made for it; what the page does not reach becomes further
// parts. A probe is a request for the range's groups instead.
//
// A group is what a directory, a prefix that ends in "/" or is the listing's
// own, has right below it: a key, or all keys that have one more segment in
// common.
type part struct {
	after, end string
	token      string // continues exactly behind after; may be empty

	dir     string   // a directory that after is in
	groups  []string // of dir, within the range, without that of after
	settled bool     // groups are all that there are
	run     int      // pages that a flat directory has filled, one behind the other
	nth     int      // of the parts that a flat directory behind its first page is cut into; 0: no such part
	seen    *page    // the one that ended at after, while a probe goes on

	probe bool
	sent  bool
	done  bool
	page  page
	err   error
}

// listing is a listing under way: its parts, in order.
type listing struct {
	bucket  *Bucket
	prefix  string
	top     bool // one level only
	plain   bool // a probe was refused: page after page
	queue   []*part
	flying  int // requests
	held    int // parts that were sent and not yet consumed
	arrived chan *part

	// The directory that was reached last of those that were cut as flat ones,
	// and the one before, with the parts of each that had keys.
	reached, before struct {
		dir   string
		parts int
	}
}

// send asks for the parts that come next.
func (l *listing) send(ctx context.Context) {
	for i, p := range l.queue {
		if l.flying == listAhead || i == listAhead || i > 0 && l.held >= listHeld {
			return
		}
		if p.sent {
			continue
		}
		p.sent = true
		l.flying++
		l.held++
		go func() {
			p.err = l.ask(ctx, p)
			l.arrived <- p
		}()
	}
}

// ask makes a part's request.
func (l *listing) ask(ctx context.Context, p *part) error {
	in := &s3.ListObjectsV2Input{
		Bucket:              &l.bucket.name,
		Prefix:              &l.prefix,
		EncodingType:        types.EncodingTypeUrl, // XML cannot carry every key
		ExpectedBucketOwner: l.bucket.owner,
	}
	end := p.end
	if p.probe {
		in.Prefix, end = &p.dir, ""
	}
	if l.top || p.probe {
		in.Delimiter = aws.String("/")
	}
	switch {
	case p.token != "" && !p.probe:
		in.ContinuationToken = &p.token
	case p.after != "":
		in.StartAfter = &p.after
	}
	if _, err := l.bucket.client.ListObjectsV2(ctx, in, p.page.decode(end)); err != nil {
		return awsclient.Classify(ctx, "ListObjectsV2", err)
	}
	if p.probe {
		return nil
	}
	return p.check(l.prefix)
}

// check refuses pages that a listing would go wrong or on for ever with.
func (p *part) check(prefix string) error {
	last := p.after
	for i, e := range p.page.entries {
		switch {
		case !strings.HasPrefix(e.Key, prefix):
			return unreadable(errors.New("it has keys that were not asked for"))
		case e.Key <= last && (i > 0 || p.after != ""):
			return unreadable(errors.New("its keys are not in order, or do not go on where they should"))
		}
		last = e.Key
	}
	if p.page.next != "" && p.page.next == p.token {
		return unreadable(errors.New("it does not go on"))
	}
	return nil
}

// receive puts parts for what an answered one left open behind it, or in its
// place if it was a probe.
func (l *listing) receive(p *part) {
	l.flying--
	i := slices.Index(l.queue, p)
	switch {
	case i < 0: // behind one that failed
	case p.probe:
		l.held--
		l.queue = slices.Replace(l.queue, i, i+1, l.probed(p)...)
	case p.err != nil:
		p.done = true
		l.queue = l.queue[:i+1] // nothing is listed behind it
	default:
		p.done = true
		l.learn(p)
		l.queue = slices.Insert(l.queue, i+1, l.rest(p)...)
	}
}

// learn takes into account how long a flat directory is, since the next ones may
// be as long.
func (l *listing) learn(p *part) {
	if p.nth == 0 || len(p.page.entries) == 0 || p.end != "" && p.page.entries[0].Key > p.end {
		return
	}
	switch {
	case p.dir > l.reached.dir:
		l.before, l.reached = l.reached, l.before
		l.reached.dir, l.reached.parts = p.dir, p.nth
	case p.dir == l.reached.dir:
		l.reached.parts = max(l.reached.parts, p.nth)
	case p.dir == l.before.dir:
		l.before.parts = max(l.before.parts, p.nth)
	}
}

// probed is what the range of a probe is cut into. A probe that fails, since a
// policy may want a listing to be without a delimiter, is the last one.
func (l *listing) probed(p *part) []*part {
	if p.err != nil {
		l.plain = true
	}
	q := &part{after: p.after, end: p.end, token: p.token, dir: p.dir, run: p.run}
	above := q.after
	for _, e := range p.page.entries {
		if e.Key > above && (q.end == "" || e.Key < q.end) {
			q.groups = append(q.groups, e.Key)
			above = e.Key
		}
	}
	q.settled = p.page.next == "" || len(q.groups) == 0
	return l.cut(q, p.seen)
}

// rest is what a part's page did not reach. S3 may send a page that has nothing
// on it and yet is not the last.
func (l *listing) rest(p *part) []*part {
	n := len(p.page.entries)
	switch {
	case p.page.next == "":
		return nil
	case n == 0:
		return []*part{{after: p.after, end: p.end, token: p.page.next, dir: p.dir, groups: p.groups, settled: p.settled, run: p.run, nth: p.nth}}
	}
	last := p.page.entries[n-1].Key
	if p.end != "" && last >= p.end {
		return nil
	}
	q := &part{after: last, end: p.end, token: p.page.next, dir: p.dir, settled: p.settled, run: p.run, nth: p.nth}
	for !strings.HasPrefix(q.after, q.dir) {
		q.dir, q.run, q.nth = l.parent(q.dir), 1, 0
	}
	i, _ := slices.BinarySearch(p.groups, last+"\x00")
	q.groups = p.groups[i:]
	return l.cut(q, &p.page)
}

// cut cuts a range, which begins where the page seen ended, into parts.
func (l *listing) cut(q *part, seen *page) []*part {
	below := strings.Contains(q.after[len(q.dir):], "/")
	switch {
	case l.top, l.plain:
		return []*part{q}
	case len(q.groups) > 0:
		return q.byGroups(seen.groups(q.dir))
	case !below:
		return q.byDistance(seen, max(l.reached.parts, l.before.parts)-q.nth)
	case q.settled:
		q.dir, q.settled, q.nth = groupOf(q.dir, q.after), false, 0
		return l.cut(q, seen)
	}
	q.probe, q.seen = true, seen
	return []*part{q}
}

// byGroups cuts between groups so that a page, which held so many of them, will
// hold all of a part, with a fifth to spare. The fewer groups a page held, the
// less it says of the others, and the fewer parts are made.
func (q *part) byGroups(aPage int) []*part {
	n := max(1, aPage*4/5, 1+len(q.groups)/max(3, aPage*aPage))
	var parts []*part
	first := q
	for len(q.groups) >= n {
		p := &part{after: q.after, end: q.groups[n-1], dir: q.dir, groups: q.groups[:n-1], settled: true, run: 1}
		parts = append(parts, p)
		q = &part{after: p.end, end: q.end, dir: q.dir, groups: q.groups[n:], settled: q.settled, run: 1}
	}
	parts = append(parts, q)
	parts[0].token = first.token
	return parts
}

// byDistance cuts a flat directory where its keys, as far apart as they were on
// the page seen, would fill a page. How far it goes is not known, unless its
// end is: parts grow as many as pages were filled before, or are as many as were
// likely.
func (q *part) byDistance(seen *page, likely int) []*part {
	n := min(max(q.run, likely), flatParts)
	if q.end != "" && strings.HasPrefix(q.end, q.dir) {
		n = flatParts
	}
	var parts []*part
	run, token, after := min(2*q.run, flatParts), q.token, q.after
	for _, end := range ahead(seen, q.dir, q.end, n-1) {
		parts = append(parts, &part{after: after, end: end, token: token, dir: q.dir, run: 1, nth: q.nth + len(parts) + 1})
		after, token = end, ""
	}
	return append(parts, &part{after: after, end: q.end, token: token, dir: q.dir, run: run, nth: q.nth + len(parts) + 1})
}

// flatParts bounds how many parts a guess makes, and so what it can waste.
const flatParts = 16

// groups counts the groups of a directory that a page has keys of.
func (p *page) groups(dir string) int {
	n, last := 0, ""
	for _, e := range p.entries {
		if strings.HasPrefix(e.Key, dir) {
			if g := groupOf(dir, e.Key); g != last {
				n, last = n+1, g
			}
		}
	}
	return n
}

// groupOf is the group of a directory that a key is in.
func groupOf(dir, key string) string {
	if i := strings.IndexByte(key[len(dir):], '/'); i >= 0 {
		return key[:len(dir)+i+1]
	}
	return key
}

// parent is the directory that one is in, the listing's prefix at last.
func (l *listing) parent(dir string) string {
	i := strings.LastIndexByte(strings.TrimSuffix(dir, "/"), '/')
	return dir[:max(i+1, len(l.prefix))]
}

// yield hands out the keys of an answered part, and tells whether to go on.
func (p *part) yield(yield func(Entry, error) bool) bool {
	if p.err != nil {
		yield(Entry{}, p.err)
		return false
	}
	for _, e := range p.page.entries {
		if p.end != "" && e.Key > p.end {
			break
		}
		if !yield(e, nil) {
			return false
		}
	}
	return true
}
