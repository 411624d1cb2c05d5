//go:build !unix

package exec

import "os/exec"

func lookPath(command string) (path string, err error) { return exec.LookPath(command) }
