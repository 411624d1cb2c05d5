// Package prompt asks questions on a terminal. Nothing that is typed as a secret is
// shown, whatever happens to the program meanwhile.
package prompt

import "errors"

// ErrLines is the error of more than one line: of a key that was pasted, the
// shell would get the rest.
var ErrLines = errors.New("more than one line was typed")

// ErrKey is the error of a key that is neither text nor edits the line. It would
// be in the secret, and nobody would see it.
var ErrKey = errors.New("a key was typed that is neither text nor edits the line")
