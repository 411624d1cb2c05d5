package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"microsecrets/lib/environ"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/printable"
	"microsecrets/lib/internal/settings"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

const (
	// sourcesMax bounds a FILE of -sources, in bytes.
	sourcesMax = 64 << 10

	// linesTold is how many lines at fault are reported of one FILE.
	linesTold = 10
)

// readSources adds the sources of the files of -sources, which come before those
// of the command line.
func (o *options) readSources(ctx context.Context) error {
	var sources []source
	for i, path := range o.sourcesFlags {
		what := "flag -sources: FILE"
		if len(o.sourcesFlags) > 1 {
			what = fmt.Sprintf("flag -sources %d: FILE", i+1)
		}
		text, regular, err := readFile(ctx, path)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return hint.With(tool.FileError(what, err), "FILE holds references, not secrets: a SOURCE on each line")
		case len(text) > sourcesMax:
			return fmt.Errorf("%s: larger than %d KiB", what, sourcesMax>>10)
		}
		read, wrong := parseSources(what, string(text))
		if err := wrong.Err(); err != nil {
			return err
		}
		if len(read) == 0 && !regular {
			return fmt.Errorf("%s: no SOURCE: did the command that writes it fail?", what)
		}
		sources = append(sources, read...)
	}
	o.sources = append(sources, o.sources...)
	return nil
}

// readFile reads a file, or a pipe, as far as sourcesMax and a byte more. It
// reports whether it is a regular file.
func readFile(ctx context.Context, path string) ([]byte, bool, error) {
	type result struct {
		text    []byte
		regular bool
		err     error
	}
	done := make(chan result, 1)
	go func() { // opening a FIFO waits for its writer
		f, err := os.Open(path)
		if err != nil {
			done <- result{err: err}
			return
		}
		defer f.Close()
		info, err := f.Stat()
		regular := err == nil && info.Mode().IsRegular()
		text, err := io.ReadAll(io.LimitReader(f, sourcesMax+1))
		done <- result{text, regular, err}
	}()
	select {
	case r := <-done:
		return r.text, r.regular, r.err
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	}
}

// parseSources returns the SOURCEs of a FILE, one a line. An error gives a line's
// number, and nothing of its text: FILE may be the wrong one.
func parseSources(what, text string) (sources []source, wrong tool.Failures) {
	more := 0
	for i, line := range strings.Split(text, "\n") {
		line, err := settings.Line(line)
		if err == nil && line == "" {
			continue
		}
		var s source
		if err == nil {
			s, err = parseLine(line)
		}
		switch {
		case err == nil:
			sources = append(sources, s)
		case len(wrong) < linesTold:
			wrong = append(wrong, fmt.Errorf("%s: line %d: %w", what, i+1, err))
		default:
			more++
		}
	}
	if more > 0 {
		wrong = append(wrong, fmt.Errorf("%s: and %d more lines", what, more))
	}
	return sources, wrong
}

// segmentMax is how many bytes a NAME has at most, and so its first segment.
const segmentMax = 1024

// parseLine takes a line of a FILE for what parseSource would. Beyond that, a NAME
// begins as the names of services do: JSON, YAML, /etc/shadow and most of what else
// FILE could be by mistake is then neither shown nor sent to S3.
func parseLine(line string) (source, error) {
	s, err := parseSource(line)
	variable, _, pair := strings.Cut(line, "=")
	switch {
	case strings.HasPrefix(line, "-"):
		return source{}, errors.New(`it begins with "-": flags are given on the command line`)
	case strings.HasPrefix(line, "\ufeff"):
		return source{}, errors.New("it begins with a byte order mark")
	case err == nil && secret.CheckName(s.name) != nil:
		return source{}, errors.New("not a SOURCE: NAME, or VAR=NAME")
	case err == nil && !printable.Word(firstSegment(s.name), segmentMax, "._-"):
		return source{}, hint.With(errors.New("not a SOURCE: in a FILE, NAME begins with letters, digits, \".\", \"_\" and \"-\", up to a slash or its end"),
			"FILE holds references, not values; any NAME can be given on the command line")
	case err == nil, pair && isOwn(variable): // the error names that variable alone
		return s, err
	case environ.ValidName(variable):
		return source{}, hint.With(errors.New("not a SOURCE: what follows \"=\" is not a NAME with a slash"),
			"FILE holds references, not values: put the value into a secret, SERVICE/NAME")
	}
	return source{}, errors.New("not a SOURCE: the VAR of VAR=NAME is [A-Za-z_][A-Za-z0-9_]*")
}

func firstSegment(name string) string {
	first, _, _ := strings.Cut(name, "/")
	return first
}
