package edit

import "golang.org/x/sys/unix"

// inMemory reports whether what is in a folder is in memory and on no disk, but for
// what the system may swap out. A disk in memory looks like any other disk.
func inMemory(dir string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(dir, &stat) == nil && unix.ByteSliceToString(stat.Fstypename[:]) == "tmpfs"
}
