//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package prompt

import (
	"context"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Answer asks a question on out, and returns the line that is typed on a terminal,
// which shows it, without white space around it. The terminal's own keys edit the line.
// What ended on this terminal before may have left it silent: it is made to show what is
// typed, and stays so. At the terminal's end the error is io.EOF; when ctx ends, its
// cause.
func Answer(ctx context.Context, terminal *os.File, out io.Writer, question string) (string, error) {
	fd := int(terminal.Fd())
	state, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return "", err
	}
	state.Lflag |= unix.ICANON | unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ISIG | unix.IEXTEN
	state.Iflag |= unix.ICRNL
	state.Oflag |= unix.OPOST | unix.ONLCR
	if err := unix.IoctlSetTermios(fd, setTermios, state); err != nil {
		return "", err
	}
	ended, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer ended.Close()
	defer w.Close()
	defer context.AfterFunc(ctx, func() { w.Write([]byte{0}) })()
	if _, err := io.WriteString(out, question); err != nil {
		return "", err
	}
	var buf [4 << 10]byte
	for {
		typed, event, err := wait(fd, int(ended.Fd()), 0)
		switch {
		case err != nil:
			return "", err
		case event:
			io.WriteString(out, "\n")
			return "", context.Cause(ctx)
		case !typed:
			continue
		}
		n, err := terminal.Read(buf[:])
		if err != nil {
			return "", err
		}
		return strings.TrimSpace(string(buf[:n])), nil
	}
}
