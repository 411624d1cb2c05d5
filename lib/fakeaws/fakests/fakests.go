// Package fakests emulates AWS STS as an http.Handler, as far as the identity of
// whoever asks: GetCallerIdentity.
package fakests

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"net/url"
	"time"

	"microsecrets/lib/fakeaws/iam"
	"microsecrets/lib/fakeaws/internal/service"
	"microsecrets/lib/fakeaws/sigv4"
)

const (
	namespace  = "https://sts.amazonaws.com/doc/2011-06-15/"
	maxRequest = 64 << 10
	identity   = "GetCallerIdentity"
)

// Options are what a Handler is made with.
type Options struct {
	Principals *iam.Principals  // who may sign requests; must be set
	Now        func() time.Time // the server's clock; nil: the machine's
}

// A Handler is an emulated STS.
type Handler struct{ o Options }

// New returns a Handler.
func New(o Options) *Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Handler{o}
}

// ServeHTTP answers a request of STS's query protocol.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{service.NewCall(w, r)}
	c.Serve(c, h.o.Principals, h.o.Now())
}

// Operations returns the names of the operations that there are.
func Operations() []string { return []string{identity} }

type call struct{ *service.Call }

// Parse reads the form that is the request.
func (c *call) Parse() error {
	data, err := c.ReadBody(maxRequest)
	if err != nil {
		return service.Errorf(http.StatusBadRequest, "MalformedInput", "the body is cut short or too long")
	}
	c.Names = []string{""}
	form, err := url.ParseQuery(string(data))
	if err != nil || form.Get("Action") != identity {
		return service.Errorf(http.StatusBadRequest, "InvalidAction", "Could not find operation %s for version %s", form.Get("Action"), form.Get("Version"))
	}
	c.Op = identity
	return nil
}

// Act answers who asks: nobody needs a permission for that.
func (c *call) Act() error {
	if c.Sig.Service != "sts" {
		return service.Errorf(http.StatusForbidden, "SignatureDoesNotMatch", "Credential should be scoped to correct service: 'sts'.")
	}
	type result struct{ Arn, UserId, Account string }
	c.write(http.StatusOK, struct {
		XMLName   xml.Name
		Result    result `xml:"GetCallerIdentityResult"`
		RequestID string `xml:"ResponseMetadata>RequestId"`
	}{
		xml.Name{Space: namespace, Local: identity + "Response"},
		result{c.Caller.ARN(), "AIDA" + c.Caller.AccessKey, c.Caller.Account},
		c.ID,
	})
	return nil
}

func (c *call) write(status int, v any) {
	data, err := xml.Marshal(v)
	if err != nil {
		panic(err) // its types are those above and below
	}
	c.Header().Set("Content-Type", "text/xml")
	c.Header().Set("X-Amzn-Requestid", c.ID)
	c.WriteHeader(status)
	c.Write(data)
}

// Fail writes the error document.
func (c *call) Fail(err *service.Error) {
	type failure struct{ Type, Code, Message string }
	c.write(err.Status, struct {
		XMLName   xml.Name
		Error     failure
		RequestID string `xml:"RequestId"`
	}{xml.Name{Space: namespace, Local: "ErrorResponse"}, failure{"Sender", err.Code, err.Message}, c.ID})
}

// Translate spells errors as STS does.
func (c *call) Translate(err error) *service.Error {
	return cmp.Or(service.Translate(err, spellings), service.Errorf(http.StatusBadRequest, "IncompleteSignature", "%v", err))
}

var spellings = map[error]*service.Error{
	service.ErrThrottled: service.Errorf(http.StatusBadRequest, "Throttling", "Rate exceeded"),
	sigv4.ErrMissing:     denied("MissingAuthenticationToken", sigv4.ErrMissing),
	sigv4.ErrMismatch:    denied("SignatureDoesNotMatch", sigv4.ErrMismatch),
	sigv4.ErrSkewed:      denied("SignatureDoesNotMatch", sigv4.ErrSkewed),
	iam.ErrAccessKey:     denied("InvalidClientTokenId", iam.ErrAccessKey),
	iam.ErrToken:         denied("InvalidClientTokenId", iam.ErrToken),
	iam.ErrExpired:       denied("ExpiredToken", iam.ErrExpired),
}

func denied(code string, err error) *service.Error {
	return service.Errorf(http.StatusForbidden, code, "%v", err)
}
