//go:build unix && !linux

package tool

// noCoreDumps has nothing to do: elsewhere than on Linux only a limit, which
// COMMAND would inherit, keeps cores away, and a Go program that crashes dumps
// none unless GOTRACEBACK=crash asks for it.
func noCoreDumps() {}
