//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package prompt

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// settle is how long the end of a paste, or of this process's own stop, is waited
// for.
const settle = 100 * time.Millisecond

// Line asks a question on out, and reads a line of any length from a terminal
// without echo. The terminal's own lines end at 4,095 bytes, and it drops the
// rest: so it hands over what is typed as it comes, and the line is edited here.
//
// The keys that send signals do so as ever. Whoever suspends the program finds
// the terminal as it was; when the program goes on, whatever the shell has made
// of the terminal meanwhile, it asks again, and what was typed before is dropped.
// When ctx ends, its cause is returned.
func Line(ctx context.Context, terminal *os.File, out io.Writer, question string) ([]byte, error) {
	p := &prompt{terminal: terminal, fd: int(terminal.Fd()), out: out, question: question}
	state, err := unix.IoctlGetTermios(p.fd, getTermios)
	if err != nil {
		return nil, err
	}
	p.state = state
	events, end, err := listen(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	defer func() {
		p.restore()
		io.WriteString(out, "\n")
	}()
	if err := p.ask(setTermios); err != nil {
		return nil, err
	}
	return p.read(ctx, events)
}

type prompt struct {
	terminal *os.File
	fd       int
	out      io.Writer
	question string
	state    *unix.Termios // before the question
	editor   editor
}

// listen returns a pipe from which a byte can be read for each signal that counts
// here, and one when ctx ends.
func listen(ctx context.Context) (events *os.File, end func(), err error) {
	events, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { w.Write([]byte{0}) })
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGCONT)
	go func() {
		for range signals {
			w.Write([]byte{byte(unix.SIGCONT)})
		}
		w.Close()
	}()
	asking.Store(w)
	catchSuspend()
	return events, func() {
		asking.Store(nil)
		stop()
		signal.Stop(signals)
		close(signals)
		events.Close()
	}, nil
}

// asking is the pipe of the question that is being asked.
var asking atomic.Pointer[os.File]

// catchSuspend catches SIGTSTP from the first question on: package signal cannot
// give it its default back.
var catchSuspend = sync.OnceFunc(func() {
	if signal.Ignored(unix.SIGTSTP) {
		return
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTSTP)
	go func() {
		for range signals {
			if w := asking.Load(); w != nil {
				w.Write([]byte{byte(unix.SIGTSTP)})
			} else {
				suspend()
			}
		}
	}()
})

// suspend stops this process, as SIGTSTP does by default, by a signal that the
// process has never caught. It does nothing where no shell could continue it.
func suspend() error { return unix.Kill(unix.Getpid(), unix.SIGTTIN) }

// ask silences the terminal, then asks. Both begin anew whenever they are done
// again.
func (p *prompt) ask(set uint) error {
	silent := *p.state
	silent.Lflag &^= unix.ICANON | unix.ECHO | unix.ECHONL
	silent.Cc[unix.VMIN], silent.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(p.fd, set, &silent); err != nil {
		return err
	}
	clear(p.editor.line)
	keys := p.state.Cc
	p.editor = editor{erase: keys[unix.VERASE], word: keys[unix.VWERASE], kill: keys[unix.VKILL], end: keys[unix.VEOF]}
	_, err := io.WriteString(p.out, p.question)
	return err
}

// restore gives the terminal back as it was, unless another job has it by now. A
// terminal that is not this session's has no job.
func (p *prompt) restore() {
	if group, err := unix.IoctlGetInt(p.fd, unix.TIOCGPGRP); err != nil || group == unix.Getpgrp() {
		unix.IoctlSetTermios(p.fd, setTermios, p.state)
	}
}

// read edits the line until it ends.
func (p *prompt) read(ctx context.Context, events *os.File) ([]byte, error) {
	var buf [4 << 10]byte
	defer clear(buf[:])
	for {
		typed, event, err := wait(p.fd, int(events.Fd()), 0)
		switch {
		case err != nil:
			return nil, err
		case event:
			if err := p.event(ctx, events); err != nil {
				return nil, err
			}
			continue
		case !typed:
			continue
		}
		n, err := p.terminal.Read(buf[:])
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // the terminal is gone
		}
		if err != nil {
			return nil, err
		}
		for i, c := range buf[:n] {
			done, err := p.editor.key(c)
			if !done && err == nil {
				continue
			}
			// The shell must not get what follows.
			more, drained := p.drain(buf[:])
			switch {
			case err != nil:
				return nil, err
			case drained != nil:
				return nil, drained
			case more || i+1 < n:
				return nil, ErrLines
			}
			return p.editor.line, nil
		}
	}
}

// event deals with a signal, or with the end of ctx.
func (p *prompt) event(ctx context.Context, events *os.File) error {
	var event [1]byte
	if _, err := events.Read(event[:]); err != nil {
		return err
	}
	switch unix.Signal(event[0]) {
	case 0:
		return context.Cause(ctx)
	case unix.SIGTSTP:
		p.restore()
		io.WriteString(p.out, "\n")
		if err := suspend(); err != nil {
			return err
		}
		// SIGCONT is next, unless this process was not stopped. The first wait may
		// be over when it goes on.
		for range 2 {
			if _, next, err := wait(-1, int(events.Fd()), settle); err != nil || next {
				return err
			}
		}
	}
	return p.ask(flushTermios)
}

// drain takes away what has been typed after a line, until nothing more comes,
// and reports whether there was any.
func (p *prompt) drain(buf []byte) (more bool, err error) {
	for {
		typed, _, err := wait(p.fd, -1, settle)
		if err != nil || !typed {
			return more, err
		}
		n, err := p.terminal.Read(buf)
		if err != nil {
			return more, err
		}
		more = more || n > 0
	}
}

// wait waits until a terminal or a pipe of events can be read, or for so long; 0
// is without end, and a descriptor below 0 none.
func wait(terminal, events int, timeout time.Duration) (typed, event bool, err error) {
	for {
		var set unix.FdSet
		for _, fd := range []int{terminal, events} {
			if fd >= 0 {
				set.Set(fd)
			}
		}
		var limit *unix.Timeval
		if timeout > 0 {
			t := unix.NsecToTimeval(timeout.Nanoseconds())
			limit = &t
		}
		_, err := unix.Select(max(terminal, events)+1, &set, nil, nil, limit)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return err == nil && terminal >= 0 && set.IsSet(terminal), err == nil && events >= 0 && set.IsSet(events), err
	}
}
