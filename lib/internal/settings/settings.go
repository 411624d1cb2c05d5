// Package settings finds what the programs need to know before they act: the
// store, the keys, the region and the like. Each setting has one name, in
// three places: a flag (-bucket-owner), a variable (MS_BUCKET_OWNER) and a line
// of one file (bucket-owner); the first that gives it wins. A variable that is
// empty counts as not set. One table has them all, in table.go.
//
// Only settings come from variables and files. A program registers them on its
// flag set beside its own flags, which no variable can set.
package settings

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/peterbourgon/ff/v3"

	"microsecrets/lib/internal/defaults"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/printable"
)

// Settings are the settings of one call, checked. What has its own syntax
// elsewhere (Store, Key, Origin, Region, Profile) is checked there; here it is
// known to be valid UTF-8 without control characters.
type Settings struct {
	Store       string        // never empty, but beside an error of Resolve
	Key         string        // one key or several with commas, {service} not yet replaced; never empty
	Origin      string        // the store that the objects were written for; empty: Store
	Region      string        // empty: as the AWS SDK finds it
	Profile     string        // empty: as the AWS SDK finds it
	BucketOwner string        // an account, 12 digits; empty: any
	By          string        // at most 256 bytes; user@host unless set, and may be set to nothing
	SSE         string        // "aws:kms", "AES256" or empty
	Unsigned    bool          // write messages without a signature, and accept them as well
	PathStyle   *bool         // nil: automatic
	Timeout     time.Duration // the longest wait without progress; above zero
	Config      string        // the file that -config or MS_CONFIG names; empty: none
	File        string        // the file that was read, named or found; empty: none
	Found       bool          // File was found, and is not the user's own in the home: a repository may have brought it

	described []Setting
}

// A Setting is one setting as resolved, for a person to read.
type Setting struct {
	Name   string
	Value  string // holds no control characters; empty where there is neither value nor default
	Source string // "-store", "MS_STORE", "/home/ann/.msrc:3", "LAZYCRED_S3_PATH", "AWS_REGION" or "default"
}

// An Error says which setting cannot be used, and why. It is always a mistake in
// usage, and never holds the value of a flag, a variable or a line.
type Error struct {
	Source string // where the setting came from, as in Setting; empty where no one source is at fault
	Err    error
}

func (e *Error) Error() string {
	if e.Source == "" {
		return e.Err.Error()
	}
	return e.Source + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// values are settings by name, as text. A setting that is not given is absent.
type values map[string]string

// raw is the flag.Value of one setting. It takes any text, since package flag
// would show a text that it refuses.
type raw struct {
	values values
	name   string
	toggle bool
	words  []string
}

func (r raw) Set(s string) error { r.values[r.name] = s; return nil }
func (r raw) String() string     { return r.values[r.name] }
func (r raw) IsBoolFlag() bool   { return r.toggle }

// Words are the values that the setting takes, for completion; nil if there are
// others.
func (r raw) Words() []string { return r.words }

func (v values) register(fs *flag.FlagSet) {
	for _, s := range table {
		r := raw{values: v, name: s.name, toggle: s.metavar == ""}
		if s.name == "sse" {
			r.words = []string{kmsSSE, aesSSE}
		}
		fs.Var(r, s.name, "")
	}
}

// Flags are the settings that were given on the command line.
type Flags struct{ given values }

// Register adds the settings to fs, a flag for each. They are not checked when
// fs is parsed, but by Resolve.
func Register(fs *flag.FlagSet) *Flags {
	f := &Flags{given: values{}}
	f.given.register(fs)
	return f
}

// Resolve puts the flags, the variables and the file together. The flag set
// given to Register has been parsed. Every error is an *Error. If all that is wrong
// is that there is no store, the other settings come with the error.
func (f *Flags) Resolve() (*Settings, error) {
	file, lines, err := f.lines()
	if err != nil {
		return nil, err
	}
	all := values{}
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	all.register(fs)
	var args []string
	for name, v := range f.given {
		args = append(args, "-"+name+"="+v)
	}
	if err := ff.Parse(fs, args, ff.WithEnvVarPrefix("MS")); err != nil {
		return nil, &Error{Err: err}
	}
	// Not by ff, which would open the file again: by then the path may lead to
	// another one than that which was checked.
	for _, l := range lines {
		if _, given := all[l.name]; !given {
			all[l.name] = l.value
		}
	}

	s := &Settings{File: file}
	for _, each := range table {
		v, given := all[each.name]
		if !given && each.standard == "" {
			continue
		} else if !given {
			v = each.standard
		}
		err := checkText(v)
		switch {
		case err != nil:
		case v == "" && each.name != "by": // as an unset variable leaves a flag
			err = errors.New("empty")
		default:
			err = each.place(s).Set(v)
		}
		if err != nil {
			source := f.source(each, lines)
			if source != "-"+each.name && source != each.variable() {
				err = fmt.Errorf("%s: %w", each.name, err)
			}
			return nil, &Error{source, err}
		}
	}
	if _, given := all["by"]; !given {
		s.By = defaults.By()
	}
	s.Found = s.File != "" && s.Config == "" && !isOwn(s.File)
	for _, each := range table {
		d := Setting{each.name, each.place(s).String(), f.source(each, lines)}
		if _, given := all[each.name]; !given {
			d.ofSDK()
		}
		s.described = append(s.described, d)
	}
	if s.Store == "" {
		return s, noStore(file)
	}
	return s, nil
}

// ofSDK fills in a region that the AWS SDK finds in a variable. What does not look
// like one is not shown.
func (d *Setting) ofSDK() {
	if d.Name != "region" {
		return
	}
	for _, variable := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		v := os.Getenv(variable)
		if v != "" && strings.Trim(v, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
			d.Value, d.Source = v, variable
		}
		if v != "" {
			return
		}
	}
}

// source is where a setting came from: ff does not say.
func (f *Flags) source(s setting, lines []line) string {
	if _, ok := f.given[s.name]; ok {
		return "-" + s.name
	}
	if os.Getenv(s.variable()) != "" {
		return s.variable()
	}
	for _, l := range lines {
		if l.name == s.name {
			return l.source
		}
	}
	return "default"
}

func noStore(file string) error {
	if file != "" {
		return &Error{printable.Path(file), hint.With(errors.New("sets no store"),
			"add a line \"store s3://BUCKET/PREFIX\", or give -store or MS_STORE")}
	}
	return &Error{"", hint.With(errors.New("no store"),
		"give -store, set MS_STORE, or write \"store s3://BUCKET/PREFIX\" to a file named .msrc\n"+
			"to make one: ms-init -store s3://BUCKET SERVICE")}
}

// Describe returns every setting, always in the same order.
func (s *Settings) Describe() []Setting { return s.described }

// Source is where the setting of that name came from, as in Setting.
func (s *Settings) Source(name string) string {
	for _, d := range s.described {
		if d.Name == name {
			return d.Source
		}
	}
	return ""
}

// checkText refuses what could not be shown on a terminal or sent in a header.
func checkText(v string) error {
	if !utf8.ValidString(v) {
		return errors.New("not valid UTF-8")
	}
	if strings.ContainsFunc(v, unicode.IsControl) {
		return errors.New("holds a control character")
	}
	return nil
}
