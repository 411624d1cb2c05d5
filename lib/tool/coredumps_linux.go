package tool

import "golang.org/x/sys/unix"

// disableCoreDumps keeps the memory of this process, and so secrets, out of core
// files and away from other processes of the user. A program that it becomes by
// execve gets the default back, and its own limits.
func disableCoreDumps() { unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
