//go:build !unix

package fakeaws

import (
	"io/fs"
	"os"
)

func private(fs.FileInfo) error { return nil }

func lockFile(*os.File) error { return nil }
