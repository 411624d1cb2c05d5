// Package tool is what the programs share: how they read their command line,
// talk to people and end. Each program is a Run function in a folder below.
package tool

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/prompt"
	"microsecrets/lib/internal/settings"
	"microsecrets/lib/internal/version"
	"microsecrets/lib/secret"
)

// Tool is one call of a program.
type Tool struct {
	*flag.FlagSet // the program's own flags, and the settings
	Name          string
	Stdin         io.Reader
	Stdout        io.Writer
	Stderr        io.Writer

	// Failed is the exit status of any failure, where the program has only
	// one; 0 means by the table of statuses.
	Failed int

	// Different says that the status 1 is not a failure's: whatever would have it
	// has 2.
	Different bool

	// LastWriterWins is the flag -last-writer-wins, where the program has it.
	LastWriterWins bool

	// KeyUnused says that this call does not use the setting key, so that names
	// for which it names no key are no error, and Open opens no connection to KMS.
	KeyUnused bool

	usage    string
	settings *settings.Flags
	resolved *settings.Settings
	terminal bool
	verbose  bool
	version  bool

	screen   *screen
	progress *Progress             // the last one
	moved    atomic.Int64          // bytes of requests and answers
	retry    atomic.Pointer[retry] // the last one
}

// New returns a call of the program name. Its usage is what -h prints.
func New(name, usage string, stdin io.Reader, stdout, stderr io.Writer) *Tool {
	t := &Tool{
		FlagSet: flag.NewFlagSet(name, flag.ContinueOnError),
		Name:    name,
		Stdin:   stdin,
		Stdout:  stdout,
		usage:   usage,
		screen:  newScreen(stderr),
	}
	t.Stderr = t.screen
	t.terminal = IsTerminal(stderr)
	if t.terminal && IsTerminal(stdout) {
		t.Stdout = &shared{stdout, t.screen}
	}
	t.SetOutput(io.Discard)
	t.BoolVar(&t.verbose, "v", false, "")
	t.BoolVar(&t.version, "version", false, "")
	t.settings = settings.Register(t.FlagSet)
	return t
}

// Run parses args, then calls do with what follows the flags, unless -h or
// -version was all that was asked for. It prints what failed and returns the
// exit status.
func (t *Tool) Run(ctx context.Context, args []string, do func(ctx context.Context, args []string) error) int {
	if d := described(ctx); d != nil {
		d.Tool = t
	}
	err := Parse(ctx, t.FlagSet, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return t.print(t.usage)
	case err == nil && t.version:
		return t.print(t.Name + " " + version.String() + "\n")
	case err == nil:
		err = do(ctx, t.Args())
	}
	t.progress.End()
	defer t.progress.sumUp(ctx, err)
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		err = interrupted(ctx, err)
	}
	return t.report(err)
}

// interrupted is the end of a program that a signal has stopped, after the failures
// that are none of the signal's.
func interrupted(ctx context.Context, err error) error {
	var others, stopped Failures
	for _, e := range flat(err) {
		if errors.Is(e, context.Cause(ctx)) {
			stopped = append(stopped, e)
		} else {
			others = append(others, e)
		}
	}
	return append(others, hint.With(errInterrupted, Advice(stopped)))
}

func (t *Tool) print(text string) int {
	if _, err := io.WriteString(t.Stdout, text); err != nil {
		return t.report(FileError("standard output", err))
	}
	return 0
}

// errInterrupted stands for all that a signal has stopped.
var errInterrupted = errors.New("interrupted")

// NoFlags refuses a flag after a name. After "--" names may begin with "-".
func (t *Tool) NoFlags(all, rest []string) error {
	if i := len(all) - len(rest) - 1; i >= 0 && all[i] == "--" {
		return nil
	}
	for i, arg := range rest {
		if i == 0 {
			continue
		}
		if name, _, ok := flagName(arg); ok {
			if t.Lookup(name) == nil {
				name = "…"
			}
			return Usagef("flag -%s after a name: flags come before names", name)
		}
	}
	return nil
}

// Settings returns the settings of this call, found when first asked for.
func (t *Tool) Settings() (*settings.Settings, error) {
	if t.resolved != nil {
		return t.resolved, nil
	}
	s, err := t.OtherSettings()
	if err != nil {
		return nil, err
	}
	for _, each := range s.Describe() {
		if each.Name == "region" && each.Source == "default" {
			continue // the AWS SDK finds it, when the store is opened
		}
		t.Debugf("%s = %s (%s)", each.Name, each.Value, each.Source)
	}
	t.resolved = s
	return s, nil
}

// OtherSettings are the settings, which come with the error as well if all that is
// wrong is the store or the origin; otherwise they are nil then.
func (t *Tool) OtherSettings() (*settings.Settings, error) {
	s, err := t.settings.Resolve()
	if err != nil {
		return s, err
	}
	if err := secret.CheckStore(s.Store); err != nil {
		return s, &settings.Error{Source: s.Source("store"), Err: err}
	}
	if err := secret.CheckStore(s.Origin); s.Origin != "" && err != nil {
		return s, &settings.Error{Source: s.Source("origin"), Err: err}
	}
	return s, nil
}

// Open opens the store that the settings name. Names are those of the secrets that
// the program will read or write first, all at once (see First).
func (t *Tool) Open(ctx context.Context, names ...string) (*secret.Store, error) {
	s, err := t.Settings()
	if err != nil {
		return nil, err
	}
	o := t.options(s)
	o.Ahead = secret.Ahead{Names: names, Raw: t.KeyUnused}
	t.trace(o)
	release := t.screen.hold() // a credential_process may ask something on the terminal
	store, err := secret.Open(ctx, s.Store, o)
	release()
	if err == nil && s.Source("region") == "default" {
		name, source := store.Region()
		t.Debugf("region = %s (%s)", name, source)
	}
	return store, err
}

// trace has requests shown at -v.
func (t *Tool) trace(o *secret.Options) {
	if t.verbose {
		o.Trace = func(r secret.Request) { t.Debugf("%s", r) }
	}
}

// Client returns clients of S3, KMS and STS, with credentials, for what is about the
// store and not about secrets.
func (t *Tool) Client(ctx context.Context) (*awsclient.Client, error) {
	s, err := t.Settings()
	if err != nil {
		return nil, err
	}
	client, _, err := t.Connect(ctx, s)
	if err != nil {
		return nil, err
	}
	if s.Source("region") == "default" {
		t.Debugf("region = %s (%s)", client.Region(), client.RegionSource())
	}
	return client, client.Authenticate(ctx)
}

// Connect returns clients of S3, KMS and STS under these settings, and a function that
// opens the store with the same configuration and credentials. It obtains no
// credentials, and neither does the function.
func (t *Tool) Connect(ctx context.Context, s *settings.Settings) (*awsclient.Client, func() (*secret.Store, error), error) {
	cfg, err := awsclient.Load(ctx, awsclient.LoadOptions{Region: s.Region, Profile: s.Profile, Timeout: s.Timeout, MFA: t.askMFA})
	if err != nil {
		return nil, nil, err
	}
	o := awsclient.Options{PathStyle: s.PathStyle, Timeout: s.Timeout}
	opts := t.options(s)
	t.trace(opts)
	if t.verbose {
		o.Trace = func(r awsclient.Request) { t.Debugf("%s", r) }
	}
	return awsclient.New(cfg, o), func() (*secret.Store, error) { return secret.New(cfg, s.Store, opts) }, nil
}

// OpenQuietly opens the store that the settings name as Open does, but asks nobody
// for anything and runs nothing: a profile that wants an MFA code or has a
// credential_process is an ErrDenied.
func (t *Tool) OpenQuietly(ctx context.Context, timeout time.Duration) (*secret.Store, error) {
	s, err := t.Settings()
	if err != nil {
		return nil, err
	}
	o := t.options(s)
	o.MFA, o.NoProcess, o.Timeout = nil, true, timeout
	return secret.Open(ctx, s.Store, o)
}

func (t *Tool) options(s *settings.Settings) *secret.Options {
	o := &secret.Options{
		Key:            s.Key,
		Origin:         s.Origin,
		BucketOwner:    s.BucketOwner,
		SSE:            s.SSE,
		By:             &s.By,
		Unsigned:       s.Unsigned,
		LastWriterWins: t.LastWriterWins,
		PathStyle:      s.PathStyle,
		Timeout:        s.Timeout,
		Region:         s.Region,
		Profile:        s.Profile,
		MFA:            t.askMFA,
	}
	t.watch(o)
	return o
}

// askMFA asks for the code of an MFA device on the terminal that controls the
// process, wherever its input and its messages go.
func (t *Tool) askMFA(ctx context.Context) (string, error) {
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", errors.New("there is no terminal to ask on")
	}
	defer terminal.Close()
	defer t.screen.hold()()
	code, err := prompt.Line(ctx, terminal, terminal, "MFA code, not shown: ")
	if err != nil {
		err = FileError("the terminal", err)
	}
	return string(code), err
}

// CheckNames refuses names, and services that no key can be named after, before
// anything is opened. It reports all that is wrong.
func (t *Tool) CheckNames(names []string) error {
	s, err := t.Settings()
	if err != nil {
		return err
	}
	var failed Failures
	for _, name := range names {
		o := t.options(s)
		if t.KeyUnused {
			o.Key = "unused"
		}
		failed = append(failed, secret.Check(s.Store, o, name))
	}
	return failed.Err()
}

// CheckWritable refuses to write where an origin is set, before anything is
// opened or asked for.
func (t *Tool) CheckWritable() error {
	s, err := t.Settings()
	if err == nil && s.Origin != "" {
		err = &settings.Error{Source: s.Source("origin"), Err: secret.ErrReplica}
	}
	return err
}

// Debugf prints a line at -v. It never gets a secret.
func (t *Tool) Debugf(format string, args ...any) {
	if t.verbose {
		t.Notef(format, args...)
	}
}

// IsTerminal reports whether a standard stream is a terminal.
func IsTerminal(stream any) bool {
	if s, ok := stream.(*shared); ok {
		stream = s.Writer
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// OnTerminal reports whether standard error is a terminal.
func (t *Tool) OnTerminal() bool { return t.terminal }

// Claims prints at -v who claims to have written a secret, and when.
func (t *Tool) Claims(i secret.Info) {
	t.Debugf("%s: written %s by %q, as its writer says", i.Name, i.At.Format(time.RFC3339), i.By)
}

// NoteSkew prints that what was written has another time than this machine's clock,
// which differs from KMS's by so much.
func (t *Tool) NoteSkew(skew time.Duration) {
	off := "behind"
	if skew < 0 {
		off = "ahead of"
	}
	t.Notef("this machine's clock is %v %s KMS's, whose time the secret has", skew.Abs().Round(time.Minute), off)
}

// Notef prints a line on standard error.
func (t *Tool) Notef(format string, args ...any) {
	fmt.Fprintf(t.Stderr, "%s: %s\n", t.Name, fmt.Sprintf(format, args...))
}
