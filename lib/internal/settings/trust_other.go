//go:build !unix

package settings

import (
	"io/fs"
	"os"
)

const openFlags = os.O_RDONLY

// trusted takes any file: package os knows neither its owner nor who may write
// to it. Folders from the working directory up are the caller's own care here.
func trusted(fs.FileInfo) error { return nil }
