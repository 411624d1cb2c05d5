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
// "ms-put: hint: …". Several failures of one call are a line each, before the
// remedies, and the exit status is that of the gravest.
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

// report prints every failure in err, those of one text once, and returns the exit
// status.
func (t *Tool) report(err error) int {
	if err == nil {
		return 0
	}
	var exit *Exit
	if errors.As(err, &exit) && exit.Err == nil {
		return exit.Status
	}
	gravest := len(statuses)
	all := flat(err)
	said := map[string]bool{} // standard output, for one, fails for each secret alike
	for _, e := range all {
		if text := fmt.Sprint(e); !said[text] {
			said[text] = true
			t.Notef("%s", text)
		}
		gravest = min(gravest, gravity(e))
	}
	t.advise(all)
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

// Explain prints a failure, and what may be done about it, where the program goes on.
func (t *Tool) Explain(err error) {
	t.Notef("%s", err)
	t.advise(Failures{err})
}

// flat are the failures in err, those of Failures in Failures as well.
func flat(err error) (all Failures) {
	var several Failures
	if !errors.As(err, &several) {
		return Failures{err}
	}
	for _, e := range several {
		all = append(all, flat(e)...)
	}
	return all
}

// advise prints what may be done about failures, each line once. Where there are several
// it comes after all of them, which are a list.
func (t *Tool) advise(all Failures) {
	said := map[string]bool{"": true}
	for _, e := range all {
		advice := t.needs(e) + "\n" + Advice(e)
		if advice == "\n" && len(all) == 1 {
			advice = t.whereToLook(e)
		}
		t.hint(advice, said)
	}
}

// Hint prints what may be done about what was printed before, in one line or several.
func (t *Tool) Hint(advice string) { t.hint(advice, map[string]bool{"": true}) }

func (t *Tool) hint(advice string, said map[string]bool) {
	for line := range strings.SplitSeq(advice, "\n") {
		if !said[line] {
			said[line] = true
			t.Notef("hint: %s", line)
		}
	}
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

// whereToLook is the advice for a secret that is not as it was expected. Where several
// are not, the list of their names is worth more.
func (t *Tool) whereToLook(err error) string {
	failed, ok := errors.AsType[*secret.Error](err)
	if !ok {
		return ""
	}
	list := "ms-ls "
	if t.resolved == nil || failed.Store != canonical(t.resolved.Store) || t.resolved.Source("store") == "-store" {
		list += "-store " + Quote(failed.Store) + " "
	}
	service, _, below := strings.Cut(failed.Name, "/")
	switch {
	case failed.Op == "check" && failed.Name == "" && errors.Is(err, secret.ErrInvalid):
		return "a NAME is a path, such as myservice/password; ms-ls PREFIX/ lists the names that begin with PREFIX/"
	case failed.Name == "":
	case errors.Is(err, secret.ErrNotFound) && below:
		return list + Quote(service+"/") + " lists what is there"
	case errors.Is(err, secret.ErrNotFound):
		return list + "lists what is there"
	case errors.Is(err, secret.ErrExists) && t.Name == "ms-put":
		return list + "-l " + Quote(failed.Name) + " shows what is there; without -create it is replaced"
	case errors.Is(err, secret.ErrExists), errors.Is(err, secret.ErrChanged):
		return list + "-l " + Quote(failed.Name) + " shows what is there now"
	case errors.Is(err, secret.ErrNotAuthentic):
		return list + "-versions " + Quote(failed.Name) + " lists the versions before it, which ms-get -at VERSION gets"
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
