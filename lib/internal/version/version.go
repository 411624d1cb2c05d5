// Package version is the version of the programs.
package version

import "runtime/debug"

// linked is set by the linker to what git describes.
var linked string

// String is what git described when the program was built, or else its
// module's version, or "devel".
func String() string {
	if linked != "" {
		return linked
	}
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" && b.Main.Version != "(devel)" {
		return b.Main.Version
	}
	return "devel"
}
