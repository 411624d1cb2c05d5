package secret

import (
	"context"
	"errors"
	"fmt"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/message"
)

// The failures that callers distinguish by errors.Is. Any other, such as a disabled
// key, is for a person to judge.
var (
	ErrNotFound          = errors.New("no such secret")
	ErrExists            = errors.New("exists already") // PutOptions.Create
	ErrChanged           = errors.New("has changed")    // PutOptions.If, or while it was read
	ErrInvalid           = errors.New("refused")        // before anything was sent: a name, a store, an option
	ErrDenied            = awsclient.ErrDenied          // or there are no credentials
	ErrNotAuthentic      = message.ErrNotAuthentic      // tampered with, moved, cut, unsigned, another key, a wrong checksum
	ErrUnreachable       = awsclient.ErrUnreachable     // after retries, or the outcome is unknown: Error.MaybeApplied
	ErrConditionsIgnored = bucket.ErrConditionsIgnored  // by a server that Options.LastWriterWins does not allow for
	ErrTooLarge          = fmt.Errorf("a secret of over %d MiB cannot be held in memory until it is verified", MaxInMemory>>20)
)

// Error is a failure of a method of Store, as every one of them returns it. Its
// text is one printable line that begins with the secret's name, and holds
// nothing of any secret.
type Error struct {
	Op           string // get, put, merge, list, remove, rotate
	Name         string // of the secret, if it is one secret's and a valid one
	Store        string // s3://BUCKET or s3://BUCKET/PREFIX
	Hint         string // what may be done about it, or empty
	RequestID    string // of S3 or KMS, if it answered
	MaybeApplied bool   // the change may have been made, or may be made yet
	Err          error  // one of the errors above is in its tree, or none
}

func (e *Error) Error() string {
	if e.Name == "" {
		return e.Err.Error()
	}
	return e.Name + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// fail makes the Error of an operation. No other function does. What S3 says about
// objects it says about secrets.
func (s *Store) fail(op, name string, err error) error {
	if err == nil || errors.As(err, new(*Error)) {
		return err
	}
	if name != "" && CheckName(name) != nil {
		name = "" // it may hold anything, and the error shows it
	}
	e := &Error{Op: op, Name: name, Store: s.String(), Hint: hint.Of(err), Err: err}
	var cause *awsclient.Error
	if errors.As(err, &cause) {
		e.RequestID, e.MaybeApplied = cause.RequestID, cause.MaybeApplied
	}
	switch {
	case errors.As(err, new(*uncertainError)):
		e.MaybeApplied = true
	case cause == nil:
	case cause.Kind == awsclient.ErrNotFound && cause.Detail != "" && cause.Code != "NoSuchKey":
		e.Err = fmt.Errorf("%w in %s: %s", ErrNotFound, s, cause.Detail)
		e.Hint = "ms-ls -versions lists the versions"
	case cause.Kind == awsclient.ErrNotFound:
		e.Err = fmt.Errorf("%w in %s", ErrNotFound, s)
	case cause.Kind == awsclient.ErrConflict:
		e.Err = &kindError{err, ErrChanged}
	case cause.Kind == awsclient.ErrConfig:
		e.Err = &kindError{err, ErrInvalid}
	}
	return e
}

// absent, exists and changed say of a secret what S3 says of its object.
func (s *Store) absent() error  { return fmt.Errorf("%w in %s", ErrNotFound, s) }
func (s *Store) exists() error  { return fmt.Errorf("%w in %s", ErrExists, s) }
func (s *Store) changed() error { return fmt.Errorf("%w in %s", ErrChanged, s) }

// invalidf returns an ErrInvalid: something is refused before anything is sent.
func invalidf(format string, args ...any) error {
	return &kindError{fmt.Errorf(format, args...), ErrInvalid}
}

// kindError is an error of a kind that its text does not name.
type kindError struct {
	error
	kind error
}

func (e *kindError) Unwrap() []error { return []error{e.error, e.kind} }

// uncertainError is the error of a change that may or may not have been made.
type uncertainError struct {
	what string // written or removed
	why  error
	end  error // of the context, if that is why
}

// uncertain returns an uncertainError. The change may also be made later.
func uncertain(ctx context.Context, what string, why error) error {
	if ctx.Err() != nil {
		return &uncertainError{what, context.Cause(ctx), context.Cause(ctx)}
	}
	return &uncertainError{what: what, why: why}
}

func (e *uncertainError) Error() string {
	return fmt.Sprintf("outcome unknown, may have been %s: %v", e.what, e.why)
}

func (e *uncertainError) Is(target error) bool { return target == ErrUnreachable }

// Unwrap returns only the cause of the context's end. Any other cause is the answer
// to one attempt, which says nothing about the outcome.
func (e *uncertainError) Unwrap() error { return e.end }

// The reasons for an unknown outcome.
var (
	errOverwritten = errors.New("another writer came after it, and the store keeps no versions")
	errGone        = errors.New("nothing is there now, and no version of it")
)

func isNotFound(err error) bool { return errors.Is(err, awsclient.ErrNotFound) }

// isConflict reports whether a condition did not hold.
func isConflict(err error) bool { return errors.Is(err, awsclient.ErrConflict) }

// maybeApplied reports whether a change that failed may have been made.
func maybeApplied(err error) bool {
	var e *awsclient.Error
	return errors.As(err, &e) && e.MaybeApplied
}
