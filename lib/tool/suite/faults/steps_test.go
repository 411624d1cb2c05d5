package faults_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/tool/suite"
)

// configuration is all that ms-init makes and mends, and all that is stored.
func (b *bench) configuration() string {
	var all strings.Builder
	for _, bucket := range []string{fakeaws.DefaultBucket, newBucket} {
		for _, what := range []string{"policy", "lifecycle", "publicAccessBlock", "ownershipControls"} {
			text, err := b.server.ControlLine("", "document "+bucket+" "+what)
			fmt.Fprintf(&all, "%s %s: %s%v\n", bucket, what, text, err)
		}
		out, err := b.s3.GetBucketVersioning(context.Background(), &s3.GetBucketVersioningInput{Bucket: aws.String(bucket)})
		if err == nil {
			fmt.Fprintln(&all, bucket, out.Status)
		}
	}
	return all.String() + b.server.Do("key list", "versions", "uploads")
}

// keys are the KMS keys of a server, a line each.
func (b *bench) keys() []string {
	return slices.Collect(strings.Lines(b.server.Do("key list")))
}

// The lines of the programs that print what they see or do: a word and a thing.
var (
	ofCheck = regexp.MustCompile(`^(ok|no|\?|-) +\S|^    \S`)
	ofPlan  = regexp.MustCompile(`^(make|mend|kept|left|-|\?) +\S`)
	ofMake  = regexp.MustCompile(`^(made|mended|kept|left|-) +\S`)
	ofMSRC  = regexp.MustCompile(`^(store|key|bucket-owner|region) \S+$`)
)

// things are what the messages of ms-init begin with.
var things = regexp.MustCompile(`^(bucket s3://|owner enforced, |public access blocked: |TLS only: |versioning: |unfinished uploads |old versions |key |the key |rotation of |KEY: |whose the bucket is to be is not known: |not allowed: no credentials: )`)

// thing is what a line or a message is about, after the word of a line.
var thing = regexp.MustCompile(`^((?:(?:ok|no|\?|-|made|mended|kept|left|make|mend) +)?)` +
	`(?:bucket s3://\S+|owner enforced, no access control lists|public access blocked|TLS only|versioning|unfinished uploads ended after \d+ days|old versions removed after \d+ days|` +
	`key (?:KEY|ARN)?(?: ?of \w+)?|rotation of [\w ]+|KEY|identity|S3|KMS|TLS|(?:list|encrypt for|get|decrypt|put|remove) \S+)` +
	`(: (?:s3://` + fakeaws.DefaultBucket + `: )?|$)`)

// thingless is a text with THING in the place of what it is about, so that texts about
// different ones can be alike.
func thingless(text string) string {
	return strings.Replace(thing.ReplaceAllString(text, "${1}THING${2}"), "THING: s3://"+fakeaws.DefaultBucket+": ", "THING: ", 1)
}

// line is a word of a line, and its thing.
func line(text string) (word, thing string) {
	word, thing, _ = strings.Cut(strings.TrimSuffix(text, "\n"), " ")
	return word, strings.TrimSpace(thing)
}

// judgeStep holds what became of a call that prints lines to the rules of its kind.
func (b *bench) judgeStep(c call, f fault, once bool, col column, v *verdict, before, work string) {
	o := v.outcome
	wrong := func(format string, args ...any) { v.wrong = append(v.wrong, fmt.Sprintf(format, args...)) }
	message := b.messages(c, o, wrong)
	if leaky(o.stderr) || leaky(o.stdout) {
		wrong("the canary is printed")
	}
	v.said = invariant(message)
	v.wait = waited(c, f, o, wrong)
	v.state = "done"
	if col.request == "" { // as usual, which the others are compared with
		if o.status != 0 {
			wrong("status %d", o.status)
		}
		return
	}
	// The first line that is another one than usual, if that is so.
	usual := slices.Collect(strings.Lines(invariant(b.usual[f.flags])))
	odd := ""
	for text := range strings.Lines(o.stdout) {
		if text = invariant(text); !slices.Contains(usual, text) && !strings.HasPrefix(text, "    ") {
			odd = strings.TrimSuffix(text, "\n")
			break
		}
	}
	switch c.kind {
	case reports:
		if odd == "" && !f.good && !once && !b.mayPass(c, col, o) {
			wrong("it is not seen")
		}
		b.judgeReport(v, odd, before, wrong)
	case plans:
		b.judgePlan(f, col, v, odd, before, wrong)
	case makes:
		b.judgeMake(v, odd, before, func(dry bool) outcome { return b.again(c, f, work, dry) }, wrong)
	}
	v.said = thingless(v.said)
}

// mayPass reports whether ms-check may print the same table as ever, whatever befalls a
// request: it only shapes the words of a remedy; or it is by nobody, or tests conditions,
// and the service answers, whatever that is; or the secret is stored, and it only tests
// whether a second creation is refused; or another request has had the answer.
func (b *bench) mayPass(c call, col column, o outcome) bool {
	switch {
	case col.op() == "ListObjectVersions", col.request == "PutObject" && col.distinct > 1:
		return true
	case strings.Contains(col.request, byNobody) || strings.Contains(col.request, "(a test"):
		return b.net.cell.answered
	}
	had := map[string]bool{}
	for _, a := range b.columnsOf {
		had[a.request] = true
	}
	return slices.ContainsFunc(o.log, func(a asked) bool { return !had[a.request] })
}

// judgeReport: what fails is a line of the table, and the status is 1 if one is "no".
func (b *bench) judgeReport(v *verdict, odd, before string, wrong func(string, ...any)) {
	o := v.outcome
	bad := 0
	for text := range strings.Lines(o.stdout) {
		if !ofCheck.MatchString(text) {
			wrong("not a line of the table: %q", text)
		}
		if strings.HasPrefix(text, "no ") {
			bad = 1
		}
	}
	switch {
	case o.stdout == "":
		wrong("nothing is printed")
	case o.status != bad:
		wrong("status %d", o.status)
	case v.said != "":
		wrong("a message: %s", v.said)
	}
	if v.said = odd; odd != "" {
		v.state = "seen"
	}
	b.judgeLeft(v, before, false, wrong)
}

// judgeLeft: of what ms-check -write stores nothing is left that is not told, unless it had
// no time to tell it.
func (b *bench) judgeLeft(v *verdict, before string, killed bool, wrong func(string, ...any)) {
	o := v.outcome
	if b.configuration() == before {
		return
	}
	if rest := b.server.Do("key list"); !strings.Contains(before, rest) {
		wrong("the keys are others: %s", rest)
	}
	for text := range strings.Lines(b.server.Do("versions")) {
		key := strings.Fields(text)[0]
		switch {
		case b.raw[key] != "":
		case killed:
			v.state = "a secret of its own is left"
		case strings.HasPrefix(key, "svc/ms-check-") && strings.Contains(o.stdout, "ms-rm "+key):
			v.state = "its own secret may be left, and told"
		case strings.HasPrefix(key, "svc/ms-check-") && strings.Contains(o.stdout, "its version stays in the history"):
			v.state = "its own secret is in the history, and told"
		case strings.HasPrefix(key, "ms-probe-") && strings.Contains(o.stdout, key):
			v.state = "a test object is left, and told"
		default:
			wrong("%s is left, and not told", strings.TrimSpace(text))
		}
	}
	if uploads := b.server.Do("uploads"); uploads != "" {
		wrong("an upload is left: %s", uploads)
	}
}

// judgePlan: what could not be looked at is "?", and told, and nothing is changed.
func (b *bench) judgePlan(f fault, col column, v *verdict, odd, before string, wrong func(string, ...any)) {
	o := v.outcome
	unknown := 0
	for text := range strings.Lines(o.stdout) {
		if !ofPlan.MatchString(text) {
			wrong("not a line of a plan: %q", text)
		}
		if strings.HasPrefix(text, "?") || strings.HasPrefix(text, "left ") {
			unknown++
		}
	}
	if b.configuration() != before {
		wrong("something is changed")
	}
	switch word, _ := line(odd); {
	case o.status == 0 && unknown > 0:
		wrong("status 0, and something is not known, or left")
	case o.status == 0 && odd != "" && word != "-" && !f.believes(col):
		wrong("status 0, and another plan: %s", odd)
	case o.status != 0 && !things.MatchString(v.said):
		wrong("the message does not begin with a thing: %q", v.said)
	case o.status != 0 && o.stdout != "" && unknown == 0:
		wrong("status %d, and everything is known", o.status)
	}
	switch {
	case o.status != 0:
		v.state = "the rest of the plan is printed"
		if o.stdout == "" {
			v.state = "nothing is printed"
		}
	case odd != "":
		v.said = odd
	}
}

// judgeMake: each line is true, and the next run goes on from there.
func (b *bench) judgeMake(v *verdict, odd, before string, again func(dry bool) outcome, wrong func(string, ...any)) {
	o := v.outcome
	said, last := steps(o, wrong)
	if o.status != 0 && !things.MatchString(v.said) {
		wrong("the message does not begin with a thing: %q", v.said)
	}
	if o.status == 0 && !last {
		wrong("status 0, and no settings are printed")
	}
	switch changed := b.configuration() != before; {
	case o.status != 0 && changed:
		v.state = "done in part"
	case o.status != 0:
		v.state = "not done"
	}
	b.goesOn(o, said, again, wrong)
	if o.status == 0 && odd != "" {
		v.said = odd
	}
}

// steps are the things of which ms-init has printed a line, each with the word of it. Last
// reports whether it has printed settings after them.
func steps(o outcome, wrong func(string, ...any)) (said map[string]string, last bool) {
	said = map[string]string{}
	for text := range strings.Lines(o.stdout) {
		switch {
		case last && ofMSRC.MatchString(strings.TrimSuffix(text, "\n")):
		case text == "\n":
			last = true
		case ofMake.MatchString(text):
			word, thing := line(text)
			said[thing] = word
		default:
			wrong("not a line of what is done: %q", text)
		}
	}
	return said, last
}

// goesOn looks what a call has left: what it says was made is there, and the next run
// makes the rest, and leaves nothing that is not told.
func (b *bench) goesOn(o outcome, said map[string]string, again func(dry bool) outcome, wrong func(string, ...any)) {
	plan := again(true)
	for text := range strings.Lines(plan.stdout) {
		switch word, thing := line(text); {
		case word == "kept" || said[thing] == "-" || said[thing] == "left" || word == "-":
		case said[thing] != "":
			wrong("%s was %s, and now: %s", thing, said[thing], text)
		case o.status == 0:
			wrong("status 0, and then: %s", text)
		}
	}
	if plan.status != 0 {
		wrong("ms-init -n: status %d: %s", plan.status, plan.stderr)
	}
	if next := again(false); next.status != 0 {
		wrong("the next run: status %d: %s", next.status, next.stderr)
	}
	for text := range strings.Lines(again(true).stdout) {
		if word, _ := line(text); word != "kept" && word != "-" {
			wrong("after the next run: %s", text)
		}
	}
	for _, key := range b.keys() {
		if arn := strings.Fields(key)[0]; !strings.Contains(key, " alias/") && !strings.Contains(o.stderr, arn) {
			wrong("a key is left, and not told: %s", key)
		}
	}
}

// again runs a call once more when nothing befalls it, or looks what it would do.
func (b *bench) again(c call, f fault, work string, dry bool) outcome {
	was := b.net.cell
	b.net.cell = &cell{server: b.server, seen: map[string][]string{}}
	defer func() { b.net.cell = was }()
	args := slices.DeleteFunc(b.args(c, f, work), func(a string) bool { return a == "-v" })
	if dry {
		args = append([]string{"-n"}, args...)
	}
	p, _ := suite.Find(c.program)
	return b.call(p.Run, args, strings.NewReader(""))
}
