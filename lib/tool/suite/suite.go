// Package suite is the registry of the programs. ms runs them from it, and the
// tests of what every program must do walk it, so that none can be forgotten.
package suite

import (
	"slices"

	"microsecrets/lib/tool"
	"microsecrets/lib/tool/check"
	"microsecrets/lib/tool/cp"
	"microsecrets/lib/tool/dev"
	"microsecrets/lib/tool/diff"
	"microsecrets/lib/tool/edit"
	"microsecrets/lib/tool/exec"
	"microsecrets/lib/tool/get"
	"microsecrets/lib/tool/initialize"
	"microsecrets/lib/tool/ls"
	"microsecrets/lib/tool/put"
	"microsecrets/lib/tool/rm"
	"microsecrets/lib/tool/rotate"
)

// A Program is one program of the suite.
type Program struct {
	Name    string // as it is called: ms-put
	Purpose string // in a line, as the NAME section of its manual page has it
	Usage   string // what -h prints
	Run     tool.Run
}

// Programs are all of them but ms, in the order in which ms lists them. Each has
// a folder of its name in cmd, for whoever builds it alone.
var Programs = []Program{
	{"ms-put", "encrypt and store a secret", put.Usage, put.Run},
	{"ms-get", "fetch, decrypt and verify secrets", get.Usage, get.Run},
	{"ms-ls", "list the names of secrets", ls.Usage, ls.Run},
	{"ms-exec", "run a command with secrets in its environment, in memory or in files", exec.Usage, exec.Run},
	{"ms-rm", "remove secrets", rm.Usage, rm.Run},
	{"ms-rotate", "encrypt secrets again under the current key", rotate.Usage, rotate.Run},
	{"ms-cp", "copy secrets, each encrypted anew under its new name", cp.Usage, cp.Run},
	{"ms-diff", "say what differs between secrets, without their values", diff.Usage, diff.Run},
	{"ms-edit", "edit a secret in your editor", edit.Usage, edit.Run},
	{"ms-init", "make a store and its keys fit, and print policies", initialize.Usage, initialize.Run},
	{"ms-check", "look at all that a store depends on, and say what is wrong", check.Usage, check.Run},
	{"ms-dev", "run a command against an emulated S3, KMS and STS", dev.Usage, dev.Run},
}

// Find returns the program of that name.
func Find(name string) (p Program, ok bool) {
	i := slices.IndexFunc(Programs, func(p Program) bool { return p.Name == name })
	if i < 0 {
		return Program{}, false
	}
	return Programs[i], true
}
