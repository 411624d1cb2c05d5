// Package exec is the program ms-exec.
package exec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"

	"microsecrets/lib/environ"
	"microsecrets/lib/internal/become"
	"microsecrets/lib/internal/hint"
	"microsecrets/lib/internal/printable"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// Usage is what ms-exec -h prints.
var Usage = `usage: ms-exec [flags] SOURCE... -- COMMAND [ARG...]

Become COMMAND, with secrets in its environment or in files. A SOURCE is NAME,
an environment, or VAR=NAME: VAR gets the whole secret NAME (which has a slash).
Later ones win. COMMAND starts only when all of them are fetched and verified.

  -only VARS       the variables that environments may set, others are an error
                   (white space between them, again for more)
  -need VARS       the variables that the sources must set, even if to nothing; what
                   is inherited does not count. -only then allows these as well
  -drop-others     with -only or -need: leave others out instead
  -allow-unsafe    accept unsafe variables, such as LD_PRELOAD
  -sources FILE    each line of FILE is a SOURCE, "#" begins a comment; they come
                   before those of the command line (again for more)
  -c HASH          the environment must match, as in ms-get; NAME=HASH for any
                   source, or where there are several
  -mem VAR=NAME    NAME in a sealed file in memory, its path in VAR: nothing on
                   disk, gone with COMMAND (again for more; Linux only)
  -file PATH=NAME  NAME to the new file PATH, 0600 (again for more)
  -force           with -file: replace a file that exists
  -u VARS          take these out of the inherited environment; a trailing *
                   matches (again for more)
  -clean           inherit no environment
  -strict          overriding an inherited variable or a SOURCE is an error
  -no-path         do not search PATH for COMMAND
` + tool.Usage + `
example:
  ms-exec -only 'DB_URL PASSWORD' myservice/env -- ./server

The exit status is COMMAND's; 125 if ms-exec failed, 126 if COMMAND cannot be
run, 127 if it is not found.
`

// The exit statuses of ms-exec itself, as env and nohup have them.
const (
	failed    = 125
	cannotRun = 126
	notFound  = 127
)

// toFile is the remedy where there can be no file in memory.
const toFile = "write it to a file, by -file PATH=NAME"

// sideBySide is how many secrets are fetched at once.
const sideBySide = 32

type options struct {
	filterFlags           tool.FilterFlags
	sumFlag               tool.ChecksumFlag
	memFlags, fileFlags   []string
	sourcesFlags          []string
	unset                 tool.Variables
	force                 bool
	clean, strict, noPath bool

	filter  environ.Filter
	sources []source
	mems    []source
	files   []file
	sums    map[string]secret.Checksum
}

// source is a SOURCE of the command line or of a FILE, or a -mem flag.
type source struct {
	variable string // empty: NAME is an environment
	name     string
}

// file is a -file flag.
type file struct{ path, name string }

// Run is one call of ms-exec. It returns the exit status, if it does.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := tool.New("ms-exec", Usage, stdin, stdout, stderr)
	t.Failed = failed
	o := options{unset: tool.Variables{Patterns: true}}
	o.filterFlags.Register(t.FlagSet)
	o.sumFlag.Register(t.FlagSet)
	tool.Again(t.FlagSet, &o.sourcesFlags, "sources")
	tool.Again(t.FlagSet, &o.memFlags, "mem")
	tool.Again(t.FlagSet, &o.fileFlags, "file")
	t.BoolVar(&o.force, "force", false, "")
	o.unset.Register(t.FlagSet, "u")
	t.BoolVar(&o.clean, "clean", false, "")
	t.BoolVar(&o.strict, "strict", false, "")
	t.BoolVar(&o.noPath, "no-path", false, "")
	end := slices.Index(args, "--")
	if end < 0 {
		return t.Run(ctx, help(args), func(context.Context, []string) error {
			return tool.Usagef(`no "--" before COMMAND (ms-exec -h shows the usage)`)
		})
	}
	own, command := args[:end], args[end+1:]
	return t.Run(ctx, own, func(ctx context.Context, sources []string) error {
		if err := t.NoFlags(own, sources); err != nil {
			return err
		}
		if err := o.check(ctx, sources, command); err != nil {
			return err
		}
		return o.exec(ctx, t, command, func(program string, env []string) (int, error) {
			return become.Program(program, command, env, stdin, stdout, stderr)
		})
	})
}

// help returns the argument that asks for help, of arguments without a COMMAND.
// Anything else that is wrong with them is reported after they have been split.
func help(args []string) []string {
	for _, arg := range args {
		if slices.Contains([]string{"-h", "--h", "-help", "--help", "-version", "--version"}, arg) {
			return []string{arg}
		}
	}
	return nil
}

func (o *options) check(ctx context.Context, sources, command []string) (err error) {
	if o.filter, err = o.filterFlags.Filter(); err != nil {
		return err
	}
	var wrong tool.Failures
	for i, arg := range sources {
		s, err := parseSource(arg)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("SOURCE %d: %w", i+1, err))
		}
		o.sources = append(o.sources, s)
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	if o.mems, err = parseMems(o.memFlags); err != nil {
		return err
	}
	if o.files, err = parseFiles(o.fileFlags); err != nil {
		return err
	}
	switch {
	case len(o.mems) > 0 && !hasMemory:
		return hint.With(tool.Usagef("flag -mem: this system has no sealed files in memory"), toFile)
	case slices.Contains(o.sourcesFlags, "-"):
		return tool.Usagef("flag -sources: standard input is COMMAND's: give a FILE")
	case len(o.sources)+len(o.sourcesFlags)+len(o.mems)+len(o.files) == 0:
		return tool.Usagef("no SOURCE (ms-exec -h shows the usage)")
	case o.force && len(o.files) == 0:
		return tool.Usagef("flag -force goes with -file")
	case len(command) == 0 || command[0] == "":
		return tool.Usagef(`no COMMAND after "--"`)
	}
	if err := o.readSources(ctx); err != nil {
		return err
	}
	if len(o.sources)+len(o.mems)+len(o.files) == 0 {
		return tool.Usagef("flag -sources: FILE holds no SOURCE, and there is no other one")
	}
	var environments []string
	for _, s := range o.sources {
		if s.variable == "" {
			environments = append(environments, s.name)
		}
	}
	o.sums, err = o.sumFlag.For(environments, o.names())
	return err
}

// parseSource takes a SOURCE apart. "VAR=value", as env(1) has it, is refused
// before it becomes a request: a NAME after "=" has a slash.
func parseSource(arg string) (source, error) {
	variable, name, ok := strings.Cut(arg, "=")
	switch {
	case !ok || strings.Contains(variable, "/"):
		return source{name: arg}, nil
	case !environ.ValidName(variable):
		return source{}, tool.Usagef("the VAR of VAR=NAME is [A-Za-z_][A-Za-z0-9_]*")
	case isOwn(variable):
		return source{}, tool.Usagef("the variable %s is ms-exec's own", variable)
	case !strings.Contains(name, "/") || secret.CheckName(name) != nil:
		return source{}, hint.With(
			tool.Usagef("%s=…: what follows is not a NAME with a slash", variable),
			"values are never taken from arguments: put the value into a secret, SERVICE/NAME, or set the variable before ms-exec")
	}
	return source{variable, name}, nil
}

func parseMems(args []string) (mems []source, err error) {
	for _, arg := range args {
		variable, name, ok := strings.Cut(arg, "=")
		switch {
		case !ok || !environ.ValidName(variable) || name == "":
			return nil, tool.Usagef("flag -mem: write VAR=NAME, where VAR is [A-Za-z_][A-Za-z0-9_]*")
		case isOwn(variable):
			return nil, tool.Usagef("flag -mem: the variable %s is ms-exec's own", variable)
		case secret.CheckName(name) != nil:
			return nil, tool.Usagef("flag -mem: %s=…: what follows is not a NAME", variable)
		case slices.ContainsFunc(mems, func(m source) bool { return fold(m.variable) == fold(variable) }):
			return nil, tool.Usagef("flag -mem is given twice for the variable %s", variable)
		}
		mems = append(mems, source{variable, name})
	}
	return mems, nil
}

func parseFiles(args []string) (files []file, err error) {
	for _, arg := range args {
		path, name, ok := strings.Cut(arg, "=")
		switch {
		case !ok || path == "" || name == "":
			return nil, tool.Usagef("flag -file: write PATH=NAME")
		case secret.CheckName(name) != nil:
			return nil, tool.Usagef("flag -file: PATH=…: what follows is not a NAME")
		case slices.ContainsFunc(files, func(f file) bool { return f.path == path }):
			return nil, tool.Usagef("flag -file is given twice for one PATH")
		}
		files = append(files, file{path, name})
	}
	return files, nil
}

func (o *options) names() []string {
	var names []string
	for _, s := range o.sources {
		names = append(names, s.name)
	}
	for _, m := range o.mems {
		names = append(names, m.name)
	}
	for _, f := range o.files {
		names = append(names, f.name)
	}
	return names
}

// exec does all that can fail, and starts COMMAND last. If that fails as well, the
// files that were written are removed.
func (o *options) exec(ctx context.Context, t *tool.Tool, command []string, run func(program string, env []string) (int, error)) error {
	if err := t.CheckNames(o.names()); err != nil {
		return err
	}
	program, err := o.find(command[0])
	if err != nil {
		return err
	}
	if err := o.checkPlaces(); err != nil {
		return err
	}
	env, got, err := o.fetch(ctx, t)
	if err != nil {
		return err
	}
	remove, err := o.write(got)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		remove()
		return context.Cause(ctx)
	}
	status, err := run(program, env.list())
	switch {
	case err == nil:
		return &tool.Exit{Status: status}
	case errors.Is(err, syscall.E2BIG):
		err = env.tooLarge(command)
	default:
		err = notStarted(tool.CommandError(command[0], program, err))
	}
	remove()
	return err
}

// fetch gets all sources and puts together what COMMAND inherits.
func (o *options) fetch(ctx context.Context, t *tool.Tool) (*variables, map[string]*secret.Reader, error) {
	p := t.Progress(len(o.names()))
	defer p.End()
	store, err := t.Open(ctx, tool.First(sideBySide, o.names())...)
	if err != nil {
		return nil, nil, err
	}
	got, err := tool.Gather(ctx, sideBySide, o.names(), func(name string) (*secret.Reader, error) {
		defer p.Done("")
		return store.NewReader(ctx, name, &secret.GetOptions{Checksum: o.sums[name]})
	})
	var missing tool.Failures
	if err != nil && !errors.As(err, &missing) {
		return nil, nil, err
	}
	var infos []secret.Info
	for _, name := range o.names() {
		if r, ok := got[name]; ok {
			infos = append(infos, r.Info())
			t.Claims(r.Info())
		}
	}
	env, err := o.environment(t, got, missing)
	if err != nil {
		return nil, nil, err
	}
	if err := addMetadata(env, infos); err != nil {
		return nil, nil, err
	}
	for _, m := range o.mems {
		path, err := memory(func(w io.Writer) error { return copyTo(w, got[m.name]) })
		if errors.As(err, new(*fs.PathError)) {
			err = hint.With(tool.FileError("flag -mem: the file for "+m.name, err), toFile)
		}
		if err != nil {
			return nil, nil, err
		}
		env.set(m.name, m.variable, path)
	}
	return env, got, nil
}

// find looks COMMAND up before anything is fetched.
func (o *options) find(command string) (string, error) {
	if o.noPath {
		return command, nil
	}
	path, err := tool.FindCommand(command)
	if errors.Is(err, fs.ErrNotExist) && strings.Contains(command, "=") {
		err = hint.With(err, "values are never taken from arguments: put the value into a secret, VAR=SERVICE/NAME before \"--\", or set the variable before ms-exec")
	}
	return path, notStarted(err)
}

// notStarted gives the error of a COMMAND that could not be started its exit status.
func notStarted(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &tool.Exit{Status: notFound, Err: err}
	}
	return &tool.Exit{Status: cannotRun, Err: err}
}

// object is what MICROSECRETS_METADATA says about a source.
type object struct {
	Version string `json:"version,omitempty"`
	ETag    string `json:"etag"`
	By      string `json:"by"`
	At      string `json:"at,omitempty"`
}

// The variables that are set for COMMAND: the objects that the secrets came
// from, with white space between them, and a JSON object that says, by name,
// who claims to have written each, and when.
const (
	sourceVariable   = "MICROSECRETS_SOURCE"
	metadataVariable = "MICROSECRETS_METADATA"
)

func isOwn(variable string) bool {
	return fold(variable) == sourceVariable || fold(variable) == metadataVariable
}

func addMetadata(env *variables, infos []secret.Info) error {
	var urls []string
	objects := map[string]object{}
	for _, i := range infos {
		if _, ok := objects[i.Name]; ok {
			continue
		}
		urls = append(urls, i.URL)
		o := object{Version: i.Version, ETag: i.ETag, By: i.By}
		if !i.At.IsZero() {
			o.At = i.At.Format(time.RFC3339)
		}
		objects[i.Name] = o
	}
	metadata, err := json.Marshal(objects)
	if err != nil {
		return err
	}
	env.set("ms-exec", sourceVariable, strings.Join(urls, " "))
	env.set("ms-exec", metadataVariable, string(printable.JSON(metadata)))
	for _, name := range []string{sourceVariable, metadataVariable} {
		if env.oversize(name) {
			return hint.With(
				fmt.Errorf("too many sources: %s, which describes all of them, has %d bytes, and Linux takes %d", name, env.size(name), stringMax),
				"fewer sources, or a shorter setting by where they are written")
		}
	}
	return nil
}
