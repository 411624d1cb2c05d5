//go:build !unix

package edit

import (
	"context"
	"errors"
	"io"
)

// supported says that the program does not run on this system: it has no folder in
// memory, and none that others could not read without more ado.
const supported = false

type folder struct{ path string }

type streams struct {
	in       io.Reader
	out, err io.Writer
}

var errNoFile = errors.New("no file")

func checkParent(string) error                     { return errors.ErrUnsupported }
func inMemory(string) bool                         { return false }
func sweep(string) int                             { return 0 }
func makeFolder(string) (*folder, error)           { return nil, errors.ErrUnsupported }
func (*folder) write(string, []byte) error         { return errors.ErrUnsupported }
func (*folder) read(string, int64) ([]byte, error) { return nil, errors.ErrUnsupported }
func (*folder) remove() error                      { return nil }
func (editor) run(context.Context, *folder, string, int, streams) error {
	return errors.ErrUnsupported
}
