package fakeaws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
)

// A call is one request on its way through the server: understood, counted,
// held or refused by faults, authenticated, authorised, acted on, answered.
type call struct {
	s        *Server
	r        *http.Request
	ctx      context.Context
	out      *reply
	protocol protocol
	query    url.Values
	id       string // the request id

	op    string   // as the SDKs call it: GetObject, Decrypt
	names []string // what patterns of faults and policies are matched against

	bucketName, key string // S3
	bucket          *bucket
	s3op            *s3Operation
	json            []byte    // KMS: the body
	args            *kmsInput // KMS: the same, decoded

	sig              *signature
	who              *principal
	trace            *trace
	ignoreConditions bool
}

// A protocol is how a service's requests are understood and its errors written.
type protocol interface {
	parse(c *call) error         // sets op and names
	act(c *call) error           // writes the answer to c.out, or nothing and returns the error
	fail(c *call, err *apiError) // writes an error
	authErr(err *apiError) *apiError
	throttled() *apiError
}

func (c *call) serve() {
	parseErr := c.protocol.parse(c)
	c.trace = c.s.traces.arrive(c)
	defer c.s.traces.finish(c.trace)
	c.out.trace, c.out.traces = c.trace, &c.s.traces

	err := parseErr
	if err == nil {
		err = c.serveParsed()
	}
	if errors.Is(err, errDrop) || errors.Is(err, errGone) {
		c.s.traces.note(c.trace, "dropped")
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		c.fail(err)
	}
}

func (c *call) serveParsed() error {
	if err := c.before(c.s.faults.match(c)); err != nil {
		return err
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	return c.protocol.act(c)
}

// fail answers err, unless an answer has already begun.
func (c *call) fail(err error) {
	if c.out.status != 0 {
		panic(http.ErrAbortHandler)
	}
	apiErr, ok := errors.AsType[*apiError](err)
	if !ok {
		apiErr = apiErrorf(http.StatusInternalServerError, "InternalError", "%v", err)
	}
	c.s.traces.note(c.trace, apiErr.code)
	io.CopyN(io.Discard, c.r.Body, maxDrain)
	for name, value := range apiErr.header {
		c.out.header.Set(name, value)
	}
	c.protocol.fail(c, apiErr)
}

// maxDrain is how much of a refused body is read, so that the client has sent
// it when it gets the answer, and not a connection reset in the middle. The Go
// SDK asks by "Expect: 100-continue" and does not wait.
const maxDrain = 1 << 30

// authenticate finds out who signed the request.
func (c *call) authenticate() error {
	sig, err := parseSignature(c.r, c.query)
	if err != nil {
		return c.protocol.authErr(err)
	}
	if sig == nil {
		return c.protocol.authErr(apiErrorf(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token"))
	}
	if c.args != nil {
		sig.payload = hexSHA256(c.json)
	}
	c.sig = sig
	if c.who = c.s.access.principal(sig.accessKey); c.who == nil {
		return c.protocol.authErr(apiErrorf(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.").
			with("AWSAccessKeyId", sig.accessKey))
	}
	if !sig.verify(c.r, c.query, c.who.secretKey) {
		return c.protocol.authErr(errChunkSignature)
	}
	token := c.r.Header.Get("X-Amz-Security-Token")
	if sig.presigned {
		token = c.query.Get("X-Amz-Security-Token")
	}
	if token != c.who.token {
		return c.protocol.authErr(apiErrorf(http.StatusBadRequest, "InvalidToken", "The provided token is malformed or otherwise invalid."))
	}
	if c.who.expired {
		return c.protocol.authErr(apiErrorf(http.StatusBadRequest, "ExpiredToken", "The provided token has expired."))
	}
	c.s.traces.signed(c.trace, c.who.name)
	if err := sig.checkTime(c.s.now()); err != nil {
		return c.protocol.authErr(err)
	}
	return nil
}

// allow fails with AccessDenied unless the principal may do action to the
// resource that names denote.
func (c *call) allow(action, arn string, names []string) *apiError {
	if c.s.access.allowed(c.who, action, append(slices.Clip(names), arn)) {
		return nil
	}
	return apiErrorf(http.StatusForbidden, "AccessDenied",
		"User: arn:aws:iam::%s:user/%s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action",
		c.who.account, c.who.name, action, fmt.Sprintf("%q", arn), action)
}
