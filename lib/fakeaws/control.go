package fakeaws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Help describes the control language.
const Help = `Lines are words, as a shell splits them: '…' and "…" quote, # begins a comment. KEY is a key of the default bucket,
or s3://BUCKET/KEY. PATTERN has * for any characters, slashes too, and ? for one. OP is an operation as the SDKs name it
(GetObject, Decrypt), a PATTERN, or several with commas. NAME is a principal; the first one is "dev".

Buckets and objects
  bucket NAME [versioned|unversioned|suspended] [region=R] [account=A] [sse=aws:kms|AES256]
                          make or change it; with sse writes must ask for that encryption
  ls [PREFIX]             keys that are not deleted, one a line
  versions [PREFIX]       KEY ID SIZE STATE, newest first; STATE is latest, old, deleted or latest-deleted
  uploads                 uploads in parts that are in progress: KEY ID PARTS
  put KEY FILE            store a file as the newest version
  write KEY TEXT          store TEXT
  cat KEY [FILE] [version=ID]      the stored bytes, printed or to a file
  copy KEY1 KEY2 [version=ID]      store KEY1's bytes at KEY2
  rm KEY [version=ID]     delete as S3 does; with version for good
  flip KEY OFFSET [version=ID]     alter one stored byte, keeping version and ETag but no checksum;
                          an OFFSET below 0 counts from the end
  truncate KEY SIZE [version=ID]   cut stored bytes, likewise
  fill N PREFIX [size=B]  N objects PREFIX000000000… of B bytes (default 16)

Keys of KMS (KEY: id, ARN, or alias/… in us-east-1)
  key create [alias/NAME] [region=R] [account=A] [multi] [usage=U]   prints its ARN
  key arn KEY             prints its ARN
  key list                ARN STATE ALIASES
  key enable|disable|delete|cancel|remove KEY      delete: pending; remove: gone
  key alias alias/NAME KEY         point an alias at a key
  key replicate KEY REGION         of a multi-region key, prints the ARN
  key share KEY ACCOUNT   let another account use it
  auto on|off             make alias/microsecrets-… keys on first use

Principals
  principal NAME [key=K] [secret=S] [token=T] [account=A] [closed]   prints AWS_… lines; closed: nothing is allowed at first
  deny|allow ACTION [PATTERN] [by=NAME]    s3:GetObject, kms:*; PATTERN is of keys, s3://BUCKET/KEY, aliases, ARNs
                          or values of the encryption context; denials win
  permit [by=NAME]        forget the rules
  expire NAME             its credentials have expired
  clock DURATION          set the server's clock ahead (1h) or back (-1h)

Faults: fault KIND [ARG] OP [key=PATTERN] [times=N] [skip=N] [by=NAME]
  They befall a request in the order in which they were given; each counts the requests that it fits. key is as PATTERN of deny.
  delay D                 wait before acting
  throttle                503 SlowDown, ThrottlingException
  answer STATUS CODE      that error instead of acting
  drop                    close the connection instead of acting
  forget                  act, then close the connection: a lost reply
  cut BYTES               close the connection after so many bytes of the body
  corrupt OFFSET          alter one byte of the body under way
  wrong-checksum          alter x-amz-checksum-…
  ignore-conditions       act as if there were no If-Match and If-None-Match
  hold, hold-reply        wait for release, before acting or after
  rendezvous N            wait until N requests are there
  do LINE, do-after LINE  run a line before acting, or when acted and not yet answered
  faults                  list them
  clear                   forget them all, let go what is held
  release                 let go what is held
  await OP N              wait until N requests of OP are held

Counts
  counts                  OP N, sorted
  count OP                N
  depth                   round trips one after the other: hold requests together by a rendezvous before relying on it
  side                    most requests in flight at once
  log                     DEPTH OP RESOURCE STATUS CODE PRINCIPAL
  reset                   forget counts and log
  want 'OP N'… ['depth N'] ['side N']      fail unless the counts are exactly these
`

// Do runs one line of the control language, split into words, and returns what it prints. Relative file names are relative to
// dir ("": the working directory).
func (s *Server) Do(dir string, words ...string) (string, error) {
	if len(words) == 0 {
		return "", nil
	}
	verb := verbs[words[0]]
	if verb == nil {
		return "", fmt.Errorf("unknown verb %q (help lists them)", words[0])
	}
	l := line{s: s, dir: dir, verb: words[0], words: words[1:]}
	out, err := verb(&l)
	if err == nil {
		err = l.err
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", l.verb, err)
	}
	return out, nil
}

// DoLine is Do on a line that is split as a shell does it; a comment or an empty line does nothing.
func (s *Server) DoLine(dir, text string) (string, error) {
	words, err := splitWords(text)
	if err != nil {
		return "", err
	}
	return s.Do(dir, words...)
}

// splitWords splits a line at white space. Within single quotes everything is literal, within double quotes and outside of
// quotes a backslash takes the next character literally.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	inWord, escaped := false, false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			inWord, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			inWord, quote = true, r
		case r == '#' && !inWord:
			return words, nil
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			inWord = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("the line ends within quotes")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// A line is what a verb is given. Its methods take words and options off it; the first mistake is kept.
type line struct {
	s     *Server
	dir   string
	verb  string
	words []string
	err   error
}

func (l *line) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

// next takes the next word, which must be there.
func (l *line) next(what string) string {
	if len(l.words) == 0 {
		l.fail("%s is missing (help tells)", what)
		return ""
	}
	word := l.words[0]
	l.words = l.words[1:]
	return word
}

// maybe takes the next word, if any, or returns otherwise.
func (l *line) maybe(otherwise string) string {
	if len(l.words) == 0 {
		return otherwise
	}
	return l.next("")
}

// option takes name=VALUE off the line, wherever it stands.
func (l *line) option(name, otherwise string) string {
	for i, word := range l.words {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			l.words = slices.Delete(slices.Clone(l.words), i, i+1)
			return value
		}
	}
	return otherwise
}

// flag takes a word off the line and reports whether it was there.
func (l *line) flag(name string) bool {
	i := slices.Index(l.words, name)
	if i >= 0 {
		l.words = slices.Delete(slices.Clone(l.words), i, i+1)
	}
	return i >= 0
}

func (l *line) number(what, word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		l.fail("%s: %q is no number", what, word)
	}
	return n
}

// end fails if words are left; it reports whether all is well so far.
func (l *line) end() bool {
	if len(l.words) > 0 {
		l.fail("too many words: %q", l.words)
	}
	return l.err == nil
}

func (l *line) path(name string) string {
	if filepath.IsAbs(name) || l.dir == "" {
		return name
	}
	return filepath.Join(l.dir, name)
}

// key takes KEY off the line.
func (l *line) key() (*bucket, string) {
	bucketName, key := DefaultBucket, l.next("KEY")
	if rest, ok := strings.CutPrefix(key, "s3://"); ok {
		bucketName, key, _ = strings.Cut(rest, "/")
	}
	b := l.s.store.bucket(bucketName)
	if b == nil && l.err == nil {
		l.fail("no bucket %q", bucketName)
	}
	return b, key
}

var verbs = map[string]func(*line) (string, error){
	"help": func(*line) (string, error) { return Help, nil },

	"bucket": (*line).doBucket, "ls": (*line).doList, "versions": (*line).doVersions, "uploads": (*line).doUploads,
	"put": (*line).doPut, "write": (*line).doWrite, "cat": (*line).doCat, "copy": (*line).doCopy, "rm": (*line).doRemove,
	"flip": (*line).doFlip, "truncate": (*line).doTruncate, "fill": (*line).doFill,

	"key": (*line).doKey, "auto": (*line).doAuto,

	"principal": (*line).doPrincipal, "deny": (*line).doRule, "allow": (*line).doRule, "permit": (*line).doPermit,
	"expire": (*line).doExpire, "clock": (*line).doClock,

	"fault": (*line).doFault, "faults": (*line).doFaults, "clear": (*line).doClear, "release": (*line).doRelease,
	"await": (*line).doAwait,

	"counts": (*line).doCounts, "count": (*line).doCount, "depth": (*line).doDepth, "side": (*line).doSide,
	"log": (*line).doLog, "reset": (*line).doReset, "want": (*line).doWant,
}

func (l *line) doBucket() (string, error) {
	name := l.next("NAME")
	conf := bucketConf{Name: name, Account: DefaultAccount}
	if b := l.s.store.bucket(name); b != nil {
		conf = l.s.store.conf(b)
	}
	conf.Region = l.option("region", conf.Region)
	conf.Account = l.option("account", conf.Account)
	conf.RequireSSE = l.option("sse", conf.RequireSSE)
	switch state := l.maybe(""); state {
	case "":
	case "versioned":
		conf.Versioning = versioned
	case "unversioned":
		conf.Versioning = neverVersioned
	case "suspended":
		conf.Versioning = suspended
	default:
		l.fail("%q is none of versioned, unversioned, suspended", state)
	}
	if !bucketName.MatchString(name) {
		l.fail("%q is no name of a bucket", name)
	}
	if !l.end() {
		return "", nil
	}
	return "", l.s.store.configure(conf)
}

// prefix takes [PREFIX] off the line, which may be s3://BUCKET/PREFIX.
func (l *line) prefix() (*bucket, string) {
	if len(l.words) == 0 {
		l.words = []string{""}
	}
	return l.key()
}

func (l *line) doList() (string, error) {
	return l.each(func(b *strings.Builder, o *object) {
		if o.current() != nil {
			b.WriteString(plain(o.key) + "\n")
		}
	})
}

func (l *line) doVersions() (string, error) {
	return l.each(func(b *strings.Builder, o *object) {
		for i := len(o.versions) - 1; i >= 0; i-- {
			v := o.versions[i]
			state := "old"
			if i == len(o.versions)-1 {
				state = "latest"
			}
			if v.Deleted {
				state = strings.TrimPrefix(state+"-deleted", "old-")
			}
			fmt.Fprintf(b, "%s %s %d %s\n", plain(o.key), v.ID, v.Size, state)
		}
	})
}

func (l *line) each(f func(*strings.Builder, *object)) (string, error) {
	b, prefix := l.prefix()
	if !l.end() {
		return "", nil
	}
	var out strings.Builder
	l.s.store.mu.RLock()
	defer l.s.store.mu.RUnlock()
	listing{prefix: prefix}.walk(&b.objects, "", func(o *object) (string, bool) {
		f(&out, o)
		return "", true
	})
	return out.String(), nil
}

// plain quotes a key that would not be one word of a line.
func plain(key string) string {
	if q := strconv.Quote(key); q != `"`+key+`"` || strings.Contains(key, " ") || key == "" {
		return q
	}
	return key
}

func (l *line) doUploads() (string, error) {
	b, prefix := l.prefix()
	if !l.end() {
		return "", nil
	}
	var out strings.Builder
	l.s.store.mu.RLock()
	defer l.s.store.mu.RUnlock()
	for _, u := range b.sortedUploads(prefix) {
		fmt.Fprintf(&out, "%s %s %d\n", plain(u.key), u.id, len(u.parts))
	}
	return out.String(), nil
}

func (l *line) doPut() (string, error) {
	b, key := l.key()
	file := l.next("FILE")
	if !l.end() {
		return "", nil
	}
	data, err := os.ReadFile(l.path(file))
	if err != nil {
		return "", err
	}
	return "", l.s.store.putBytes(b, key, data)
}

func (l *line) doWrite() (string, error) {
	b, key := l.key()
	text := l.next("TEXT")
	if !l.end() {
		return "", nil
	}
	return "", l.s.store.putBytes(b, key, []byte(text))
}

// version finds the stored version that KEY [version=ID] on the line names.
func (l *line) version() (*bucket, string, *version) {
	id := l.option("version", "")
	b, key := l.key()
	if l.err != nil {
		return nil, "", nil
	}
	v := l.s.store.latest(b, key)
	if id != "" {
		v = l.s.store.version(b, key, id)
	}
	if v == nil || v.Deleted {
		l.fail("no object %q", key)
	}
	return b, key, v
}

func (l *line) doCat() (string, error) {
	_, _, v := l.version()
	file := l.maybe("")
	if !l.end() {
		return "", nil
	}
	data, err := v.Body.bytes()
	if err != nil || file == "" {
		return string(data), err
	}
	return "", os.WriteFile(l.path(file), data, 0o600)
}

func (l *line) doCopy() (string, error) {
	_, _, v := l.version()
	to, key := l.key()
	if !l.end() {
		return "", nil
	}
	dup := *v
	return "", l.s.store.put(to, key, &dup, func(*version) error { return nil })
}

func (l *line) doRemove() (string, error) {
	id := l.option("version", "")
	b, key := l.key()
	if !l.end() {
		return "", nil
	}
	if id == "" {
		_, err := l.s.store.del(b, key, func(*version) error { return nil })
		return "", err
	}
	v, err := l.s.store.delVersion(b, key, id)
	if v == nil && err == nil {
		return "", fmt.Errorf("no version %q of %q", id, key)
	}
	return "", err
}

func (l *line) doFlip() (string, error) {
	b, key, v := l.version()
	off := l.number("OFFSET", l.next("OFFSET"))
	if !l.end() {
		return "", nil
	}
	if off < 0 {
		off += int(v.Size)
	}
	if off < 0 || off >= int(v.Size) {
		return "", fmt.Errorf("offset %d is outside of the object's %d bytes", off, v.Size)
	}
	return "", l.s.store.tamper(b, key, v, func(data []byte) []byte {
		data[off] ^= 0xff
		return data
	})
}

func (l *line) doTruncate() (string, error) {
	b, key, v := l.version()
	size := l.number("SIZE", l.next("SIZE"))
	if !l.end() {
		return "", nil
	}
	if size < 0 || size > int(v.Size) {
		return "", fmt.Errorf("the object has %d bytes", v.Size)
	}
	return "", l.s.store.tamper(b, key, v, func(data []byte) []byte { return data[:size] })
}

func (l *line) doFill() (string, error) {
	size := l.number("size", l.option("size", "16"))
	n := l.number("N", l.next("N"))
	b, prefix := l.key()
	if !l.end() {
		return "", nil
	}
	return "", l.s.store.fill(b, prefix, n, size)
}

func (l *line) doKey() (string, error) {
	sub := l.next("the kind of action")
	k := l.s.kms
	k.mu.Lock()
	defer k.mu.Unlock()
	switch sub {
	case "create":
		return l.createKey(k)
	case "list":
		return k.list(), nil
	case "alias":
		name := l.next("alias/NAME")
		key, err := k.keyFor(l.next("KEY"))
		if !l.end() || err != nil {
			return "", err
		}
		k.aliases[aliasARN(key.Region, key.Account, name)] = key.ID
		return "", k.save()
	}
	key, err := k.keyFor(l.next("KEY"))
	if l.err != nil || err != nil {
		return "", err
	}
	switch sub {
	case "arn":
		return key.arn() + "\n", nil
	case "enable":
		key.State = keyEnabled
	case "disable", "cancel":
		key.State = keyDisabled
	case "delete":
		key.State, key.Deletion = keyPending, k.now().AddDate(0, 0, 30)
	case "remove":
		delete(k.keys, key.arn())
	case "share":
		key.Shared = append(key.Shared, l.next("ACCOUNT"))
	case "replicate":
		replica := *key
		replica.Region = l.next("REGION")
		if !key.MultiRegion {
			l.fail("%s is no multi-region key", key.arn())
		}
		if !l.end() {
			return "", nil
		}
		k.keys[replica.arn()] = &replica
		return replica.arn() + "\n", k.save()
	default:
		l.fail("unknown action %q", sub)
	}
	if !l.end() {
		return "", nil
	}
	return "", k.save()
}

func (l *line) createKey(k *kms) (string, error) {
	region, account := l.option("region", DefaultRegion), l.option("account", DefaultAccount)
	usage, multi := l.option("usage", usageEncrypt), l.flag("multi")
	alias := l.maybe("")
	if alias != "" && !strings.HasPrefix(alias, "alias/") {
		l.fail("an alias begins with alias/")
	}
	if !l.end() {
		return "", nil
	}
	key := k.createKeyLocked(region, account, multi)
	key.Usage = usage
	if alias != "" {
		k.aliases[aliasARN(region, account, alias)] = key.ID
	}
	return key.arn() + "\n", k.save()
}

func (k *kms) list() string {
	var b strings.Builder
	for _, arn := range slices.Sorted(maps.Keys(k.keys)) {
		key := k.keys[arn]
		fmt.Fprintf(&b, "%s %s", arn, key.State)
		for _, alias := range slices.Sorted(maps.Keys(k.aliases)) {
			if name, ok := strings.CutPrefix(alias, aliasARN(key.Region, key.Account, "")); ok && k.aliases[alias] == key.ID {
				b.WriteString(" " + name)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (l *line) doAuto() (string, error) {
	word := l.next("on or off")
	if word != "on" && word != "off" {
		l.fail("%q is neither on nor off", word)
	}
	if !l.end() {
		return "", nil
	}
	l.s.kms.mu.Lock()
	defer l.s.kms.mu.Unlock()
	l.s.kms.auto = word == "on"
	return "", nil
}

func (l *line) doPrincipal() (string, error) {
	p := &principal{
		name:      l.next("NAME"),
		secretKey: l.option("secret", newID()+"01234567"),
		token:     l.option("token", ""),
		account:   l.option("account", DefaultAccount),
		closed:    l.flag("closed"),
	}
	kind := "AKIA"
	if p.token != "" {
		kind = "ASIA"
	}
	p.accessKey = l.option("key", kind+strings.ToUpper(newRequestID()))
	if !l.end() {
		return "", nil
	}
	l.s.access.add(p)
	out := fmt.Sprintf("AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n", p.accessKey, p.secretKey)
	if p.token != "" {
		out += "AWS_SESSION_TOKEN=" + p.token + "\n"
	}
	return out, nil
}

// change changes the principal that by=NAME on the line names.
func (l *line) change(name string, f func(*principal)) {
	if l.end() && !l.s.access.change(name, f) {
		l.fail("no principal %q", name)
	}
}

func (l *line) doRule() (string, error) {
	name := l.option("by", defaultName)
	r := rule{deny: l.verb == "deny", action: l.next("ACTION"), resource: l.maybe("*")}
	l.change(name, func(p *principal) { p.rules = append(p.rules, r) })
	return "", nil
}

func (l *line) doPermit() (string, error) {
	l.change(l.option("by", defaultName), func(p *principal) { p.rules = nil })
	return "", nil
}

func (l *line) doExpire() (string, error) {
	l.change(l.next("NAME"), func(p *principal) { p.expired = true })
	return "", nil
}

func (l *line) doClock() (string, error) {
	d, err := time.ParseDuration(l.next("DURATION"))
	if err != nil || !l.end() {
		return "", err
	}
	l.s.clockMu.Lock()
	defer l.s.clockMu.Unlock()
	l.s.ahead = d
	return "", nil
}

func (l *line) doFault() (string, error) {
	f := &fault{text: strings.Join(l.words, " "), dir: l.dir}
	f.keys = l.option("key", "")
	f.times = l.number("times", l.option("times", "-1"))
	f.skip = l.number("skip", l.option("skip", "0"))
	if name := l.option("by", ""); name != "" && !l.s.access.change(name, func(p *principal) { f.by = p.accessKey }) {
		l.fail("no principal %q", name)
	}
	switch f.kind = l.next("KIND"); f.kind {
	case "delay":
		var err error
		if f.delay, err = time.ParseDuration(l.next("D")); err != nil {
			return "", err
		}
	case "answer":
		f.status, f.code = l.number("STATUS", l.next("STATUS")), l.next("CODE")
		if f.status < 200 || f.status > 599 {
			l.fail("status %d is none", f.status)
		}
	case "cut", "corrupt", "rendezvous":
		f.n = int64(l.number("N", l.next("N")))
	case "do", "do-after":
		f.line = l.next("LINE")
	case "throttle", "drop", "forget", "wrong-checksum", "ignore-conditions", "hold", "hold-reply":
	default:
		l.fail("unknown kind %q", f.kind)
	}
	f.ops = strings.Split(l.next("OP"), ",")
	for _, op := range f.ops {
		if !knownOperation(op) {
			l.fail("no operation is called %q", op)
		}
	}
	if l.end() {
		l.s.faults.add(f)
	}
	return "", nil
}

// knownOperation reports whether a pattern fits any operation: a fault for a misspelt one would never happen.
func knownOperation(pattern string) bool {
	for _, op := range s3Operations {
		if glob(pattern, op.name) {
			return true
		}
	}
	for name := range kmsOperations {
		if glob(pattern, name) {
			return true
		}
	}
	return false
}

func (l *line) doFaults() (string, error) {
	l.s.faults.mu.Lock()
	defer l.s.faults.mu.Unlock()
	var b strings.Builder
	for _, f := range l.s.faults.list {
		fmt.Fprintf(&b, "%s (%d left)\n", f.text, f.times)
	}
	return b.String(), nil
}

func (l *line) doClear() (string, error) {
	if l.end() {
		l.s.faults.clear()
	}
	return "", nil
}

func (l *line) doRelease() (string, error) {
	if l.end() {
		l.s.faults.release()
	}
	return "", nil
}

// awaitTimeout is how long await waits.
const awaitTimeout = 30 * time.Second

func (l *line) doAwait() (string, error) {
	op := l.next("OP")
	n := l.number("N", l.next("N"))
	if !l.end() {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), awaitTimeout)
	defer cancel()
	return "", l.s.faults.await(ctx, op, n)
}

func (l *line) doCounts() (string, error) {
	l.end()
	return joinLines(l.s.traces.lines()), nil
}

func joinLines(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

func (l *line) doCount() (string, error) {
	op := l.next("OP")
	if !knownOperation(op) {
		l.fail("no operation is called %q", op)
	}
	l.end()
	return fmt.Sprintln(l.s.traces.count(op)), nil
}

func (l *line) doDepth() (string, error) {
	l.end()
	return fmt.Sprintln(l.s.traces.depth()), nil
}

func (l *line) doSide() (string, error) {
	l.end()
	return fmt.Sprintln(l.s.traces.most()), nil
}

func (l *line) doLog() (string, error) {
	l.end()
	return l.s.traces.text(), nil
}

func (l *line) doReset() (string, error) {
	if l.end() {
		l.s.traces.reset()
	}
	return "", nil
}

func (l *line) doWant() (string, error) {
	have := l.s.traces.lines()
	want := slices.Clone(l.words)
	for _, w := range want {
		switch name, _, _ := strings.Cut(w, " "); name {
		case "depth":
			have = append(have, fmt.Sprintf("depth %d", l.s.traces.depth()))
		case "side":
			have = append(have, fmt.Sprintf("side %d", l.s.traces.most()))
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	if slices.Equal(want, have) {
		return "", nil
	}
	var diff strings.Builder
	for _, w := range want {
		if !slices.Contains(have, w) {
			diff.WriteString("\n-" + w)
		}
	}
	for _, h := range have {
		if !slices.Contains(want, h) {
			diff.WriteString("\n+" + h)
		}
	}
	return "", fmt.Errorf("the counts differ (- wanted, + counted)%s", diff.String())
}
