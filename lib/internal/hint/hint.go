// Package hint puts beside an error what may be done about it. The programs
// print it on a line of its own.
package hint

import "errors"

// Error is an error with a hint, of one line or several. Its text is that of the
// error alone.
type Error struct {
	Err  error
	Hint string
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// With returns err with a hint, or err itself if either is empty.
func With(err error, hint string) error {
	if err == nil || hint == "" {
		return err
	}
	return &Error{err, hint}
}

// Of returns the outermost hint of an error, or an empty string.
func Of(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}
