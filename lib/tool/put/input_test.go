package put

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestChomper(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "\n": "", "a": "a", "a\n": "a", "a\n\n": "a\n", "\n\n": "\n", "a\r\n": "a\r", "a\nb": "a\nb", "\na": "\na",
	} {
		for name, slow := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "by bytes": iotest.OneByteReader, "half": iotest.HalfReader, "early end": iotest.DataErrReader,
		} {
			got, err := io.ReadAll(iotest.OneByteReader(chomper{bufio.NewReader(slow(strings.NewReader(in)))}))
			if string(got) != want || err != nil {
				t.Errorf("%q %s: %q, %v", in, name, got, err)
			}
			got, err = io.ReadAll(chomper{bufio.NewReader(slow(strings.NewReader(in)))})
			if string(got) != want || err != nil {
				t.Errorf("%q %s: %q, %v", in, name, got, err)
			}
		}
	}
	broken := errors.New("broken")
	got, err := io.ReadAll(chomper{bufio.NewReader(io.MultiReader(strings.NewReader("a\n"), iotest.ErrReader(broken)))})
	if string(got) != "a\n" || !errors.Is(err, broken) {
		t.Errorf("%q, %v", got, err)
	}
}
