// Package check is the program ms-check.
package check

import (
	"context"
	"io"
	"strings"

	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// Usage is what ms-check -h prints.
var Usage = `usage: ms-check [flags] [NAME|SERVICE...]

Look at all that the other programs depend on, and change nothing: the settings,
the region, the credentials, the clock, S3 and KMS, the bucket, the keys of each
SERVICE, or of a NAME's, and what you may do: list, write, get and decrypt.

Prints a line for each, which begins with "ok", "no", "?" (not allowed to look, or
cannot tell) or "-" (does not apply), and below it what may be done about it. The
status is 1 if anything is "no". Of a SERVICE, one secret is read to see whether
that works; what it holds is never shown.

  -write           also store a secret under a name of its own, and remove it
  -exact           each argument is one NAME, as those of the service "default"
                   are
  -json            JSON lines: state, what, detail, remedy, action, role
` + tool.Usage + `
example:
  ms-check
  ms-check myservice
`

type options struct{ write, exact, json bool }

// Run is one call of ms-check. It returns the exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := tool.New("ms-check", Usage, stdin, stdout, stderr)
	var o options
	t.BoolVar(&o.write, "write", false, "")
	t.BoolVar(&o.exact, "exact", false, "")
	t.BoolVar(&o.json, "json", false, "")
	return t.Run(ctx, args, func(ctx context.Context, names []string) error {
		if err := t.NoFlags(args, names); err != nil {
			return err
		}
		targets, err := o.targets(names)
		if err != nil {
			return err
		}
		c := &checker{options: o, t: t, targets: targets}
		if err := c.run(ctx); err != nil {
			return err
		}
		if c.bad {
			return &tool.Exit{Status: tool.StatusOther}
		}
		return nil
	})
}

// A target is what one argument stands for.
type target struct {
	arg     string
	service string
	name    string // of one secret; empty: the argument is a SERVICE
	prefix  string // of the names that are listed
	folder  string // where a secret of one's own may be stored: a path and a slash, or nothing
}

func (o options) targets(args []string) ([]target, error) {
	switch {
	case o.write && len(args) == 0:
		return nil, tool.Usagef("flag -write goes with a SERVICE or a NAME")
	case o.exact && len(args) == 0:
		return nil, tool.Usagef("flag -exact goes with a NAME")
	}
	var targets []target
	var refused tool.Failures
	for _, arg := range args {
		refused = append(refused, secret.CheckName(arg))
		t := target{arg: arg, name: arg, prefix: arg, service: "default"}
		if service, _, below := strings.Cut(arg, "/"); below {
			t.service = service
			t.folder = arg[:strings.LastIndexByte(arg, '/')+1]
		} else if !o.exact {
			t.name, t.service = "", arg
			if t.prefix, t.folder = arg+"/", arg+"/"; arg == "default" {
				t.prefix, t.folder = "", "" // its names have no slash
			}
		}
		targets = append(targets, t)
	}
	return targets, refused.Err()
}
