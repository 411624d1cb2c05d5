//go:build !linux

package tool

// disableCoreDumps does nothing: elsewhere than on Linux only a limit, which
// COMMAND would inherit, prevents core files, and a Go program that crashes
// writes none unless GOTRACEBACK=crash asks for it.
func disableCoreDumps() {}
