package initialize

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/sync/errgroup"

	"microsecrets/lib/internal/amend"
	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/defaults"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/printable"
	"microsecrets/lib/internal/settings"
	"microsecrets/lib/internal/survey"
	"microsecrets/lib/tool"
)

// place is where secrets are to be.
type place struct {
	settings *settings.Settings
	bucket   string
	under    string // what keys begin with: PREFIX and a slash, or nothing
	store    string // in its canonical form
}

// A job is one run that makes a store fit.
type job struct {
	*options
	place
	t       *tool.Tool
	survey  *survey.Surveyor
	amend   *amend.Amender
	account string // the caller's, as KMS knows it; empty if it is not known
	owner   string // the same, where S3 knows it as well
	ids     []string
	service map[string]string

	seen     *survey.Bucket
	keys     []key
	failed   tool.Failures // what was left
	versions bool          // were switched on
}

// A key is what is there for one of the ids, and what is to become of it.
type key struct {
	id      string
	service string
	found   *survey.Metadata // nil: it is to be made
	items   []survey.Item
}

// makeFit surveys first and writes second.
func (o *options) makeFit(ctx context.Context, t *tool.Tool, p place, services []string) error {
	return advise(o.surveyAndMake(ctx, t, p, services))
}

// advise adds to what is not allowed, and has no hint of its own, how to get it allowed.
func advise(err error) error {
	if errors.Is(err, awsclient.ErrDenied) && hint.Of(err) == "" {
		if all, ok := errors.AsType[tool.Failures](err); ok {
			all[len(all)-1] = advise(all[len(all)-1])
			return all
		}
		return hint.With(err, "ms-init -policy admin SERVICE... prints the policy of whoever runs ms-init")
	}
	return err
}

func (o *options) surveyAndMake(ctx context.Context, t *tool.Tool, p place, services []string) error {
	if err := t.CheckWritable(); err != nil {
		return err
	}
	if strings.HasPrefix(p.bucket, "arn:") || isAlias(p.bucket) {
		return hint.With(tool.Usagef("the store is an access point, which cannot be made fit"), "give the bucket behind it by -store")
	}
	ids, service, err := keysOf(p.settings.Key, services)
	if err != nil {
		return err
	}
	client, err := t.Client(ctx)
	if err != nil {
		return err
	}
	j := &job{options: o, place: p, t: t, survey: survey.New(client, p.settings.BucketOwner), ids: ids, service: service}
	if err := j.identify(ctx); err != nil {
		return err
	}
	j.amend = amend.New(client, j.survey)
	if err := j.look(ctx); err != nil {
		return err
	}
	items := j.seen.Items(j.wanted())
	for _, k := range j.keys {
		items = append(items, k.items...)
	}
	if o.dry {
		return j.printPlan(items)
	}
	if err := unknown(items); err != nil {
		return err
	}
	if err := j.mayMend(); err != nil {
		if failed := j.printPlan(items); failed != nil {
			err = tool.Failures{err, failed}
		}
		return err
	}
	return j.make(ctx)
}

func (j *job) wanted() survey.Wanted {
	return survey.Wanted{Under: j.under, Keep: j.keep}
}

// identify finds out whose the bucket is to be: the setting bucket-owner says it, or
// it is the caller's. A server that is not Amazon's, and not that of STS, has owners of
// its own: without the setting the bucket may be anybody's.
func (j *job) identify(ctx context.Context) error {
	who := j.survey.Identity(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case who.Err == nil:
		j.account = who.Value.Account
		j.t.Debugf("account = %s (%s)", j.account, who.Value.ARN)
		if j.survey.OneServer() {
			j.owner = j.account
		} else {
			j.t.Debugf("S3 is another server than STS: whose its buckets are is not looked at without bucket-owner")
		}
	case j.survey.Owner == "" && j.survey.OneServer() && !j.hasNoSTS(who.Err):
		return hint.With(fmt.Errorf("whose the bucket is to be is not known: %w", who.Err), cmp.Or(hint.Of(who.Err), "give the account by -bucket-owner"))
	default:
		j.t.Debugf("account: %v", who.Err)
	}
	j.survey.Owner = cmp.Or(j.survey.Owner, j.owner)
	return nil
}

// hasNoSTS reports whether a server that is not Amazon's has answered that it does not
// say who asks.
func (j *job) hasNoSTS(err error) bool {
	e, answered := errors.AsType[*awsclient.Error](err)
	return j.survey.Elsewhere() && (err == survey.ErrInapplicable || answered &&
		(e.Status == http.StatusMethodNotAllowed || e.Kind == nil && e.Code != "" && e.Status/100 == 4))
}

// look surveys the bucket and the keys.
func (j *job) look(ctx context.Context) error {
	j.keys = make([]key, len(j.ids))
	var group errgroup.Group
	group.Go(func() error {
		j.seen = j.survey.Bucket(ctx, j.bucket)
		return nil
	})
	for i, id := range j.ids {
		group.Go(func() error {
			j.keys[i] = j.lookAtKey(ctx, id)
			return nil
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if exists := j.seen.Exists; exists.Err == nil && !exists.Value && j.owner != "" && j.survey.Owner != j.owner {
		return hint.With(tool.Usagef("there is no bucket %s, and the setting bucket-owner names another account than yours, %s", j.bucket, j.owner),
			"run ms-init in the account that is to own the bucket")
	}
	return nil
}

// lookAtKey surveys a key. A key that an interrupted run has made for this purpose is
// taken up.
func (j *job) lookAtKey(ctx context.Context, id string) key {
	k := key{id: id, service: j.service[id]}
	seen := j.survey.Key(ctx, id)
	k.found = seen.Found.Value
	k.items = j.survey.Items(seen, k.service, j.account)
	if k.items[0].State != survey.Missing {
		return k
	}
	_, region, _, _ := j.survey.Alias(id)
	unnamed, err := j.survey.Unnamed(ctx, region, j.description(k.service))
	switch {
	case err != nil:
		k.items = []survey.Item{{Thing: survey.TheKey, What: k.items[0].What, State: survey.Unknown, Err: fmt.Errorf("%s: whether one was made before is not known: %w", id, err)}}
	case len(unnamed) > 0:
		k.found = unnamed[0]
		alias := k.items[len(k.items)-1]
		items := j.survey.Items(j.survey.Key(ctx, k.found.ARN), k.service, j.account)
		k.items = append(items, alias)
		for _, other := range unnamed[1:] {
			j.t.Notef("the key %s has the same purpose, and no alias: it is not used", other.ARN)
		}
	}
	return k
}

// description is that of the keys that ms-init makes, by which it knows them again.
func (j *job) description(service string) string { return "microsecrets " + service + " " + j.store }

// unknown are the failures of what could not be looked at. Nothing is changed then.
func unknown(items []survey.Item) error {
	var failed tool.Failures
	for _, i := range items {
		if i.State == survey.Unknown {
			failed = append(failed, fmt.Errorf("%s: %w", i.What, i.Err))
		}
	}
	return failed.Err()
}

// mayMend refuses to mend a bucket that is in use, or may be, unless that is asked for.
func (j *job) mayMend() error {
	b := j.seen
	if j.adopt || !b.Exists.Value || b.Empty.Err == nil && b.Empty.Value {
		return nil
	}
	for _, i := range b.Items(j.wanted()) {
		if i.State != survey.Unfit {
			continue
		}
		if b.Empty.Err != nil {
			return hint.With(fmt.Errorf("bucket s3://%s is not mended: it may hold something: %w", j.bucket, b.Empty.Err), "-adopt mends it")
		}
		return hint.With(fmt.Errorf("bucket s3://%s is not mended: it holds something already", j.bucket), "-adopt mends it; -n shows what that changes")
	}
	return nil
}

// The words of the lines.
var (
	planned = map[survey.State]string{survey.Fit: "kept", survey.Missing: "make", survey.Unfit: "mend", survey.Inapplicable: "-", survey.Left: "left", survey.Unknown: "?"}
	done    = map[survey.State]string{survey.Fit: "kept", survey.Missing: "made", survey.Unfit: "mended", survey.Inapplicable: "-", survey.Left: "left"}
)

func (j *job) line(word, what string) error { return j.printf("%-6s  %s\n", word, what) }

func (j *job) printf(format string, args ...any) error {
	if _, err := fmt.Fprintf(j.t.Stdout, format, args...); err != nil {
		return tool.FileError("standard output", err)
	}
	return nil
}

// printPlan prints what would be done, and fails with what would be left.
func (j *job) printPlan(items []survey.Item) error {
	for _, i := range items {
		if err := j.line(planned[i.State], i.What); err != nil {
			return err
		}
		j.leave(i)
	}
	if err := unknown(items); err != nil {
		return append(j.failed, err.(tool.Failures)...)
	}
	return j.failed.Err()
}

// leave keeps in mind why an item was left.
func (j *job) leave(i survey.Item) {
	if i.State == survey.Left {
		j.failed = append(j.failed, i.Err)
	}
}

// make writes.
func (j *job) make(ctx context.Context) error {
	defer func() {
		if j.versions {
			j.t.Notef("versioning was switched on: AWS asks to wait 15 minutes before anything is stored or removed")
		}
	}()
	if err := j.makeBucket(ctx); err != nil {
		return append(j.failed, err)
	}
	for _, k := range j.keys {
		if err := j.makeKey(ctx, k); err != nil {
			return append(j.failed, err)
		}
	}
	if err := j.printSettings(); err != nil {
		return append(j.failed, err)
	}
	return j.failed.Err()
}

// makeBucket makes the bucket, or takes the one that is there, and what is to be about
// it.
func (j *job) makeBucket(ctx context.Context) error {
	fresh := false
	if !j.seen.Exists.Value {
		var err error
		if fresh, err = j.amend.CreateBucket(ctx, j.bucket); err != nil {
			return fmt.Errorf("bucket s3://%s: %w", j.bucket, err)
		}
		if fresh {
			if err := j.line(done[survey.Missing], j.seen.Items(j.wanted())[0].What); err != nil {
				return err
			}
		}
		// What S3 gives to new buckets by itself is not written.
		j.seen = j.survey.Bucket(ctx, j.bucket)
		if err := unknown(j.seen.Items(j.wanted())); err != nil {
			return err
		}
		if !j.seen.Exists.Value {
			return hint.With(errors.New("bucket s3://"+j.bucket+": S3 does not show it yet"), "run ms-init again")
		}
		if err := j.mayMend(); err != nil && !fresh {
			return err
		}
	}
	items := j.seen.Items(j.wanted())
	rules := map[survey.Thing]survey.Rule{}
	for _, i := range items {
		switch {
		case i.State != survey.Unfit:
		case i.Thing == survey.Uploads:
			rules[i.Thing] = survey.UploadsRule(j.under, survey.UploadDays)
		case i.Thing == survey.OldVersions:
			rules[i.Thing] = survey.VersionsRule(j.under, j.keep)
		}
	}
	for n, i := range items {
		if fresh && n == 0 {
			continue
		}
		if i.State == survey.Unfit {
			err := j.mend(ctx, i, rules)
			refusal, refused := errors.AsType[*amend.Refusal](err)
			switch {
			case refused && refusal.Lacks:
				i.State = survey.Inapplicable
			case refused:
				if i = i.Refused(err); i.State == survey.Inapplicable {
					j.t.Notef("%s: this server refuses it, and may do it by itself: %v", i.What, err)
				}
			case err != nil:
				return fmt.Errorf("%s: %w", i.What, err)
			}
		}
		if fresh && (i.State == survey.Fit || i.State == survey.Unfit) {
			i.State = survey.Missing
		}
		j.leave(i)
		if err := j.line(done[i.State], i.What); err != nil {
			return err
		}
	}
	return nil
}

// mend makes one thing of the bucket fit. Of rules, those that are to be added by their
// things, it takes out what needs no further try.
func (j *job) mend(ctx context.Context, i survey.Item, rules map[survey.Thing]survey.Rule) error {
	switch i.Thing {
	case survey.Ownership:
		return j.amend.EnforceOwner(ctx, j.bucket)
	case survey.PublicBlock:
		return j.amend.BlockPublicAccess(ctx, j.bucket)
	case survey.TLS:
		return j.amend.DenyPlain(ctx, j.seen)
	case survey.VersioningOn:
		err := j.amend.EnableVersioning(ctx, j.bucket)
		j.versions = err == nil
		return err
	}
	if len(rules) > 1 {
		err := j.amend.AddRules(ctx, j.seen, rules[survey.Uploads], rules[survey.OldVersions])
		if _, refused := errors.AsType[*amend.Refusal](err); !refused {
			clear(rules)
			return err
		} // one of them may be taken alone
	}
	rule, ok := rules[i.Thing]
	if !ok {
		return nil
	}
	delete(rules, i.Thing)
	err := j.amend.AddRules(ctx, j.seen, rule)
	if err == nil {
		j.seen.Lifecycle = j.survey.Lifecycle(ctx, j.bucket)
	}
	return err
}

// makeKey makes a key, its rotation and, at the end, its alias: what an interrupted
// run has made is found again as long as it has none.
func (j *job) makeKey(ctx context.Context, k key) error {
	arn := ""
	if k.found != nil {
		arn = cmp.Or(k.found.Primary, k.found.ARN)
	}
	for _, i := range k.items {
		var err error
		switch {
		case i.State != survey.Missing && i.State != survey.Unfit:
		case i.Thing == survey.TheKey:
			_, region, _, _ := j.survey.Alias(k.id)
			if arn, err = j.amend.CreateKey(ctx, region, j.description(k.service)); err == nil {
				i.What = "key " + arn + " of " + k.service
			}
		case i.Thing == survey.Rotation:
			i.What = "rotation of " + arn
			err = j.amend.EnableRotation(ctx, arn)
			if _, refused := errors.AsType[*amend.Refusal](err); refused {
				i.State, err = survey.Inapplicable, nil
			}
		case i.Thing == survey.TheAlias:
			if k.found != nil {
				arn = k.found.ARN
			}
			err = j.amend.CreateAlias(ctx, k.id, arn)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", i.What, err)
		}
		j.leave(i)
		if err := j.line(done[i.State], i.What); err != nil {
			return err
		}
	}
	return nil
}

// printSettings prints the lines of a .msrc for this store.
func (j *job) printSettings() error {
	text := "\nstore " + j.store + "\n"
	if j.settings.Key != defaults.Key {
		text += "key " + j.settings.Key + "\n"
	}
	if j.survey.Owner != "" {
		text += "bucket-owner " + j.survey.Owner + "\n"
	}
	return j.printf("%sregion %s\n", text, printable.Line(j.survey.Region()))
}
