package awsclient

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
)

// proxyRefusal is the HTTP status of a proxy that makes no connection.
type proxyRefusal int

func (e proxyRefusal) Error() string {
	return fmt.Sprintf("the proxy made no connection: HTTP status %d %s", int(e), http.StatusText(int(e)))
}

// errProxyURL is the error of a proxy that cannot be connected to. The URL may have a
// password.
var errProxyURL = errors.New("the proxy's URL is not one of a host and a port")

// hasPort reports whether a URL's port, if it has one, can be one.
func hasPort(u *url.URL) bool {
	n, err := strconv.ParseUint(cmp.Or(u.Port(), "1"), 10, 16)
	return err == nil && n > 0
}

// cause says why an attempt brought no answer, in words of which none are the
// server's: the text of an error of net/http or crypto/x509 may hold a line of what
// the server sent, or a name in its certificate.
func cause(err error) string {
	var (
		attempt   failedAttempt
		at        *failedAttempt
		op        *net.OpError
		refusal   proxyRefusal
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		lookup    *net.DNSError
		number    syscall.Errno
		odd       *oddAnswerError
	)
	if errors.As(err, &at) {
		attempt = *at
	}
	if errors.As(err, &op) && op.Op == "proxyconnect" {
		return "the proxy: " + cause(op.Err)
	}
	switch {
	case errors.As(err, &odd):
		return odd.Error()
	case errors.Is(err, errStalled) && attempt.begun:
		return fmt.Sprintf("no more of the answer for %v", attempt.waited)
	case errors.Is(err, errStalled):
		return fmt.Sprintf("no answer for %v", attempt.waited)
	case errors.As(err, &odd):
		return odd.Error()
	case errors.As(err, &refusal):
		return refusal.Error()
	case errors.Is(err, errProxyURL):
		return errProxyURL.Error()
	case errors.As(err, &authority):
		return "the certificate is not signed by a known authority"
	case errors.As(err, &host):
		return "the certificate is for another host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired, or is not valid yet"
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return "the certificate is not valid"
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, new(tls.RecordHeaderError)):
		return "the server does not speak TLS"
	case op != nil && (op.Op == "remote error" || op.Op == "local error"): // an alert of TLS
		return op.Err.Error()
	case errors.As(err, &number) && op != nil && op.Addr != nil:
		return op.Addr.String() + ": " + number.Error()
	case errors.As(err, &number):
		return number.Error()
	case errors.As(err, &lookup):
		return lookup.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	case isTimeout(err):
		return "the connection timed out"
	case !attempt.sent:
		return "the connection failed"
	}
	return "the answer is not HTTP"
}

// isForGood reports whether the failure does not pass by itself: the server is not
// the one that it should be, or does not speak TLS, or there is no way to it.
func isForGood(err error) bool {
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(tls.RecordHeaderError)) ||
		errors.Is(err, http.ErrSchemeMismatch) || errors.Is(err, errProxyURL)
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// isExhausted reports whether this process, or the machine, has too many open files.
func isExhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
