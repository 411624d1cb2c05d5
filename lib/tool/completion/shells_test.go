//go:build unix

package completion_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/suite/suitetest"
)

func TestMain(m *testing.M) { testscript.Main(m, suitetest.Commands(tool.Main)) }

// hostile are names that a shell could do much else with than pass them on. No two
// begin with the same character.
var hostile = []string{
	"a service/it's a \"secret\"",
	"b$(touch canary)/$(touch canary)",
	"c`touch canary`/`touch canary`",
	"d*/?[a-z]*",
	"e\\service/a\\nb\\\\",
	"f;touch canary/a|b&touch canary&c>d<e",
	"g:h@i=j/k:l@m=n",
	"h!i/!!j!",
	"i{a,b}/{c,d}#e",
	"j^k/l~m",
	"k%s/%n$HOME${HOME}",
	"l'm/'n'",
	"m\"n/\"o\"",
	"é ü/ñ 日本語",
	"~root/x",
	"=ls/=x",
	"#n/o",
	"!p/q",
	"{r}/s",
	"$HOME/t",
	"*/u",
	" v/ w ",
	"'x/y",
	"\"z/y",
	"\\tab/n",
	"`touch canary`/z",
	"(touch canary)/z",
	"&touch canary/z",
	"|touch canary/z",
	"%1/z",
	"@x/z",
	":x/z",
	",x/z",
	"+x/z",
	"[x]/z",
	"?x/z",
	"^x^y/z",
	"<x/z",
	">canary/z",
}

// shell is an interactive shell on a pseudo-terminal, in a folder of its own, with
// the completions of ms loaded.
type shell struct {
	*testing.T
	name    string
	dir     string
	keys    *os.File
	results *os.File // a FIFO into which the program show writes its arguments

	mu     sync.Mutex
	screen []byte // what it has shown
}

func (s *shell) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.screen = append(s.screen, p...)
	return len(p), nil
}

// start starts a shell. The test is skipped if it is absent.
func start(t *testing.T, name string, server *fakeawstest.Server, env ...string) *shell {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip(name + " is absent")
	}
	s := &shell{T: t, name: name, dir: t.TempDir()}
	fifo := filepath.Join(s.dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if s.results, err = os.OpenFile(fifo, os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.results.Close() })
	bin := filepath.Join(s.dir, "bin")
	script := "#!/bin/sh\nfor each; do printf '<%s>' \"$each\"; done >" + fifo + "\necho >" + fifo + "\n"
	if err := errors.Join(os.Mkdir(bin, 0o700), os.WriteFile(filepath.Join(bin, "show"), []byte(script), 0o700),
		os.WriteFile(filepath.Join(bin, "onlyme"), nil, 0o700)); err != nil {
		t.Fatal(err)
	}
	load := map[string]string{
		"bash": "PS1='$ '; set -o histexpand; bind 'set bell-style none'; source <(ms completion bash)\n",
		"zsh":  "PS1='$ '; autoload -U compinit; compinit -u -D; source <(ms completion zsh)\n",
		"fish": "function fish_prompt; echo '$ '; end; ms completion fish | source\n",
	}[name]
	args := map[string][]string{"bash": {"--norc", "--noprofile", "-i"}, "zsh": {"-f", "-i"}, "fish": {"-i", "--no-config"}}[name]
	cmd := exec.Command(path, args...)
	cmd.Dir = s.dir
	cmd.Env = slices.Concat([]string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + s.dir, "TERM=xterm", "LANG=C.UTF-8", "COMPLETION_LIMIT=1m", "GORACE=atexit_sleep_ms=0"}, server.Environ(), env)
	if s.keys, err = pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 500}); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		s.keys.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	go io.Copy(s, s.keys)
	s.line(load + "show ready\r")
	if got := s.result(); got != "<ready>" {
		t.Fatalf("%s: %q", name, got)
	}
	return s
}

func (s *shell) line(keys string) {
	s.Helper()
	if _, err := io.WriteString(s.keys, keys); err != nil {
		s.Fatal(err)
	}
}

// result returns what show was given next.
func (s *shell) result() string {
	s.Helper()
	if err := s.results.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.Fatal(err)
	}
	var got strings.Builder
	b := make([]byte, 4096)
	for !strings.HasSuffix(got.String(), ">\n") {
		n, err := s.results.Read(b)
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.Fatalf("%s: %v, after …%q", s.name, err, s.screen[max(0, len(s.screen)-1000):])
		}
		got.Write(b[:n])
	}
	return strings.TrimSuffix(got.String(), "\n")
}

// completed types a line, goes to its beginning, and runs show with all of it.
func (s *shell) completed(typed string) string {
	s.Helper()
	s.line(typed + "\x01show \r")
	return s.result()
}

func put(t *testing.T, server *fakeawstest.Server, names ...string) {
	t.Helper()
	store, err := secret.New(server.Config(), "s3://"+fakeaws.DefaultBucket, &secret.Options{Key: "alias/microsecrets-default"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := store.Put(context.Background(), name, strings.NewReader("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHostileNames completes each name in each shell, typed plainly and in quotes, and
// looks what a program is given: exactly that name. Nothing is ever executed.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{"bash", "zsh", "fish"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fakeawstest.Start(t)
			put(t, server, hostile...)
			s := start(t, name, server)
			for i, name := range hostile {
				first := string([]rune(name)[:1])
				for j, typed := range []string{"\\" + first, "'" + first, "\"" + first} {
					switch {
					case (testing.Short() || suitetest.RaceDetector) && i%3 != j:
						continue
					case typed == "''", typed == "\"\"", name == "*/u" && s.name == "fish", strings.Contains("\"$`\\!", first) && typed[0] == '"', first == "\\" && typed[0] == '\'':
						continue // ends the quote, or needs another character
					case strings.ContainsAny(first, "abcdefghijklm@:,+%é") && typed[0] == '\\':
						typed = first
					}
					if got := s.completed("ms-get " + typed + "\t\t"); got != "<ms-get><"+name+">" {
						t.Errorf("%s and tab: %s, not %s", typed, got, name)
					}
				}
			}
			if _, err := os.Stat(filepath.Join(s.dir, "canary")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a name was executed: %v", err)
			}
		})
	}
}

// TestCommandLines completes all that there is besides names, in each shell.
func TestCommandLines(t *testing.T) {
	for _, name := range []string{"bash", "zsh", "fish"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fakeawstest.Start(t)
			put(t, server, "service/env", "service/tls.key", "top", "-dash/x", "-dash/y")
			s := start(t, name, server)
			for _, path := range []string{"one file.txt", "folder/inner"} {
				path = filepath.Join(s.dir, path)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			for typed, want := range map[string]string{
				"ms pu\tservice/e\tone\t":                  "ms put service/env|one file.txt",
				"ms rotat\tto\t":                           "ms rotate top",
				"ms help rot\t":                            "ms help rotate",
				"ms completion fis\t":                      "ms completion fish",
				"ms-get -o one\tto\t":                      "ms-get -o one file.txt|top",
				"ms-get -d fol\ttop":                       "ms-get -d folder/top",
				"ms-get -forc\t-anyt\b-\tto\t":             "ms-get -force -any-key top",
				"ms-get --any\tto\t":                       "ms-get --any-key top",
				"ms-get -f yam\tserv\te\t":                 "ms-get -f yaml service/env",
				"ms-get -f=yam\tserv\te\t":                 "ms-get -f=yaml service/env",
				"ms-get -sse AE\tto\t":                     "ms-get -sse AES256 top",
				"ms-get -- -da\tx\tto\t":                   "ms-get -- -dash/x top",
				"ms-get top serv\tt\t":                     "ms-get top service/tls.key",
				"ms-get -store s3://no-such-bucket to\t":   "ms-get -store s3://no-such-bucket to",
				"ms-get -profile to\t":                     "ms-get -profile to",
				"ms-exec VAR=serv\te\t-- onlym\tone\t":     "ms-exec VAR=service/env -- onlyme one file.txt",
				"ms exec serv\te\t-- onlym\tone\t":         "ms exec service/env -- onlyme one file.txt",
				"ms-exec VAR=to\t to\t-- true":             "ms-exec VAR=to top -- true",
				"ms-exec -mem VAR=to\t-- true":             "ms-exec -mem VAR=top -- true",
				"ms-exec -file fold\tnew=serv\te\t-- true": "ms-exec -file folder/new=service/env -- true",
				"ms-dev -di\tfol\tx":                       "ms-dev -dir folder/x",
				"ms-dev -- onlym\tone\t":                   "ms-dev -- onlyme one file.txt",
				"ms-ls serv\t-l":                           "ms-ls service/-l",
				"ms-unknown one\t":                         "ms-unknown one file.txt",
			} {
				typed := strings.NewReplacer("\\t", "\t", "\\b", "\x7f").Replace(typed)
				if got := s.completed(typed); strings.Trim(strings.ReplaceAll(got, "><", " "), "<>") != strings.ReplaceAll(want, "|", " ") {
					t.Errorf("%q: %s, not %s", typed, got, want)
				}
			}
		})
	}
}

// TestNoPrompt has a profile that wants an MFA code, and a terminal to ask on.
func TestNoPrompt(t *testing.T) {
	server := fakeawstest.Start(t)
	home := t.TempDir()
	config := filepath.Join(home, "config")
	if err := os.WriteFile(config, []byte("[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = user\nmfa_serial = arn:aws:iam::111122223333:mfa/m\n"+
		"[profile user]\naws_access_key_id = a\naws_secret_access_key = b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout strings.Builder
	cmd := exec.Command("ms", "completion", "zsh", "ms-get", "")
	cmd.Stdout = &stdout
	cmd.Env = append(server.Environ(), "PATH="+os.Getenv("PATH"), "HOME="+home, "AWS_CONFIG_FILE="+config, "AWS_ACCESS_KEY_ID=", "GORACE=atexit_sleep_ms=0")
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Skip(err)
	}
	defer terminal.Close()
	shown, _ := io.ReadAll(terminal) // ends with an error when the program has
	if err := cmd.Wait(); err != nil || string(shown) != "" || stdout.String() != "words\n" {
		t.Errorf("%v, on the terminal %q, answered %q", err, shown, stdout.String())
	}
}
