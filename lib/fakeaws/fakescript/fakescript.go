// Package fakescript gives each testscript script an emulated S3 and KMS of its
// own.
//
// The programs under test run as child processes and find the server through
// their environment; scripts inspect it and make it fail by the command "fake",
// which takes the control language of package fakeaws:
//
//	fake fault throttle GetObject times=1
//	exec ms-get myservice/env
//	fake want 'GetObject 2' 'Decrypt 1'
//	fake cat myservice/env stored
//	fake ls
//	stdout '^myservice/env$'
package fakescript

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/fakeaws"
)

type serverKey struct{}

// Setup starts a server for the script, which is closed at the script's end,
// and leads the script's programs to it and away from the user: HOME and
// XDG_CONFIG_HOME are empty folders below $WORK. It is for
// testscript.Params.Setup.
func Setup(env *testscript.Env) error {
	server, err := fakeaws.New(fakeaws.Options{})
	if err != nil {
		return err
	}
	env.Defer(func() { server.Close() })
	env.Values[serverKey{}] = server

	home := filepath.Join(env.WorkDir, ".home")
	config := filepath.Join(home, ".config")
	if err := os.MkdirAll(config, 0o700); err != nil {
		return err
	}
	env.Setenv("HOME", home)
	env.Setenv("XDG_CONFIG_HOME", config)
	for _, kv := range server.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		env.Setenv(name, value)
	}
	return nil
}

// Commands returns the command "fake", for testscript.Params.Commands. What a
// verb prints is the script's standard output; "! fake" wants the verb to fail
// and its message on the script's standard error. "fake -env principal …" sets
// the variables that the verb prints.
func Commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){"fake": fake}
}

func fake(ts *testscript.TestScript, neg bool, args []string) {
	setenv := len(args) > 0 && args[0] == "-env"
	if setenv {
		args = args[1:]
	}
	if len(args) == 0 {
		ts.Fatalf("usage: fake [-env] VERB [WORD...] (fake help lists the verbs)")
	}
	server := ts.Value(serverKey{}).(*fakeaws.Server)
	out, err := server.Control(ts.MkAbs("."), args...)
	ts.Stdout().Write([]byte(out))
	switch {
	case err != nil && !neg:
		ts.Fatalf("fake %v", err)
	case err != nil:
		ts.Stderr().Write([]byte(err.Error() + "\n"))
	case neg:
		ts.Fatalf("fake %s did not fail", args[0])
	case setenv:
		for line := range strings.Lines(out) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			ts.Setenv(name, value)
		}
	}
}
