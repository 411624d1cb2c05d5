// Package settings finds what the programs need to know before they act: the
// store, the keys, the region and the like. Each setting has one name, in
// three places: a flag (-bucket-owner), a variable (MS_BUCKET_OWNER) and a line
// of one file (bucket-owner); the first that gives it wins. A variable set to
// nothing counts as not set.
//
// The settings alone come from variables and files. A program registers them
// on its own flag set beside its own flags, which no variable can reach.
package settings

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/peterbourgon/ff/v3"
)

const (
	defaultKey     = "alias/microsecrets-{service}"
	defaultTimeout = 30 * time.Second

	// maxBy is the most bytes of the setting by: it is part of the encryption
	// context, which travels in the header of every message.
	maxBy = 256
)

// names are the settings, in the order in which they are told.
var names = []string{
	"store", "key", "origin", "region", "profile", "bucket-owner", "by", "sse",
	"unsigned", "path-style", "timeout", "config",
}

// Settings are the settings of one call, checked. What has its own syntax
// elsewhere (Store, Key, Origin, Region, Profile) is checked there; here it is
// known to be valid UTF-8 without control characters.
type Settings struct {
	Store       string        // never empty
	Key         string        // one key or several with commas, {service} not yet replaced; never empty
	Origin      string        // the store that the objects were written for; empty: Store
	Region      string        // empty: as the AWS SDK finds it
	Profile     string        // empty: as the AWS SDK finds it
	BucketOwner string        // an account, 12 digits; empty: any
	By          string        // at most 256 bytes; user@host unless set, and may be set to nothing
	SSE         string        // "aws:kms", "AES256" or empty
	Unsigned    bool          // write messages without a signature, and accept those too
	PathStyle   *bool         // nil: automatic
	Timeout     time.Duration // the longest wait without progress; above zero
	Config      string        // the file that -config or MS_CONFIG names; empty: none
	File        string        // the file that was read, named or found; empty: none

	told []Setting
}

// A Setting is one setting as it stands, to be shown to a person.
type Setting struct {
	Name   string
	Value  string // holds no control characters; empty where there is neither value nor default
	Source string // "-store", "MS_STORE", "/home/ann/.msrc:3", "LAZYCRED_S3_PATH" or "default"
}

// An Error says which setting cannot be used, and why. It is always a mistake in
// usage, and never holds the value of a flag, a variable or a line.
type Error struct {
	Source string // where the setting came from, as in Setting; empty where no one source is at fault
	Err    error

	hint string
}

func (e *Error) Error() string {
	if e.Source == "" {
		return e.Err.Error()
	}
	return e.Source + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Hint is how to mend it; empty where the error says all there is to say.
func (e *Error) Hint() string { return e.hint }

// values are settings by name, as text. A setting that is not given is absent.
type values map[string]string

// value is the flag.Value of one setting. It takes any text, since package flag
// would show a text that was refused.
type value struct {
	values values
	name   string
}

func (v value) Set(s string) error { v.values[v.name] = s; return nil }
func (v value) String() string     { return v.values[v.name] }
func (v value) IsBoolFlag() bool   { return isBool(v.name) }

func isBool(name string) bool { return name == "unsigned" || name == "path-style" }

func (v values) register(fs *flag.FlagSet) {
	for _, name := range names {
		fs.Var(value{v, name}, name, "")
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
// given to Register has been parsed. Every error is an *Error.
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

	s := &Settings{Key: defaultKey, Timeout: defaultTimeout, File: file}
	for _, name := range names {
		v, ok := all[name]
		if !ok {
			continue
		}
		if err := s.set(name, v); err != nil {
			source := f.source(name, lines)
			if source != "-"+name && source != variable(name) {
				err = fmt.Errorf("%s: %w", name, err)
			}
			return nil, &Error{Source: source, Err: err}
		}
	}
	if s.Store == "" {
		return nil, noStore(file)
	}
	if _, ok := all["by"]; !ok {
		s.By = userAtHost()
	}
	for _, name := range names {
		s.told = append(s.told, Setting{name, s.text(name), f.source(name, lines)})
	}
	return s, nil
}

// variable is the name of the variable for a setting, as ff makes it.
func variable(name string) string {
	return "MS_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// source tells where a setting came from: ff does not say.
func (f *Flags) source(name string, lines []line) string {
	if _, ok := f.given[name]; ok {
		return "-" + name
	}
	if os.Getenv(variable(name)) != "" {
		return variable(name)
	}
	for _, l := range lines {
		if l.name == name {
			return l.source
		}
	}
	return "default"
}

func noStore(file string) error {
	if file != "" {
		return &Error{printable(file), errors.New("sets no store"),
			"add a line \"store s3://BUCKET/PREFIX\", or give -store or MS_STORE"}
	}
	return &Error{"", errors.New("no store"),
		"give -store, set MS_STORE, or write \"store s3://BUCKET/PREFIX\" to a file named .msrc"}
}

// set checks a value and takes it. Its errors do not hold the value.
func (s *Settings) set(name, v string) error {
	if err := checkText(v); err != nil {
		return err
	}
	if v == "" && name != "by" { // as an unset variable leaves a flag
		return errors.New("empty")
	}
	switch name {
	case "store":
		s.Store = v
	case "key":
		s.Key = v
	case "origin":
		s.Origin = v
	case "region":
		s.Region = v
	case "profile":
		s.Profile = v
	case "bucket-owner":
		if len(v) != 12 || strings.Trim(v, "0123456789") != "" {
			return errors.New("not an account of 12 digits")
		}
		s.BucketOwner = v
	case "by":
		if len(v) > maxBy {
			return errors.New("longer than 256 bytes")
		}
		s.By = v
	case "sse":
		if v != "aws:kms" && v != "AES256" {
			return errors.New("neither aws:kms nor AES256")
		}
		s.SSE = v
	case "unsigned", "path-style":
		on, err := strconv.ParseBool(v)
		if err != nil {
			return errors.New("neither true nor false")
		}
		if name == "unsigned" {
			s.Unsigned = on
		} else {
			s.PathStyle = &on
		}
	case "timeout":
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return errors.New("not a time above zero with its unit, such as 30s or 2m")
		}
		s.Timeout = d
	case "config":
		s.Config = v
	}
	return nil
}

// text is a setting as a person would write it.
func (s *Settings) text(name string) string {
	switch name {
	case "store":
		return s.Store
	case "key":
		return s.Key
	case "origin":
		return s.Origin
	case "region":
		return s.Region
	case "profile":
		return s.Profile
	case "bucket-owner":
		return s.BucketOwner
	case "by":
		return s.By
	case "sse":
		return s.SSE
	case "unsigned":
		return strconv.FormatBool(s.Unsigned)
	case "path-style":
		if s.PathStyle == nil {
			return "automatic"
		}
		return strconv.FormatBool(*s.PathStyle)
	case "timeout":
		return s.Timeout.String()
	default:
		return s.Config
	}
}

// Describe tells every setting, always in the same order.
func (s *Settings) Describe() []Setting { return s.told }

// Source tells where one setting came from, as Setting.Source does.
func (s *Settings) Source(name string) string {
	for _, t := range s.told {
		if t.Name == name {
			return t.Source
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

// userAtHost is the default of by: empty where it would not be a valid value.
func userAtHost() string {
	name := strconv.Itoa(os.Geteuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	by := name + "@" + host
	if err != nil || len(by) > maxBy || checkText(by) != nil {
		return ""
	}
	return by
}

// printable is a path that is safe to show: quoted where it holds what is not.
func printable(path string) string {
	if utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return path
	}
	return strconv.Quote(path)
}
