package tool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/settings"
	"microsecrets/lib/message"
	"microsecrets/lib/secret"
)

// How the programs talk to people:
//
// Standard output is data, and only data. Whatever is said to a person goes to
// standard error, a line each, as "ms-put: what": lower case, no full stop, the
// name of the secret first, then what and where. A remedy is a line of its own,
// "ms-put: hint: …". Several failures of one call are a line each, and the
// exit status is that of the gravest.
//
// Nothing that may be a secret is ever said: no value of a flag or a variable,
// no argument that could not be opened, no line that could not be parsed.

// The exit statuses, a promise of the manual.
const (
	StatusOther       = 1
	StatusUsage       = 2
	StatusNotFound    = 3
	StatusDenied      = 4
	StatusNotGenuine  = 5
	StatusConflict    = 6
	StatusUnreachable = 7
)

// statuses maps errors to exit statuses, the gravest first: what may be an
// attack, then what only a person can mend, what may pass by itself, and at
// last what is simply not there.
var statuses = []struct {
	err    error
	status int
}{
	{secret.ErrNotAuthentic, StatusNotGenuine},
	{ErrUsage, StatusUsage},
	{secret.ErrInvalid, StatusUsage},
	{awsclient.ErrConfig, StatusUsage},
	{secret.ErrDenied, StatusDenied},
	{nil, StatusOther},
	{secret.ErrUnreachable, StatusUnreachable},
	{secret.ErrExists, StatusConflict},
	{secret.ErrChanged, StatusConflict},
	{awsclient.ErrConflict, StatusConflict},
	{fs.ErrExist, StatusConflict},
	{secret.ErrNotFound, StatusNotFound},
}

// ErrUsage is wrapped by errors in how a program was called.
var ErrUsage = errors.New("usage")

type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }
func (e *usageError) Unwrap() error { return ErrUsage }

// Usagef returns an error in how the program was called. Its arguments are
// never what the user gave as a value.
func Usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// Exit is an error with an exit status of its own. Without an Err nothing is
// printed.
type Exit struct {
	Status int
	Err    error
}

func (e *Exit) Error() string { return fmt.Sprint(e.Err) }
func (e *Exit) Unwrap() error { return e.Err }

// Refusal is the error of a flag.Value that refuses a value and says why,
// without the value.
type Refusal struct{ Reason string }

func (e *Refusal) Error() string { return e.Reason }

// Failures are several failures of one call, each reported on its own line.
type Failures []error

func (f Failures) Error() string { return errors.Join(f...).Error() }

// Unwrap makes errors.Is and errors.As look into each.
func (f Failures) Unwrap() []error { return f }

// Err returns nil if there was no failure. Errors that are nil do not count.
func (f Failures) Err() error {
	f = slices.DeleteFunc(f, func(err error) bool { return err == nil })
	if len(f) == 0 {
		return nil
	}
	return f
}

// report prints every failure in err and returns the exit status.
func (t *Tool) report(err error) int {
	if err == nil {
		return 0
	}
	var exit *Exit
	if errors.As(err, &exit) && exit.Err == nil {
		return exit.Status
	}
	said := map[string]bool{}
	gravest := len(statuses)
	all := Failures{err}
	errors.As(err, &all)
	for _, e := range all {
		t.Notef("%s", e)
		if advice := Advice(e); advice != "" && !said[advice] {
			said[advice] = true
			for line := range strings.SplitSeq(advice, "\n") {
				t.Notef("hint: %s", line)
			}
		}
		gravest = min(gravest, gravity(e))
	}
	switch {
	case exit != nil:
		return exit.Status
	case t.Failed != 0:
		return t.Failed
	case t.Different && statuses[gravest].status == StatusOther:
		return StatusUsage
	}
	return statuses[gravest].status
}

// gravity is the place in statuses of an error.
func gravity(err error) int {
	var setting *settings.Error
	if errors.As(err, &setting) {
		err = ErrUsage
	}
	other := 0
	for i, s := range statuses {
		if s.err == nil {
			other = i
		} else if errors.Is(err, s.err) {
			return i
		}
	}
	return other
}

// Advice is the hint of an error, or what the programs know about it.
func Advice(err error) string {
	var failed *secret.Error
	switch {
	case hint.Of(err) != "":
		return hint.Of(err)
	case errors.As(err, &failed) && failed.Hint != "":
		return failed.Hint
	case failed != nil && failed.MaybeApplied && failed.Op == "remove":
		return "look what is stored before it is removed again: ms-ls -l, or ms-ls -versions"
	case failed != nil && failed.MaybeApplied:
		return "look what is stored before it is written again: ms-ls -l, or ms-ls -versions"
	case errors.Is(err, message.ErrUnsigned):
		return "unsigned messages are accepted with the setting unsigned; doc/threats.md says what that gives up"
	case errors.Is(err, secret.ErrConditionsIgnored):
		return "-last-writer-wins goes on without conditions: the last of several writers then undoes what the others wrote"
	}
	return ""
}

// FileError says what went wrong with a file that the user named, by the
// argument's name: what stands there may be a secret in the wrong place.
func FileError(argument string, err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return fmt.Errorf("%s: %w", argument, err)
}
