//go:build unix

package prompt_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"microsecrets/lib/internal/prompt"
	"microsecrets/lib/internal/prompt/terminaltest"
)

// An answer is shown while it is typed, though the terminal was silent before, and
// what is typed ahead is the next one.
func TestAnswer(t *testing.T) {
	term := terminaltest.Open(t)
	term.Stty("-echo", "-icanon", "-icrnl", "-opost")
	term.Type("ab\x7fc  \r")
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer)
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		for range 5 {
			text, err := prompt.Answer(ctx, term.Screen, term.Screen, "which? ")
			answers <- answer{text, err}
		}
	}()
	// What came before the first question came to a terminal without lines: some of it
	// may not be edited.
	<-answers
	term.Until("which? ", 2)
	term.Type("wrong\x15right\nnext\n")
	for _, want := range []string{"right", "next"} {
		if got := <-answers; got.text != want || got.err != nil {
			t.Errorf("%q, not %q: %v", got.text, want, got.err)
		}
	}
	term.Until("which? ", 4)
	term.Type("\x04")
	if got := <-answers; !errors.Is(got.err, io.EOF) {
		t.Errorf("%q, %v", got.text, got.err)
	}
	over := errors.New("over")
	term.Until("which? ", 5)
	cancel(over)
	if got := <-answers; !errors.Is(got.err, over) {
		t.Errorf("%q, %v", got.text, got.err)
	}
	term.End()
}
