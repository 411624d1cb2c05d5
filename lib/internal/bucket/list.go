package bucket

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"microsecrets/lib/internal/awsclient"
)

// rangesPrefetched is how many ranges of a listing are fetched while another one
// is consumed, one page of each: at 2 MB for a page of the longest keys and ETags
// that is 60 MB.
const rangesPrefetched = 30

// List lists the keys that begin with prefix, in the order of their bytes. With
// oneLevel, all keys that have the same text up to the next "/" after prefix are
// one Entry.
//
// Pages are fetched one after the other until one shows that the keys are in
// groups: services, for a prefix that is a store's. The keys after that page are
// split between groups into ranges, and the ranges are fetched concurrently. Each
// range begins exactly where the one before it ends, so no key is left out and
// none is listed twice, wherever they are split: a key that exists throughout is
// listed once, whatever others write or remove meanwhile.
func (b *Bucket) List(ctx context.Context, prefix string, oneLevel bool) iter.Seq2[Entry, error] {
	return entries(listing{b, prefix}.all(ctx, oneLevel))
}

// listing is a listing of the keys that begin with prefix.
type listing struct {
	bucket *Bucket
	prefix string
}

// keyRange is the keys above after, up to and including end; with an empty end,
// all keys above after.
type keyRange struct{ after, end string }

// all returns all pages, in order. It ends with the first error, as all other
// iterators of pages do.
func (l listing) all(ctx context.Context, oneLevel bool) iter.Seq2[page, error] {
	return func(yield func(page, error) bool) {
		delimiter := ""
		if oneLevel {
			delimiter = "/"
		}
		for p, err := range l.pages(ctx, delimiter, keyRange{}) {
			if !yield(p, err) || err != nil {
				return
			}
			groups := l.groups(p)
			if oneLevel || !p.more || groups == 0 || groups > len(p.entries)/4 {
				continue // listing the groups would take as long as listing the keys
			}
			after := p.entries[len(p.entries)-1].Key
			for p, err := range l.concurrently(ctx, l.ranges(ctx, after, groups)) {
				if !yield(p, err) {
					return
				}
			}
			return
		}
	}
}

// pages fetches the pages of a range one after the other. With a delimiter, a
// common prefix may come first that is not above the range's start but has keys
// that are.
func (l listing) pages(ctx context.Context, delimiter string, r keyRange) iter.Seq2[page, error] {
	return func(yield func(page, error) bool) {
		in := &s3.ListObjectsV2Input{
			Bucket:              &l.bucket.name,
			Prefix:              &l.prefix,
			Delimiter:           optional(delimiter),
			StartAfter:          optional(r.after),
			EncodingType:        types.EncodingTypeUrl, // XML cannot carry every key
			ExpectedBucketOwner: l.bucket.owner,
		}
		last := r.after
		if delimiter != "" {
			last = ""
		}
		for p := (page{more: true}); p.more; {
			asked := p.next
			if asked.token != "" {
				in.StartAfter, in.ContinuationToken = nil, &asked.token
			}
			_, err := l.bucket.client.ListObjectsV2(ctx, in, p.fetch)
			if err == nil {
				err = p.check(listObjects, l.prefix, asked)
			}
			if err != nil {
				yield(page{}, awsclient.Classify(ctx, listObjects, err, l.bucket.facts("")))
				return
			}
			slices.SortFunc(p.entries, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
			for _, e := range p.entries {
				if e.Key <= last {
					yield(page{}, p.refused(listObjects, errors.New("its keys come again, or are not in order")))
					return
				}
				last = e.Key
			}
			if r.end != "" && last >= r.end {
				above := func(e Entry) bool { return e.Key > r.end }
				p.entries, p.more = slices.DeleteFunc(p.entries, above), false
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

const listObjects = "ListObjectsV2"

// groups counts the groups that a page has keys of. The keys of a group have
// the same text up to the next "/" after the listing's prefix.
func (l listing) groups(p page) int {
	n, last := 0, ""
	for _, e := range p.entries {
		group, _, ok := strings.Cut(e.Key[len(l.prefix):], "/")
		if ok && group != last {
			n, last = n+1, group
		}
	}
	return n
}

// ranges splits the keys above after. A page before them had keys of perPage
// groups, so a range has four fifths as many, which probably fit on a page; a
// thousand small groups after a large one do not become a thousand ranges. If the
// groups cannot be listed, the rest is one range: a policy may allow only listings
// without a delimiter.
func (l listing) ranges(ctx context.Context, after string, perPage int) iter.Seq[keyRange] {
	return func(yield func(keyRange) bool) {
		for p, err := range l.pages(ctx, "/", keyRange{after: after}) {
			if err != nil {
				break
			}
			size := max(1, perPage*4/5, len(p.entries)/rangesPrefetched)
			n := 0
			for _, e := range p.entries {
				if !e.Common || e.Key <= after {
					continue
				}
				if n++; n%size != 0 {
					continue
				}
				if !yield(keyRange{after, e.Key}) {
					return
				}
				after = e.Key
			}
		}
		yield(keyRange{after: after})
	}
}

// concurrently fetches the pages of ranges concurrently, and returns them in order.
func (l listing) concurrently(ctx context.Context, ranges iter.Seq[keyRange]) iter.Seq2[page, error] {
	type fetched struct {
		page page
		err  error
	}
	return func(yield func(page, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		queue := make(chan chan fetched, rangesPrefetched) // of the pages of each range
		go func() {
			defer close(queue)
			for r := range ranges {
				pages := make(chan fetched)
				select {
				case queue <- pages:
				case <-ctx.Done():
					return
				}
				go func() {
					defer close(pages)
					for p, err := range l.pages(ctx, "", r) {
						select {
						case pages <- fetched{p, err}:
						case <-ctx.Done():
							return
						}
					}
				}()
			}
		}()
		for pages := range queue {
			for f := range pages {
				if !yield(f.page, f.err) || f.err != nil {
					return
				}
			}
			if ctx.Err() != nil {
				break // the range may not be complete
			}
		}
		if ctx.Err() != nil {
			yield(page{}, context.Cause(ctx))
		}
	}
}
