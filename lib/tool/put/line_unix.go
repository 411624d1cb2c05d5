//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package put

import (
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// readLine reads a line from a terminal, byte for byte and without echo. The
// terminal's own lines end at 4,095 bytes, and the rest is dropped: so it is told
// to hand over what is typed as it comes, and the keys that erase, and end the
// input, are heeded here. Those that send signals do so as ever. The caller
// restores the terminal's state.
func readLine(f *os.File) ([]byte, error) {
	state, err := unix.IoctlGetTermios(int(f.Fd()), getTermios)
	if err != nil {
		return nil, err
	}
	keys := *state
	state.Lflag &^= unix.ICANON | unix.ECHO | unix.ECHONL
	state.Cc[unix.VMIN], state.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(f.Fd()), setTermios, state); err != nil {
		return nil, err
	}
	var line []byte
	var buf [4 << 10]byte
	defer clear(buf[:])
	for {
		n, err := f.Read(buf[:])
		if err == io.EOF {
			return line, nil
		}
		if err != nil {
			return nil, err
		}
		for i, c := range buf[:n] {
			switch c {
			case '\n', '\r':
				return line, ends(f, state, n > i+1)
			case keys.Cc[unix.VEOF]:
				return line, nil
			case keys.Cc[unix.VERASE]:
				_, size := utf8.DecodeLastRune(line)
				line = line[:len(line)-size]
			case keys.Cc[unix.VKILL]:
				line = line[:0]
			default:
				line = append(line, c)
			}
		}
	}
}

// ends takes away what has been typed behind a line, until a tenth of a second
// brings nothing more; if there was any, or more is known of, it is an errLines.
func ends(f *os.File, state *unix.Termios, more bool) error {
	state.Cc[unix.VMIN], state.Cc[unix.VTIME] = 0, 1
	if err := unix.IoctlSetTermios(int(f.Fd()), setTermios, state); err != nil {
		return err
	}
	var buf [4 << 10]byte
	defer clear(buf[:])
	for {
		n, err := f.Read(buf[:])
		switch {
		case err == io.EOF && more:
			return errLines
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		more = more || n > 0
	}
}
