//go:build !unix

package tool

import "os/exec"

func lookPath(command string) (path string, err error) { return exec.LookPath(command) }
