package faults_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/suite"
)

const (
	// timeout is what the programs have as setting timeout.
	timeout = 30 * time.Second

	// sessionLeft is how long the credentials of a session are good for, beside the five
	// minutes before their end in which the SDK renews them.
	sessionLeft = 4 * time.Second
)

// requestsMax bounds the requests of one call, whatever befalls it.
const requestsMax = 300

// A bench is where a call is made again and again: the emulator, a network, and what
// is stored before each time. It lives in one bubble of testing/synctest.
type bench struct {
	server *fakeawstest.Server
	life   *life
	s3     *s3.Client // of the emulator, without the network
	net    *network
	dir    string
	raw    map[string]string // the stored messages, by name
	as     map[string]string // their versions, as they are stored now
	usual  map[string]string // what a call prints when nothing befalls it, by its flags

	columnsOf []column // the requests that it makes then
}

// A cell is one call in which a fault befalls one of its requests.
type cell struct {
	server *fakeawstest.Server
	fault  fault
	once   bool
	column column // none: no fault

	seen     map[string][]string // the invocations of the SDK, by request
	log      []asked
	struck   bool // what is to come befalls connections
	strikes  int
	answered bool     // a service has answered in order
	lines    []string // to undo
	session  struct {
		expires time.Time
		gone    bool // and there is no other
	}
}

// A column is a request that a call makes.
type column struct {
	request    string
	distinct   int     // among those of one name, from 1
	before     *asked  // the request before it
	same       []asked // the last before it to the same server: several, if they are side by side
	sent, body bool    // it sends a body, its answer has one
	beside     bool    // it is made side by side with the one before it
}

func (c column) String() string {
	if c.distinct > 1 {
		return fmt.Sprintf("%s, the %s", c.request, []string{"", "first", "second", "third", "fourth"}[c.distinct])
	}
	return c.request
}

// op is the operation of the column's request.
func (c column) op() string { return strings.Fields(c.request)[0] }

// asked is a request that has arrived.
type asked struct {
	request           string
	distinct, attempt int
	sent, body        bool
}

// is reports whether an exchange is the first try of a request.
func (a *asked) is(x *exchange) bool {
	return a.request == x.request && a.distinct == x.distinct && x.attempt == 0
}

// passed reports whether an exchange is the last of some requests to arrive.
func (c *cell) passed(requests []asked, x *exchange) bool {
	last := false
	for _, a := range requests {
		last = last || a.is(x)
		if len(c.seen[a.request]) < a.distinct {
			return false
		}
	}
	return last
}

// arrive notes a request; the network's lock is held, here and in the next three.
func (c *cell) arrive(r *http.Request) (request string, distinct, attempt int) {
	request = requestOf(r)
	id := r.Header.Get("Amz-Sdk-Invocation-Id")
	if !slices.Contains(c.seen[request], id) {
		c.seen[request] = append(c.seen[request], id)
	}
	distinct = slices.Index(c.seen[request], id) + 1
	for _, a := range c.log {
		if a.request == request && a.distinct == distinct {
			attempt++
		}
	}
	c.log = append(c.log, asked{request: request, distinct: distinct, attempt: attempt, sent: r.ContentLength > 0})
	return request, distinct, attempt
}

// befalls returns what befalls a request, or nil.
func (c *cell) befalls(x *exchange) func(*exchange) {
	if b := c.column.before; c.fault.before != nil && b != nil && b.is(x) {
		return c.fault.before
	}
	if c.fault.connection != "" && !c.struck && c.passed(c.column.same, x) {
		c.struck = true // and so is what is opened in advance
		x.network.dropUnused(serverFor(c.column.request))
	}
	switch {
	case c.column.request == "":
		i := len(c.log) - 1
		return func(x *exchange) { // as it is, to see whether the answer has a body
			a := x.act()
			x.network.mu.Lock()
			c.log[i].body = a.body.Len() > 0
			x.network.mu.Unlock()
			x.send(a)
		}
	case c.fault.strike == nil, c.column.request != x.request, x.distinct < c.column.distinct, c.once && c.strikes > 0:
		return nil
	}
	c.strikes++
	return c.fault.strike
}

// onDial returns what befalls a connection.
func (c *cell) onDial(port string) string {
	if !c.struck || serviceOf(port) != serverFor(c.column.request) || c.once && c.strikes > 0 {
		return ""
	}
	c.strikes++
	return c.fault.connection
}

// service is the one of the cell's request.
func (c *cell) service() string {
	return serviceFor(c.column.request)
}

// identity is the one request to STS, which is at S3's endpoint.
const identity = "GetCallerIdentity"

var kmsOperations = []string{"CreateAlias", "CreateKey", "Decrypt", "DescribeKey", "EnableKeyRotation", "Encrypt", "GenerateDataKey", "GetKeyRotationStatus", "ListAliases", "ListKeys"}

func serviceFor(request string) string {
	switch op := strings.Fields(request)[0]; {
	case op == identity:
		return "sts"
	case slices.Contains(kmsOperations, op):
		return "kms"
	}
	return "s3"
}

// serverFor is where a request goes, by the word of serviceOf.
func serverFor(request string) string {
	if serviceFor(request) == "kms" {
		return "kms"
	}
	return "s3"
}

// control runs a line of the emulator's control language. KEY is the key that the
// request names.
func (c *cell) control(x *exchange, line string) {
	if strings.Contains(line, "KEY") {
		var body bytes.Buffer
		body.ReadFrom(x.r.Body)
		x.r.Body = nopCloser{bytes.NewReader(body.Bytes())}
		var in struct{ KeyId, TargetKeyId string }
		json.Unmarshal(body.Bytes(), &in)
		line = strings.ReplaceAll(line, "KEY", cmp.Or(in.TargetKeyId, in.KeyId))
	}
	if _, err := c.server.ControlLine("", line); err != nil {
		panic(line + ": " + err.Error())
	}
	x.network.mu.Lock()
	defer x.network.mu.Unlock()
	c.lines = append(c.lines, line)
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// undo undoes what control did.
func (c *cell) undo() {
	for _, line := range c.lines {
		words := strings.Fields(line)
		switch words[0] {
		case "key":
			c.server.ControlLine("", "key enable "+words[2])
		case "clock":
			c.server.ControlLine("", "clock 0s")
		case "expire":
			c.server.ControlLine("", principals[words[1]])
		}
	}
}

// principals are the lines that make those of a bench.
var principals = map[string]string{
	"user":    "principal user key=AKIAUSER secret=user0secret",
	"session": "principal session key=ASIASESSION secret=session0secret token=session0token",
	"renewed": "principal renewed key=ASIARENEWED secret=renewed0secret token=renewed0token",
}

// expire ends the session's credentials.
func (c *cell) expire(renew bool) { c.session.gone = !renew }

// giveCredentials is the answer of a source of credentials.
func (c *cell) giveCredentials(w http.ResponseWriter) {
	who := "session"
	if c.session.expires.IsZero() {
		c.session.expires = time.Now().Add(5*time.Minute + sessionLeft)
	} else if time.Now().After(c.session.expires.Add(-5 * time.Minute)) {
		if who = "renewed"; c.session.gone {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		c.session.expires = time.Now().Add(time.Hour)
	}
	json.NewEncoder(w).Encode(map[string]string{
		"AccessKeyId": "ASIA" + strings.ToUpper(who), "SecretAccessKey": who + "0secret", "Token": who + "0token",
		"Expiration": c.session.expires.UTC().Format(time.RFC3339),
	})
}

// environ leads programs to a network, for a test that makes calls in its own process.
func environ(t *testing.T, c *certificates) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "MS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	text := `[default]
aws_access_key_id = AKIAUSER
aws_secret_access_key = user0secret
[profile tls]
aws_access_key_id = AKIAUSER
aws_secret_access_key = user0secret
ca_bundle = ` + c.bundle + `
services = tls
[services tls]
s3 =
  endpoint_url = https://127.0.0.1:` + portS3TLS + `
sts =
  endpoint_url = https://127.0.0.1:` + portS3TLS + `
kms =
  endpoint_url = https://127.0.0.1:` + portKMSTLS + `
[profile session]
region = us-east-1
services = plain
[profile session-tls]
region = us-east-1
ca_bundle = ` + c.bundle + `
services = tls
[profile plain]
aws_access_key_id = AKIAUSER
aws_secret_access_key = user0secret
services = plain
[services plain]
s3 =
  endpoint_url = http://127.0.0.1:` + portS3 + `
sts =
  endpoint_url = http://127.0.0.1:` + portS3 + `
kms =
  endpoint_url = http://127.0.0.1:` + portKMS + `
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"VISUAL": "", "EDITOR": editor, "HOME": dir, "XDG_CONFIG_HOME": dir, "AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_REGION": fakeaws.DefaultRegion, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "plain",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:" + portSession + "/credentials",
		"MS_STORE":                           "s3://" + fakeaws.DefaultBucket, "MS_BY": "a tester",
	} {
		t.Setenv(name, value)
	}
}

// newBench stores what the calls of names need, and makes the store fit for those that
// need that.
func newBench(t *testing.T, certificates *certificates, dir string, c call, names ...string) *bench {
	t.Helper()
	life := &life{TB: t}
	b := &bench{server: fakeawstest.StartWith(life, fakeaws.Options{InMemory: true}), life: life, dir: dir, raw: map[string]string{}, as: map[string]string{}}
	for _, line := range principals {
		b.server.Do(line)
	}
	b.server.Do("key create alias/microsecrets-svc", "key create alias/microsecrets-next")
	b.s3 = s3.NewFromConfig(b.server.Config(), func(o *s3.Options) { o.UsePathStyle = true })
	b.net = newNetwork(b.server.Server, certificates)
	put, _ := suite.Find("ms-put")
	for _, name := range names {
		text, ok := stored[name]
		if !ok {
			text = stored["svc/secret"]
		}
		b.net.cell = &cell{server: b.server, seen: map[string][]string{}}
		if r := b.call(put.Run, []string{"-q", name}, strings.NewReader(text)); r.status != 0 {
			t.Fatalf("ms-put %s: status %d: %s", name, r.status, r.stderr)
		}
		b.raw[name] = b.current(name)
		b.as[name] = b.versions(name)
	}
	if c.fit {
		initialize, _ := suite.Find("ms-init")
		b.net.cell = &cell{server: b.server, seen: map[string][]string{}}
		if r := b.call(initialize.Run, []string{"-adopt", "-profile", map[bool]string{true: "tls", false: "plain"}[c.tls], "svc"}, strings.NewReader("")); r.status != 0 {
			t.Fatalf("ms-init: status %d: %s", r.status, r.stderr)
		}
	}
	return b
}

// close ends all that is in the bubble.
func (b *bench) close() {
	if b.net != nil {
		b.net.end()
	}
	b.life.end()
}

// A life is a test for what does not live as long as the test does.
type life struct {
	testing.TB
	cleanups []func()
}

func (l *life) Cleanup(f func()) { l.cleanups = append(l.cleanups, f) }

func (l *life) end() {
	for _, f := range slices.Backward(l.cleanups) {
		f()
	}
}

// current is the stored message, or empty.
func (b *bench) current(name string) string {
	raw, err := b.server.ControlLine("", "cat "+name)
	if err != nil {
		return ""
	}
	return raw
}

// versions are those of a name, and tell whether anything was done to it.
func (b *bench) versions(name string) string {
	var own strings.Builder
	for line := range strings.Lines(b.server.Do("versions " + name)) {
		if strings.HasPrefix(line, name+" ") {
			own.WriteString(line)
		}
	}
	return own.String()
}

// reset puts everything back to where it was.
func (b *bench) reset(t *testing.T) {
	for name, raw := range b.raw {
		if b.versions(name) == b.as[name] {
			continue
		}
		b.remove(name)
		file := filepath.Join(b.dir, "raw")
		if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		b.server.Do("put " + name + " " + file)
		b.as[name] = b.versions(name)
	}
	for line := range strings.Lines(b.server.Do("versions")) {
		if key := strings.Fields(line)[0]; b.raw[key] == "" {
			b.remove(key)
		}
	}
	for line := range strings.Lines(b.server.Do("uploads")) {
		f := strings.Fields(line)
		_, err := b.s3.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: aws.String(fakeaws.DefaultBucket), Key: &f[0], UploadId: &f[1]})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// remove removes all versions of a name.
func (b *bench) remove(name string) {
	for line := range strings.Lines(b.server.Do("versions " + name)) {
		if f := strings.Fields(line); f[0] == name {
			b.server.ControlLine("", "rm "+name+" version="+f[1])
		}
	}
}

// An outcome is what became of a call.
type outcome struct {
	status         int
	stdout, stderr string
	took           time.Duration
	log            []asked
}

// call runs a program once, and returns when what it has begun is over too: a connection
// opened in advance is not waited for.
func (b *bench) call(run tool.Run, args []string, stdin io.Reader) outcome {
	var out, errs bytes.Buffer
	began := time.Now()
	ctx, cancel := context.WithCancel(awsclient.WithDial(context.Background(), b.net.dial))
	defer cancel()
	status := run(ctx, args, stdin, &out, &errs)
	o := outcome{status: status, stdout: out.String(), stderr: errs.String(), took: time.Since(began)}
	cancel()
	b.net.hangUp()
	synctest.Wait()
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	o.log = b.net.cell.log
	return o
}

// columns makes a call that nothing befalls, and returns its requests in order.
func (b *bench) columns(t *testing.T, c call) []column {
	t.Helper()
	v := b.run(t, c, fault{}, column{}, false)
	if len(v.wrong) > 0 {
		t.Fatalf("%s: %q\n%s", c.title, v.wrong, v.outcome.stderr)
	}
	log := v.outcome.log
	// Those that are made side by side arrive in any order.
	places := make([]place, len(log))
	for i := 0; i < len(log); {
		j := i + 1
		for j < len(log) && wave(c, log[j]) >= 0 && wave(c, log[i]) >= 0 {
			j++
		}
		slices.SortStableFunc(log[i:j], func(a, b asked) int {
			return cmp.Or(wave(c, a)-wave(c, b), strings.Compare(serverFor(a.request), serverFor(b.request)), strings.Compare(a.request, b.request))
		})
		for n := i; n < j; n++ {
			places[n] = place{run: i, wave: wave(c, log[n])}
			if c.kind == ofSecrets && !strings.HasPrefix(log[n].request, "UploadPart ") {
				places[n].run = n // it waits for nothing, but one fault is enough for each
			}
		}
		i = j
	}
	var columns []column
	for i, a := range log {
		col := column{request: a.request, distinct: a.distinct, sent: a.sent, body: a.body}
		from, near := -1, -1 // the last before it, and the last that is at the same server, of the same run
		var last place       // of those in same
		for n := i - 1; n >= 0; n-- {
			at := serverFor(log[n].request) == serverFor(a.request)
			if places[n] == places[i] {
				col.beside = col.beside || at
				continue
			}
			if from < 0 {
				from = n
			}
			if near < 0 && at && places[n].run == places[i].run {
				near = n
			}
			if at && (col.same == nil || places[n] == last) {
				col.same, last = append(col.same, log[n]), places[n]
			}
		}
		if near >= 0 {
			from = near
		}
		if from >= 0 {
			col.before = &log[from]
		}
		columns = append(columns, col)
	}
	return columns
}

// A place is where a request is among others: those of one run and one wave are
// made side by side.
type place struct{ run, wave int }

// wave says of a request that is made side by side with others in which place after
// the first it is, and of any other -1.
func wave(c call, a asked) int {
	op := strings.Fields(a.request)[0]
	switch {
	case strings.Contains(a.request, "(a test"):
	case strings.HasPrefix(a.request, "UploadPart "), strings.HasPrefix(a.request, "GetObject from "), strings.HasPrefix(a.request, "DeleteObject of a version"):
		return 0
	case c.kind == ofSecrets:
	case op == identity && c.kind != reports: // alone, and first
	case op == identity, op == "HeadBucket", op == "DescribeKey", strings.Contains(a.request, byNobody):
		return 0
	case c.kind == makes && (op == "GetBucketLifecycleConfiguration" || op == "GetBucketPolicy") && a.distinct > 1: // read once more
	case op == "ListObjectVersions", strings.HasPrefix(op, "GetBucket"), op == "GetPublicAccessBlock", op == "GetKeyRotationStatus", op == "ListAliases":
		return 1
	case op == "ListKeys":
		return 2
	}
	return -1
}

// A verdict is a cell as it is printed, and what is wrong with it.
type verdict struct {
	outcome outcome
	skipped string // why there is none
	said    string // the first message, in which nothing varies
	state   string // of what is stored
	wait    string // how long it took
	wrong   []string
}

// run makes a call in which a fault befalls a request, and holds it to the rules.
func (b *bench) run(t *testing.T, c call, f fault, col column, once bool) *verdict {
	t.Helper()
	v := &verdict{}
	has := map[part]bool{nothing: true, sentBody: col.sent, answerBody: col.body, aBefore: col.before != nil,
		aKey: !strings.Contains(col.request, "List") && !strings.HasPrefix(col.request, "CreateKey")}
	cell := &cell{server: b.server, fault: f, once: once, column: col, seen: map[string][]string{}}
	switch {
	case col.request == "":
	case f.on != "" && f.on != cell.service():
		v.skipped = "not of " + strings.ToUpper(cell.service())
		return v
	case (f.connection != "" || f.before != nil) && col.beside:
		v.skipped = "as the one beside it"
		return v
	case c.slow && !f.heavy:
		v.skipped = "as with a small secret"
		return v
	case !has[f.needs]:
		v.skipped = lacks[f.needs]
		return v
	}
	b.reset(t)
	if f.early != "" { // what is stored then has been so before
		b.server.Do(f.early)
		for name := range b.raw {
			b.as[name] = ""
		}
		b.reset(t)
		b.server.Do("clock 0s")
	}
	cell.struck = f.connection != "" && col.same == nil
	b.net.cell = cell
	p, _ := suite.Find(c.program)
	work := filepath.Join(b.dir, "work")
	os.RemoveAll(work)
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	before := b.versions(c.name)
	if c.kind != ofSecrets {
		before = b.configuration()
	}
	stdin := io.Reader(strings.NewReader(c.stdin))
	if f.halfway {
		stdin = io.MultiReader(strings.NewReader(c.stdin[:len(c.stdin)/2]), iotest.ErrReader(syscall.EIO))
	}
	v.outcome = b.call(p.Run, b.args(c, f, work), stdin)
	cell.undo()
	if c.kind != ofSecrets {
		b.judgeStep(c, f, once, col, v, before, work)
		return v
	}
	b.judge(t, c, f, col, v, before, work)
	return v
}

func (b *bench) args(c call, f fault, work string) []string {
	id := ""
	if c.name != "" && !isFresh(c.name) {
		id = strings.Fields(b.server.Do("versions " + c.name))[1]
	}
	flags := f.flags
	if c.tls {
		flags = map[string]string{"": "-profile tls", "-profile session": "-profile session-tls"}[flags]
		flags = cmp.Or(flags, f.flags)
	}
	args := slices.Concat([]string{"-v"}, strings.Fields(flags))
	for _, a := range c.args {
		switch a {
		case "TAG":
			a = etagOf(b.raw[c.name])
		case "VERSION":
			a = id
		case "IN":
			a = filepath.Join(b.dir, "in")
			if err := os.WriteFile(a, []byte(canary), 0o600); err != nil {
				panic(err)
			}
		}
		args = append(args, strings.Replace(a, "OUT", filepath.Join(work, "out"), 1))
	}
	return args
}

// judge holds what became of a call to the rules that hold for every one.
func (b *bench) judge(t *testing.T, c call, f fault, col column, v *verdict, before, work string) {
	o := v.outcome
	wrong := func(format string, args ...any) { v.wrong = append(v.wrong, fmt.Sprintf(format, args...)) }

	// What was said.
	believed := f.believes(col)
	if believed && slices.Contains(c.absent, o.status) {
		c.status, c.stdout = o.status, o.stdout
	}
	v.said = b.said(c, o, wrong)
	if leaky(o.stderr) {
		wrong("the canary is on standard error")
	}

	// What is stored, and what was printed.
	undone := b.versions(c.name) == before
	isNew := c.after != "" && !undone && b.plain(t, c.name) == c.after
	done := c.after == "" && !c.gone && undone || c.gone && b.current(c.name) == "" || isNew
	if c.gone && !undone && !done {
		undone = b.current(c.name) == b.raw[c.name] // of old versions some are gone
	}
	printed := c.stdout == o.stdout || c.stdout == "*" && o.stdout != ""
	out, err := os.ReadFile(filepath.Join(work, "out"))
	if c.file != "" && slices.Contains(c.args, "-d") {
		out, err = os.ReadFile(filepath.Join(work, "out", c.name))
	}
	left, _ := os.ReadDir(work)
	uploads, parts := 0, 0 // in progress, and those of them that have parts
	for line := range strings.Lines(b.server.Do("uploads")) {
		if uploads++; !strings.HasSuffix(line, " 0\n") {
			parts++
		}
	}
	told := strings.Contains(o.stderr, "left behind")
	unsure := strings.Contains(o.stderr, "may have been ") || strings.Contains(o.stderr, ": stored, ") || strings.Contains(o.stderr, "hint: look what is stored before ")
	switch {
	case o.status == c.status && !done && believed:
		v.state = "not done: the server is taken at its word"
	case o.status == c.status:
		v.state = "done"
		if !done {
			wrong("status %d, and it is not done", o.status)
		}
		if !printed {
			wrong("status %d, and standard output is %.40q", o.status, o.stdout)
		}
		if c.file != string(out) {
			wrong("status %d, and FILE is %.40q", o.status, out)
		}
	case unsure:
		if v.state = "not done"; done && !undone {
			v.state = "done"
		}
		if !done && !undone {
			wrong("neither as it was nor as it should be")
		}
		if o.status == 3 || o.status == 6 && !strings.Contains(o.stderr, "stored, but") {
			wrong("status %d of what may have been done", o.status)
		}
	default:
		if v.state = "not done"; !undone {
			wrong("status %d, and something else is stored", o.status)
		}
	}
	if o.status != c.status {
		if o.stdout != "" {
			wrong("status %d, and %.40q on standard output", o.status, o.stdout)
		}
		if len(left) > 0 || err == nil {
			wrong("status %d, and %v is left", o.status, left)
		}
	} else if c.file == "" && len(left) > 0 || len(left) > 1 {
		wrong("%v is left", left)
	}
	switch {
	case believed && parts > 0:
		v.state += "; an upload that is said to be gone is left"
		told = true
	case uploads > parts && o.status == c.status:
		v.state += "; an upload without parts is left"
	case uploads > 0 && !told:
		wrong("%d uploads are left, and not told", uploads)
	case uploads > parts:
		v.state += "; an upload without parts is left, and told"
	case uploads > 0:
		v.state += "; parts are left, and told"
	case told:
		v.state += "; it is told that an upload may be left"
	}
	if parts > 0 && !told {
		wrong("parts are left, and not told")
	}
	for line := range strings.Lines(b.server.Do("ls")) {
		if key := strings.TrimSpace(line); b.raw[key] == "" && key != c.name {
			v.state += "; a test object is left"
			if !strings.Contains(o.stderr, "ms-probe-") {
				wrong("%s is left", key)
			}
		}
	}

	v.wait = waited(c, f, o, wrong)
}

// waited says how long a call took beside its round trips, which it bounds, as it does
// the number of requests.
func waited(c call, f fault, o outcome, wrong func(string, ...any)) string {
	if len(o.log) > requestsMax {
		wrong("%d requests", len(o.log))
	}
	took, longest, waits := o.took, timeout, 2
	if f.before != nil {
		took -= 2 * sessionLeft
	}
	if c.kind == reports {
		longest, waits = checkTimeout, 4 // for one thing after the other
	}
	switch {
	case took <= time.Duration(len(o.log))*roundTrip:
		return ""
	case took <= 20*time.Second && longest == timeout, took < longest:
		if c.slow { // of parts that are sent side by side one may pause while another is sent
			return ""
		}
		return "seconds"
	case took < timeout && longest == timeout:
		wrong("it took %v", took)
	}
	for n := range waits {
		if bound := longest + time.Duration(n)*10*time.Second; took <= bound+10*time.Second {
			return fmt.Sprintf("%.0f s", bound.Seconds())
		}
	}
	wrong("it took %v", o.took)
	return "longer"
}

// checkTimeout is the longest wait of ms-check for anything.
const checkTimeout = 10 * time.Second

// believes reports whether a fault may be true of a request.
func (f fault) believes(col column) bool {
	return f.believed != "" && slices.Contains(strings.Fields(f.believed), col.op())
}

// plain is the plaintext of a secret, as ms-get has it.
func (b *bench) plain(t *testing.T, name string) string {
	get, _ := suite.Find("ms-get")
	was := b.net.cell
	b.net.cell = &cell{server: b.server, seen: map[string][]string{}}
	defer func() { b.net.cell = was }()
	return b.call(get.Run, []string{"-any-key", name}, strings.NewReader("")).stdout
}

// debugLines are what -v prints, which is not a message about the failure.
var debugLines = regexp.MustCompile(`^ms-[a-z]+: (` +
	`[a-z-]+ = .*|account: .*|` + // a setting, or what is not known
	`(GET|HEAD|PUT|POST|DELETE|kms [A-Za-z]+) .*, [0-9.]+(ns|µs|ms|s|m[0-9.]+s)|` +
	`versioning was switched on: AWS asks .*|` + // a note
	`.*, as its writer says)$`)

// ours is the form of every message.
var ours = regexp.MustCompile(`^ms-[a-z]+: .*[^.]$`)

// varying is what differs from run to run.
var varying = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`, request id [^)]*\)`), ")"},
	{regexp.MustCompile(` \(request id [^)]*\)`), ""},
	{regexp.MustCompile(`arn:aws:kms:[a-z0-9-]+:[0-9]+:key/[0-9a-f-]+`), "ARN"},
	{regexp.MustCompile(`127\.0\.0\.1:[0-9]+`), "HOST"},
	{regexp.MustCompile(`as a test wants it \([A-Za-z]+\)`), "MESSAGE (CODE)"},
	{regexp.MustCompile(`ms-(probe|check)-[0-9a-f]+`), "ms-$1-…"},
	{regexp.MustCompile(`, until [0-9TZ:-]+`), ", until TIME"},
	{regexp.MustCompile(`(1h0m0s|59m59s) (behind|ahead)`), "an hour $2"},
	{regexp.MustCompile(`[0-9a-f]{32}`), "…"},
	{regexp.MustCompile(`alias/microsecrets-[a-z]+`), "KEY"},
	{regexp.MustCompile(`/\S*/work/out`), "FILE"},
}

// said returns the first message of a failure, and holds all of them to their form.
func (b *bench) said(c call, o outcome, wrong func(string, ...any)) string {
	first := b.messages(c, o, wrong)
	what := c.name
	if c.program == "ms-ls" {
		what = "s3://" + fakeaws.DefaultBucket
	}
	if c.other != "" && strings.HasPrefix(first, c.other+": ") {
		what = c.other
	}
	rest, ok := strings.CutPrefix(first, what+": ")
	if o.status != c.status && !ok && !strings.HasPrefix(first, "not allowed: no credentials: ") && !strings.HasPrefix(first, "s3://"+fakeaws.DefaultBucket+": ") {
		wrong("the message does not begin with the secret's name: %q", first)
	}
	if o.status == c.status && first == "" {
		return ""
	}
	if ok {
		first = rest
	} else {
		first = strings.TrimPrefix(first, "s3://"+fakeaws.DefaultBucket+": ")
	}
	return invariant(first)
}

// invariant is a text without what differs from run to run.
func invariant(text string) string {
	for _, v := range varying {
		text = v.is.ReplaceAllString(text, v.as)
	}
	return text
}

// messages returns the first message on standard error, and holds all of them to their
// form.
func (b *bench) messages(c call, o outcome, wrong func(string, ...any)) (first string) {
	for line := range strings.Lines(o.stderr) {
		line = strings.TrimSuffix(line, "\n")
		if debugLines.MatchString(line) {
			continue
		}
		if !ours.MatchString(line) {
			wrong("not a message of ours: %q", line)
		}
		line = strings.TrimPrefix(line, c.program+": ")
		if first == "" && !strings.HasPrefix(line, "hint: ") {
			first = line
		}
	}
	return first
}

func etagOf(raw string) string { return md5hex(raw) }
