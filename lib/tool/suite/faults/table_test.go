package faults_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"
)

// canary is the secret that no message may hold.
const canary = "Canary0hunter2Canary1"

// editor is the editor of ms-edit, which saves the canary.
const editor = "printf %s " + canary + " >"

// large is a secret that is stored, and read, in parts.
var large = strings.Repeat(canary, (9<<20)/len(canary))

// The names that calls use, and what is stored there before each.
const (
	name  = "svc/secret"
	same  = "svc/same" // what name is
	fresh = "svc/new"  // nothing is there, and nothing below
	long  = "svc/large"
	env   = "svc/env"
	env2  = "svd/env" // of another service, but called the same
)

var stored = map[string]string{
	name: "old " + canary,
	long: "old " + large,
	env:  `{"OLD":"` + canary + `"}`,
	env2: `{"OLD":"another ` + canary + `"}`,

	"svd/x/a": "another " + canary,
}

// A call is one way of using a program.
type call struct {
	program string
	title   string // how it is called, for people; the page's words
	args    []string
	stdin   string

	name   string // the secret that is used, "" if it is several
	other  string // another that is read
	after  string // what is stored there then
	gone   bool   // it is removed
	stdout string // exactly; "*" is anything but nothing
	file   string // what the file out in the working directory holds then
	status int    // of success
	absent []int  // those that there may be where an object is said not to be there, and that is no failure
	slow   bool   // not with -short

	kind kind
	fit  bool // ms-init has been run before
	tls  bool // by TLS
}

// A kind is which rules a call is held to.
type kind int

const (
	ofSecrets kind = iota // what it does is done whole, or not at all
	reports               // it prints what it finds: what fails is a line of it
	plans                 // it prints what it would do
	makes                 // it makes a store fit, step by step, and prints each step
)

// names are those that are stored before the call.
func (c call) names() []string {
	if c.kind == makes {
		return nil
	}
	all := []string{name, env}
	for _, more := range []string{c.name, c.other} {
		if more != "" && !isFresh(more) && !slices.Contains(all, more) {
			all = append(all, more)
		}
	}
	return all
}

// isFresh reports whether nothing is there at first.
func isFresh(name string) bool { return name == fresh || strings.HasPrefix(name, fresh+"/") }

// TAG in arguments stands for the ETag of what is stored, VERSION for its version id,
// OUT for a file in the working directory, and IN for one elsewhere that holds the canary.
var calls = []call{
	{program: "ms-put", title: "ms-put NAME", args: []string{name}, stdin: canary, name: name, after: canary, stdout: "*"},
	{program: "ms-put", title: "ms-put -create NAME", args: []string{"-create", fresh}, stdin: canary, name: fresh, after: canary, stdout: "*"},
	{program: "ms-put", title: "ms-put -if ETAG NAME", args: []string{"-if", "TAG", name}, stdin: canary, name: name, after: canary, stdout: "*"},
	{program: "ms-put", title: "ms-put -changed NAME", args: []string{"-changed", name}, stdin: canary, name: name, after: canary, stdout: "*"},
	{program: "ms-put", title: "ms-put -json NAME", args: []string{"-json", name}, stdin: canary, name: name, after: canary, stdout: "*"},
	{program: "ms-put", title: "ms-put -e -merge NAME", args: []string{"-e", "-merge", env}, stdin: "NEW=" + canary, name: env, after: `{"NEW":"` + canary + `","OLD":"` + canary + `"}`, stdout: "*"},
	{program: "ms-put", title: "ms-put -k VAR NAME", args: []string{"-k", "NEW", env}, stdin: canary, name: env, after: `{"NEW":"` + canary + `","OLD":"` + canary + `"}`, stdout: "*"},
	{program: "ms-put", title: "ms-put NAME -- COMMAND", args: []string{name, "--", "cat", "IN"}, name: name, after: canary, stdout: "*"},
	{program: "ms-put", title: "ms-put NAME, of over 8 MiB", args: []string{long}, stdin: large, name: long, after: large, stdout: "*", slow: true},
	{program: "ms-edit", title: "ms-edit NAME", args: []string{name}, name: name, after: canary, stdout: "*"},
	{program: "ms-edit", title: "ms-edit NEWNAME", args: []string{fresh}, name: fresh, after: canary, stdout: "*"},
	{program: "ms-get", title: "ms-get NAME", args: []string{name}, name: name, stdout: stored[name]},
	{program: "ms-get", title: "ms-get -o FILE NAME", args: []string{"-o", "OUT", name}, name: name, file: stored[name]},
	{program: "ms-get", title: "ms-get -d DIR NAME", args: []string{"-d", "OUT", name}, name: name, file: stored[name]},
	{program: "ms-get", title: "ms-get NAME, of over 8 MiB", args: []string{long}, name: long, stdout: stored[long], slow: true},
	{program: "ms-get", title: "ms-get -o FILE NAME, of over 8 MiB", args: []string{"-o", "OUT", long}, name: long, file: stored[long], slow: true},
	{program: "ms-ls", title: "ms-ls", args: []string{"svc/"}, stdout: env + "\n" + name + "\n"},
	{program: "ms-ls", title: "ms-ls -versions NAME", args: []string{"-versions", name}, stdout: "*"},
	{program: "ms-ls", title: "ms-ls -versions -l NAME", args: []string{"-versions", "-l", name}, stdout: "*"},
	{program: "ms-exec", title: "ms-exec NAME -- COMMAND", args: []string{"-no-path", env, "--", "/no/such/command"}, name: env, status: 127},
	{program: "ms-exec", title: "ms-exec -file PATH=NAME -- COMMAND", args: []string{"-no-path", "-file", "OUT=" + name, "--", "/no/such/command"}, name: name, status: 127},
	{program: "ms-rm", title: "ms-rm NAME", args: []string{name}, name: name, gone: true},
	{program: "ms-rm", title: "ms-rm -if ETAG NAME", args: []string{"-if", "TAG", name}, name: name, gone: true},
	{program: "ms-rm", title: "ms-rm -at VERSION NAME", args: []string{"-at", "VERSION", name}, name: name, gone: true},
	{program: "ms-rm", title: "ms-rm -purge NAME", args: []string{"-purge", name}, name: name, gone: true},
	{program: "ms-rotate", title: "ms-rotate -from KEY NAME", args: []string{"-from", "alias/microsecrets-svc", "-key", "alias/microsecrets-next", name}, name: name, after: stored[name], stdout: "rotated  " + name + "\n"},
	{program: "ms-rotate", title: "ms-rotate -from KEY PREFIX/", args: []string{"-from", "alias/microsecrets-svc", "-key", "alias/microsecrets-next", "svc/sec/"}, name: "svc/sec/ret", after: stored[name], stdout: "rotated  svc/sec/ret\n"},
	{program: "ms-rotate", title: "ms-rotate -from KEY NAME, of over 8 MiB", args: []string{"-from", "alias/microsecrets-svc", "-key", "alias/microsecrets-next", long}, name: long, after: stored[long], stdout: "rotated  " + long + "\n", slow: true},
	{program: "ms-cp", title: "ms-cp NAME NEWNAME", args: []string{name, fresh}, name: fresh, other: name, after: stored[name], stdout: "copied " + name + " " + fresh + "\n"},
	{program: "ms-cp", title: "ms-cp -n NAME NEWNAME", args: []string{"-n", name, fresh}, name: fresh, other: name, stdout: "copy " + name + " " + fresh + "\n"},
	{program: "ms-cp", title: "ms-cp NAME NEWNAME, which is the same", args: []string{name, same}, name: same, other: name, stdout: "same " + name + " " + same + "\n"},
	{program: "ms-cp", title: "ms-cp -force NAME NEWNAME", args: []string{"-force", name, env}, name: env, other: name, after: stored[name], stdout: "copied " + name + " " + env + "\n"},
	{program: "ms-cp", title: "ms-cp PREFIX/ NEWPREFIX/", args: []string{"svc/sec/", "svc/new/"}, name: "svc/new/ret", other: "svc/sec/ret", after: stored[name], stdout: "copied svc/sec/ret svc/new/ret\n"},
	{program: "ms-cp", title: "ms-cp NAME NEWNAME, of over 8 MiB", args: []string{long, fresh}, name: fresh, other: long, after: stored[long], stdout: "copied " + long + " " + fresh + "\n", slow: true},
	{program: "ms-diff", title: "ms-diff NAME OTHER", args: []string{env, env2}, name: env, other: env2, stdout: "~ OLD\n", status: 1},
	{program: "ms-diff", title: "ms-diff -at VERSION NAME", args: []string{"-at", "VERSION", name}, name: name, absent: []int{1}},
	{program: "ms-diff", title: "ms-diff PREFIX/ OTHERPREFIX/", args: []string{"svc/x/", "svd/x/"}, name: "svc/x/a", other: "svd/x/a", stdout: "*", status: 1, absent: []int{0, 1}},
	{program: "ms-init", title: "ms-init -n SERVICE, where all is fit", args: []string{"-n", "svc"}, kind: plans, fit: true},
	{program: "ms-init", title: "ms-init SERVICE, where all is fit", args: []string{"svc"}, kind: makes, fit: true},
	{program: "ms-init", title: "ms-init -keep DAYS SERVICE, where nothing is", args: []string{"-keep", "9", "-store", "s3://" + newBucket, "new"}, kind: makes, tls: true},
	{program: "ms-check", title: "ms-check SERVICE", args: []string{"svc"}, kind: reports, fit: true, tls: true},
	{program: "ms-check", title: "ms-check -write SERVICE", args: []string{"-write", "svc"}, kind: reports, fit: true},
}

// newBucket is one that there is not, before a call that makes it.
const newBucket = "new-store"

// tableless are the programs that can have no row, with why.
var tableless = map[string]string{
	"ms-dev": "it makes no request: it is the server that the others ask, in this machine",
}

// A fault is something that befalls one request of a call.
type fault struct {
	name string // after "if"
	on   string // the service; "" is all

	connection string          // the request's connection is not made
	strike     func(*exchange) // or it is answered, or not
	before     func(*exchange) // or something befalls the request before it

	halfway bool // or standard input fails half-way

	passes   bool   // it is also tried once, where the request's next try is spared
	needs    part   // what the request must have
	flags    string // that the call has as well
	closes   bool   // each request has a connection of its own
	believed string // the requests of which it may be true: then nothing is done, and it is no failure
	good     bool   // the answer is good all the same
	early    string // a line before anything is stored
	heavy    bool   // it is tried with large secrets as well
}

// A part is what not every request has.
type part int

const (
	nothing part = iota
	sentBody
	answerBody
	aBefore // a request before it
	aKey    // a KMS key that it is for
)

var lacks = map[part]string{
	sentBody:   "it sends no body",
	answerBody: "its answer has no body",
	aBefore:    "nothing is sent before it",
	aKey:       "it names no key",
}

// lost cuts the connection as a machine does that has lost all memory of it.
var lost = syscall.ECONNRESET

var faults = []fault{
	{name: "the connection is refused", heavy: true, connection: refused, passes: true, closes: true},
	{name: "there is no way to the host", connection: unreachable, closes: true},
	{name: "DNS does not know the host", connection: noSuchHost, closes: true},
	{name: "DNS fails", connection: dnsFails, passes: true, closes: true},
	{name: "nobody answers the call for a connection", connection: silence, closes: true},
	{name: "the certificate is of an unknown authority", connection: unknownAuthority, closes: true, flags: "-profile tls"},
	{name: "the certificate is another host's", connection: anotherHost, closes: true, flags: "-profile tls"},
	{name: "the certificate has expired", connection: expired, closes: true, flags: "-profile tls"},

	{name: "the connection is reset before the body is read", passes: true, strike: func(x *exchange) { x.cut(lost) }},
	{name: "the connection is reset in the middle of the body", heavy: true, needs: sentBody, passes: true, strike: func(x *exchange) {
		x.readBody(x.r.ContentLength / 2)
		x.cut(lost)
	}},
	{name: "the connection is reset after the body", needs: sentBody, passes: true, strike: func(x *exchange) {
		x.readBody(-1)
		x.cut(lost)
	}},
	{name: "the server reads half of the body, and no further", heavy: true, needs: sentBody, strike: func(x *exchange) {
		x.readBody(x.r.ContentLength / 2)
		x.untilGone()
	}},
	{name: "no answer ever comes", heavy: true, passes: true, strike: func(x *exchange) {
		x.readBody(-1)
		x.untilGone()
	}},
	{name: "it is done, and no answer ever comes", heavy: true, passes: true, strike: func(x *exchange) {
		x.act()
		x.untilGone()
	}},
	{name: "it is done, and the answer is lost", heavy: true, passes: true, strike: func(x *exchange) {
		x.act()
		x.cut(lost)
	}},
	{name: "it is done, and the answer is 500", heavy: true, passes: true, strike: func(x *exchange) {
		x.act()
		x.refuse(500, "InternalError", "KMSInternalException")
	}},
	{name: "the answer ends in its header", passes: true, strike: func(x *exchange) { x.raw(x.act().bytes(0)[:40], 40, 0) }},
	{name: "the answer's body is cut short", heavy: true, needs: answerBody, passes: true, strike: func(x *exchange) {
		a := x.act()
		x.raw(a.bytes(0)[:len(a.bytes(0))-(a.body.Len()+1)/2], 64<<10, 0)
	}},
	{name: "the answer's body is longer than its length", good: true, needs: answerBody, strike: func(x *exchange) {
		a := x.act()
		x.raw(append(a.bytes(0), "more of it"...), 64<<10, 0)
	}},
	{name: "the answer trickles, a byte a second", good: true, strike: func(x *exchange) { x.raw(x.act().bytes(0), 1, time.Second) }},

	{name: "400", strike: refusing(400, "InvalidRequest", "ValidationException")},
	{name: "403, not allowed", heavy: true, strike: refusing(403, "AccessDenied", "AccessDeniedException")},
	{name: "404, no such object or key", believed: "GetObject DescribeKey", strike: refusing(404, "NoSuchKey", "NotFoundException")},
	{name: "404, no such bucket", on: "s3", strike: refusing(404, "NoSuchBucket", "")},
	{name: "404, no such upload", heavy: true, believed: "AbortMultipartUpload", on: "s3", strike: refusing(404, "NoSuchUpload", "")},
	{name: "405", strike: refusing(405, "MethodNotAllowed", "")},
	{name: "409, OperationAborted", on: "s3", passes: true, strike: refusing(409, "OperationAborted", "")},
	{name: "409, ConditionalRequestConflict", heavy: true, on: "s3", passes: true, strike: refusing(409, "ConditionalRequestConflict", "")},
	{name: "409", on: "kms", strike: refusing(409, "", "")},
	{name: "412", heavy: true, passes: true, strike: refusing(412, "PreconditionFailed", "")},
	{name: "413", strike: refusing(413, "EntityTooLarge", "")},
	{name: "429", passes: true, strike: refusing(429, "TooManyRequests", "")},
	{name: "500", heavy: true, passes: true, strike: refusing(500, "InternalError", "KMSInternalException")},
	{name: "501", strike: refusing(501, "NotImplemented", "")},
	{name: "503, slow down; KMS: throttling", heavy: true, passes: true, strike: refusing(503, "SlowDown", "ThrottlingException")},
	{name: "503, out of service", passes: true, strike: refusing(503, "ServiceUnavailable", "DependencyTimeoutException")},
	{name: "200 and nothing else", heavy: true, strike: func(x *exchange) {
		x.readBody(-1)
		x.WriteHeader(200)
	}},
	{name: "200 and a page of HTML", strike: html(200)},
	{name: "403 and a page of HTML", strike: html(403)},
	{name: "502 and a page of HTML", passes: true, strike: html(502)},
	{name: "garbage in place of the answer's body", heavy: true, needs: answerBody, strike: func(x *exchange) {
		a := x.act()
		n := a.body.Len()
		a.body.Reset()
		a.body.Write(bytes.Repeat([]byte("<{\"\x00\xff"), n/5+1)[:n])
		x.send(a)
	}},
	{name: "a redirect to another region", strike: func(x *exchange) {
		x.readBody(-1)
		x.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
		x.Header().Set("Location", "https://s3.eu-west-1.amazonaws.com/elsewhere")
		x.refuse(301, "PermanentRedirect", "")
	}},
	{name: "a redirect to another host", strike: func(x *exchange) {
		x.readBody(-1)
		x.Header().Set("Location", "http://192.0.2.1/elsewhere")
		x.WriteHeader(307)
	}},

	{name: "KMS: the key is unavailable", on: "kms", passes: true, strike: refusing(500, "", "KeyUnavailableException")},
	{name: "KMS: the key is disabled", on: "kms", needs: aKey, strike: after("key disable KEY")},
	{name: "KMS: the key is pending deletion", on: "kms", needs: aKey, strike: after("key delete KEY")},
	{name: "KMS: the key is for another use", on: "kms", strike: refusing(400, "", "InvalidKeyUsageException")},
	{name: "KMS: the ciphertext is not valid", on: "kms", strike: refusing(400, "", "InvalidCiphertextException")},
	{name: "KMS: the key is not the message's", on: "kms", strike: refusing(400, "", "IncorrectKeyException")},

	{name: "the machine's clock is an hour behind", good: true, strike: after("clock 1h")},
	{name: "the machine's clock is an hour ahead", good: true, early: "clock -1h", strike: after("clock -1h")},
	{name: "the token has expired", strike: after("expire user")},
	{name: "the token expires, and is renewed", good: true, heavy: true, needs: aBefore, flags: "-profile session", before: expire(true)},
	{name: "the token expires, and is not renewed", needs: aBefore, flags: "-profile session", before: expire(false)},
}

// refusing is a refusal as S3 and KMS write it. Without a code it is nothing but a
// status, as that of a proxy may be.
func refusing(status int, s3, kms string) func(*exchange) {
	return func(x *exchange) {
		x.readBody(-1)
		x.refuse(status, s3, kms)
	}
}

func (x *exchange) refuse(status int, s3, kms string) {
	x.network.mu.Lock()
	x.network.cell.answered = x.kms() && kms != "" || !x.kms() && s3 != ""
	x.network.mu.Unlock()
	switch {
	case x.request == identity && s3 != "":
		x.Header().Set("Content-Type", "text/xml")
		x.Header().Set("X-Amzn-Requestid", "a-request-id")
		x.WriteHeader(status)
		fmt.Fprintf(x, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>as a test wants it</Message></Error><RequestId>a-request-id</RequestId></ErrorResponse>`, s3)
	case x.kms() && kms != "":
		if status < 500 || kms == "ThrottlingException" {
			status = 400
		}
		x.Header().Set("Content-Type", "application/x-amz-json-1.1")
		x.Header().Set("X-Amzn-Requestid", "a-request-id")
		x.WriteHeader(status)
		fmt.Fprintf(x, `{"__type":%q,"message":"as a test wants it"}`, kms)
	case !x.kms() && s3 != "":
		x.Header().Set("Content-Type", "application/xml")
		x.Header().Set("X-Amz-Request-Id", "A0REQUEST0ID")
		x.WriteHeader(status)
		if x.r.Method != http.MethodHead {
			fmt.Fprintf(x, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>as a test wants it</Message></Error>`, s3)
		}
	default:
		x.WriteHeader(status)
	}
}

// html is a page of HTML, as a proxy or a login page sends it.
func html(status int) func(*exchange) {
	return func(x *exchange) {
		x.readBody(-1)
		x.Header().Set("Content-Type", "text/html")
		x.WriteHeader(status)
		io.WriteString(x, "<!DOCTYPE html><html><head><title>Sign in</title></head><body><p>Please sign in.<br></body></html>")
	}
}

// after has the emulator answer after a line of its control language. KEY is the key
// that the request names.
func after(line string) func(*exchange) {
	return func(x *exchange) {
		x.network.cell.control(x, line)
		x.network.server.ServeHTTP(x.ResponseWriter, x.r)
	}
}

// expire answers, and takes so long over it that the token expires.
func expire(renew bool) func(*exchange) {
	return func(x *exchange) {
		a := x.act()
		x.network.cell.control(x, "expire session")
		x.network.cell.expire(renew)
		x.network.pause(2 * sessionLeft)
		x.send(a)
	}
}

// leaky reports whether a text gives the canary away.
func leaky(text string) bool { return strings.Contains(text, canary) }
