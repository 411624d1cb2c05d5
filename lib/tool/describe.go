package tool

import (
	"context"
	"flag"
	"io"
	"strings"
)

// A Description is how a program takes its command line apart.
type Description struct {
	Flags *flag.FlagSet // its own and, where it has them, the settings
	Tool  *Tool         // nil if the program has no settings
}

type describing struct{}

// Describe returns the Description of a program, which does nothing else. A program
// calls Parse, or Tool.Run, before it does anything.
func Describe(run Run) Description {
	var d Description
	ctx := context.WithValue(context.Background(), describing{}, &d)
	run(ctx, nil, strings.NewReader(""), io.Discard, io.Discard)
	return d
}

// described returns what Describe waits for, or nil.
func described(ctx context.Context) *Description {
	d, _ := ctx.Value(describing{}).(*Description)
	return d
}
