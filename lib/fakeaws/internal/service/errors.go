package service

import (
	"errors"
	"fmt"
	"maps"
)

// An Error is an error as a service reports it to its client.
type Error struct {
	Status  int
	Code    string
	Message string
	Header  map[string]string // further response headers
	Detail  [][2]string       // further elements of an S3 document
}

// Errorf returns an Error whose message is formatted, if there are arguments.
func Errorf(status int, code, format string, args ...any) *Error {
	e := &Error{Status: status, Code: code, Message: format}
	if len(args) > 0 {
		e.Message = fmt.Sprintf(format, args...)
	}
	return e
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message) }

// With returns a copy of e that has one more element in its document.
func (e *Error) With(name, value string) *Error {
	c := *e
	c.Detail = append(c.Detail[:len(c.Detail):len(c.Detail)], [2]string{name, value})
	return &c
}

// WithHeader returns a copy of e that has one more response header.
func (e *Error) WithHeader(name, value string) *Error {
	c := *e
	c.Header = map[string]string{}
	maps.Copy(c.Header, e.Header)
	c.Header[name] = value
	return &c
}

// Translate returns what known has for err; nil if it has nothing.
func Translate(err error, known map[error]*Error) *Error {
	for kind, spelt := range known {
		if errors.Is(err, kind) {
			return spelt
		}
	}
	return nil
}
