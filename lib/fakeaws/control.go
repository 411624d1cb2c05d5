package fakeaws

import (
	"errors"
	"fmt"
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
  stall BYTES             wait for release after so many bytes of the body
  pace BYTES D            wait after each so many bytes of the body
  corrupt OFFSET          alter one byte of the body under way
  wrong-checksum          alter x-amz-checksum-…
  ignore-conditions       act as if there were no If-Match and If-None-Match, on GET too
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
  connections             connections that were opened
  log                     DEPTH OP RESOURCE STATUS CODE PRINCIPAL
  reset                   forget counts and log
  want 'OP N'… ['depth N'] ['side N']      fail unless the counts are exactly these
`

// Do runs one line of the control language, split into words, and returns what
// it prints. Relative file names are relative to dir ("": the working
// directory).
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

// DoLine is Do on a line that is split as a shell does it; a comment or an
// empty line does nothing.
func (s *Server) DoLine(dir, text string) (string, error) {
	words, err := splitWords(text)
	if err != nil {
		return "", err
	}
	return s.Do(dir, words...)
}

// splitWords splits a line at white space. Within single quotes everything is
// literal, within double quotes and outside of quotes a backslash takes the
// next character literally.
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

// A line is what a verb is given. Its methods take words and options off it;
// the first mistake is kept.
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

// atLeast takes a number off the line that is not less than least.
func (l *line) atLeast(least int) int {
	n := l.number("N", l.next("N"))
	if n < least {
		l.fail("%d is less than %d", n, least)
	}
	return n
}

func (l *line) duration() time.Duration {
	d, err := time.ParseDuration(l.next("a duration"))
	if err != nil {
		l.fail("%w", err)
	}
	return d
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

	"counts": (*line).doCounts, "count": (*line).doCount, "depth": (*line).doDepth, "side": (*line).doSide, "connections": (*line).doConnections,
	"log": (*line).doLog, "reset": (*line).doReset, "want": (*line).doWant,
}
