package exec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"microsecrets/lib/internal/hint"
)

const (
	// hasMemory reports whether files in memory can be made.
	hasMemory = true

	// byFlags is how a COMMAND gets what cannot be in its environment.
	byFlags = "in memory, by -mem, or in a file, by -file"
)

// checkMemory reports whether COMMAND will find itself under /proc, where the
// paths of files in memory are.
func checkMemory() error {
	self, err := os.Readlink("/proc/self")
	if err == nil && self == strconv.Itoa(os.Getpid()) {
		return nil
	}
	return hint.With(errors.New("flag -mem: /proc is not mounted, or belongs to other processes"), toFile)
}

// leastDescriptor is the first that no portable shell script uses by number: a
// redirection of COMMAND's own does not close the file.
const leastDescriptor = 10

// memory puts what fill writes into a file in memory that this process, and what
// it becomes, has open, and returns the path by which that program and its
// children open it as well. The file can only be read, ends with the last
// process that has it, and is in no file system. The errors of the file itself
// are of type *fs.PathError.
func memory(fill func(io.Writer) error) (path string, err error) {
	f, err := memfd()
	if err != nil {
		return "", &fs.PathError{Op: "memfd_create", Err: err}
	}
	defer f.Close()
	// Written at offsets, the descriptor stays at the file's beginning.
	if err := fill(io.NewOffsetWriter(f, 0)); err != nil {
		return "", err
	}
	if err := f.Chmod(0o400); err != nil {
		return "", err
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL); err != nil {
		return "", &fs.PathError{Op: "seal", Err: err}
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD, leastDescriptor)
	if err != nil {
		return "", &fs.PathError{Op: "dup", Err: err}
	}
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd), nil
}

// memoryName is what /proc shows the file to be, "/memfd:NAME (deleted)". A
// program that takes this for a path, to put a new version of the secret there,
// finds no folder of that name, and so writes nothing to a disk.
const memoryName = "ms-exec/secret"

// memfd returns a new file in memory, one that nobody can ever execute where
// the kernel has that.
func memfd() (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(memoryName, flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate(memoryName, flags)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), memoryName), nil
}
