//go:build unix

package edit

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFindEditor(t *testing.T) {
	for _, test := range []struct {
		visual, editor string
		want           string
	}{
		{"emacs", "nano", "emacs"}, {"", "nano", "nano"}, {" ", "nano -w", "nano -w"}, {"", "", "vi"},
	} {
		e := findEditor(func(name string) string {
			return map[string]string{"VISUAL": test.visual, "EDITOR": test.editor}[name]
		})
		if e.command != test.want {
			t.Errorf("VISUAL=%q EDITOR=%q: %q", test.visual, test.editor, e.command)
		}
	}
}

func TestProgram(t *testing.T) {
	for command, want := range map[string]string{
		"vim":                        "vim",
		"  vim -X ":                  "vim",
		"/usr/bin/vim -u NONE":       "/usr/bin/vim",
		"TERM=xterm A= vim":          "vim",
		"env TERM=xterm vim":         "vim",
		"/usr/bin/env vim":           "/usr/bin/vim"[len("/usr/bin/"):],
		`"/opt/my vim/bin/vim" -f`:   "/opt/my vim/bin/vim",
		`'/opt/a "b"/vim'`:           `/opt/a "b"/vim`,
		`/opt/my\ vim/vim`:           "/opt/my vim/vim",
		"$HOME/bin/vim":              "",
		"`which vim`":                "",
		`"unclosed`:                  "",
		"(vim)":                      "",
		"vim;rm":                     "",
		"":                           "",
		`'$(x)'/vim`:                 "$(x)/vim",
		"emacsclient -t -a ''":       "emacsclient",
		"exec nice command code -w ": "code",
	} {
		if got := program(command); got != want {
			t.Errorf("%q: %q, not %q", command, got, want)
		}
	}
}

func TestArgs(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	for name, text := range map[string]string{
		"minimal": "\x7fELF\x00VIM - Vi IMproved %s\x00",
		"wrapper": "#!/bin/sh\nexec /usr/libexec/vim \"$@\"\n",
		"busybox": "\x7fELF vi",
		"other":   "\x7fELF vi",
		"script":  "#!/bin/sh\necho x >\"$1\"\n",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	quiet := strings.Join(leaveNothing, " ")
	for _, test := range []struct {
		command, vi string // vi: what that is a link to
		line        int
		want        string
	}{
		{"vim", "", 0, quiet + " FILE"},
		{"vim -X", "", 7, quiet + " +7 FILE"},
		{"/usr/bin/nvim", "", 7, quiet + " +7 FILE"},
		{"vim.tiny", "", 7, quiet + " +7 FILE"},
		{"gvim", "", 0, quiet + " -f FILE"},
		{"vimcat", "", 7, "FILE"},
		{"vi", "minimal", 7, quiet + " +7 FILE"},
		{"vi", "wrapper", 7, quiet + " +7 FILE"},
		{"vi", "busybox", 0, "FILE"},
		{"vi", "busybox", 7, "-c 7 FILE"},
		{"vi", "other", 0, "FILE"},
		{"vi", "other", 7, "+7 FILE"},
		{"vi", "script", 0, "FILE"},
		{"vi", "", 0, "FILE"},
		{"nano -w", "", 7, "+7 FILE"},
		{"emacs-nox", "", 7, "+7 FILE"},
		{"hx", "", 7, "FILE:7"},
		{"code --wait", "", 7, "-g FILE:7"},
		{"code --wait", "", 0, "FILE"},
		{"myeditor", "", 7, "FILE"},
		{"$X", "", 7, "FILE"},
	} {
		os.Remove(filepath.Join(bin, "vi"))
		if test.vi != "" {
			if err := os.Symlink(test.vi, filepath.Join(bin, "vi")); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Join(newEditor("EDITOR", test.command).args("FILE", test.line), " "); got != test.want {
			t.Errorf("%s, line %d: %q, not %q", test.command, test.line, got, test.want)
		}
	}
}

// A program takes the place of the shell where that is all that the shell is for.
func TestScript(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	if err := os.WriteFile(filepath.Join(bin, "ed"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for command, isExec := range map[string]bool{"ed -s": true, "A=b ed": false, "ed 'x'": false, ":": false, "none": false, "ed;ed": false, "ed $X": false} {
		want := command + ` "$@"`
		if isExec {
			want = "exec " + want
		}
		if got := newEditor("EDITOR", command).script(); got != want {
			t.Errorf("%q: %q", command, got)
		}
	}
}

func TestPrivate(t *testing.T) {
	var private []string
	for _, command := range []string{"vim", "nvi", "nano", "emacs", "emacsclient", "code --wait", "x"} {
		if newEditor("EDITOR", command).private() {
			private = append(private, command)
		}
	}
	if want := []string{"vim", "nvi", "nano"}; !slices.Equal(private, want) {
		t.Errorf("%q", private)
	}
}
