package edit

import "golang.org/x/sys/unix"

// inMemory reports whether what is in a folder is in memory and on no disk, but for
// what the system may swap out.
func inMemory(dir string) bool {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return false
	}
	return uint32(stat.Type) == unix.TMPFS_MAGIC || uint32(stat.Type) == unix.RAMFS_MAGIC
}
