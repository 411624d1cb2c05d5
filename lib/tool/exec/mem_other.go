//go:build !linux

package exec

import (
	"errors"
	"io"
)

const (
	// hasMemory reports whether files in memory can be made.
	hasMemory = false

	// byFlags is how a COMMAND gets what cannot be in its environment.
	byFlags = "in a file, by -file"
)

func checkMemory() error { return errors.ErrUnsupported }

func memory(func(io.Writer) error) (path string, err error) { return "", errors.ErrUnsupported }
