// Package initialize is the program ms-init.
package initialize

import (
	"context"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"microsecrets/lib/internal/keyring"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// Usage is what ms-init -h prints.
var Usage = `usage: ms-init [flags] [SERVICE...]
       ms-init -policy ROLE [flags] SERVICE|NAME...

Make the store fit for secrets: its bucket, with public access blocked, TLS only,
versioning, and unfinished uploads ended after 7 days; and for each SERVICE a KMS
key, its rotation and its alias. What is fit already is kept, so that it can be
run again. Prints a line for each, "made", "mended", "kept", "left" or "-" (does
not apply), as it goes, then the lines for a .msrc. It only adds and turns on.

  -n               change nothing: print "make" and "mend", and "?" for what
                   cannot be looked at
  -adopt           mend a bucket that holds something already
  -keep DAYS       remove old versions after DAYS
  -policy ROLE     change nothing: print the IAM policy of a reader, writer,
                   merger, lister, rotator, remover or admin of each SERVICE,
                   or of one NAME (a path)
  -exact           with -policy: each argument is one NAME, as those of the
                   service "default" are
  -from KEYS       with -policy rotator: further KMS keys that may be read
` + tool.Usage + `
example:
  ms-init -store s3://example-microsecrets myservice
  ms-init -policy reader myservice >reader.json
`

// maxDays bounds -keep, for want of a bound that S3 documents.
const maxDays = 36500

type options struct {
	dry, adopt, exact bool
	keep              int // days; 0: as it is
	role, from        string
}

func (o *options) setKeep(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxDays {
		return &tool.Refusal{Reason: "not a number of days from 1 to " + strconv.Itoa(maxDays)}
	}
	o.keep = n
	return nil
}

func (o *options) setRole(s string) error {
	if _, ok := roles[s]; !ok {
		return &tool.Refusal{Reason: "not reader, writer, merger, lister, rotator, remover or admin"}
	}
	o.role = s
	return nil
}

// Run is one call of ms-init. It returns the exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := tool.New("ms-init", Usage, stdin, stdout, stderr)
	var o options
	t.BoolVar(&o.dry, "n", false, "")
	t.BoolVar(&o.adopt, "adopt", false, "")
	t.Func("keep", "", o.setKeep)
	tool.OneOf(t.FlagSet, "policy", slices.Sorted(maps.Keys(roles)), o.setRole)
	t.BoolVar(&o.exact, "exact", false, "")
	tool.NonEmpty(t.FlagSet, &o.from, "from")
	return t.Run(ctx, args, func(ctx context.Context, names []string) error {
		if err := t.NoFlags(args, names); err != nil {
			return err
		}
		if err := tool.Exclusive(t.FlagSet, [][]string{{"policy", "n", "adopt", "keep"}}); err != nil {
			return err
		}
		if err := o.check(names); err != nil {
			return err
		}
		s, err := t.Settings()
		if err != nil {
			return err
		}
		bucket, under, err := secret.SplitStore(s.Store)
		if err != nil {
			return err
		}
		p := place{settings: s, bucket: bucket, under: under, store: strings.TrimSuffix("s3://"+bucket+"/"+under, "/")}
		if o.role != "" {
			return o.printPolicy(ctx, t, p, names)
		}
		return o.makeFit(ctx, t, p, names)
	})
}

// check refuses flags and arguments that do not go together.
func (o *options) check(args []string) error {
	switch {
	case o.role == "" && o.exact:
		return tool.Usagef("flag -exact goes with -policy")
	case o.role != "rotator" && o.from != "":
		return tool.Usagef("flag -from goes with -policy rotator")
	case o.role == "admin" && o.exact:
		return tool.Usagef("flag -exact does not go with -policy admin, which is of a SERVICE")
	case o.role != "" && len(args) == 0:
		return tool.Usagef("no SERVICE or NAME (ms-init -h shows the usage)")
	}
	if o.role != "" && o.role != "admin" {
		return nil
	}
	var refused tool.Failures
	for _, service := range args {
		refused = append(refused, checkService(service))
	}
	return refused.Err()
}

// checkService refuses what can be no service's name.
func checkService(service string) error {
	if err := secret.CheckName(service); err != nil {
		return err
	}
	if strings.Contains(service, "/") {
		return tool.Usagef("%q is a NAME: ms-init takes a SERVICE, which is its first segment", service)
	}
	return nil
}

// keysOf are the KMS keys of a setting for each service, each key once, and the
// service that it is first for.
func keysOf(setting string, services []string) (ids []string, service map[string]string, err error) {
	service = map[string]string{}
	var refused tool.Failures
	for _, each := range services {
		keys, err := keyring.Keys(setting, each)
		refused = append(refused, err)
		for _, id := range keys {
			if service[id] == "" {
				ids, service[id] = append(ids, id), each
			}
		}
	}
	return ids, service, refused.Err()
}

// isAlias reports whether a bucket is an access point by its alias.
func isAlias(bucket string) bool {
	return slices.ContainsFunc([]string{"-s3alias", "--ol-s3"}, func(end string) bool { return strings.HasSuffix(bucket, end) })
}
