//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package prompt

import (
	"context"
	"errors"
	"io"
	"os"
)

// Answer asks nothing: no program that asks runs here.
func Answer(context.Context, *os.File, io.Writer, string) (string, error) {
	return "", errors.ErrUnsupported
}
