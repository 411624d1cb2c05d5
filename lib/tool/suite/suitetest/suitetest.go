// Package suitetest has tests run the programs as they are installed.
package suitetest

import (
	"os"

	"microsecrets/lib/tool"
	"microsecrets/lib/tool/ms"
	"microsecrets/lib/tool/suite"
)

// Commands returns every program, ms included, for testscript.Main: the test
// binary, called by a program's name, is that program, as ms is by a link. main
// is tool.Main, or does what it does and more.
func Commands(main func(tool.Run)) map[string]func() {
	program := func() { main(ms.Program(os.Args[0])) }
	commands := map[string]func(){"ms": program}
	for _, p := range suite.Programs {
		commands[p.Name] = program
	}
	return commands
}
