//go:build unix

package suite_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/prompt/terminaltest"
	"microsecrets/lib/secret"
)

// lastLines are what a terminal shows after these bytes, without blanks at the ends.
func lastLines(shown string) string {
	var lines []string
	for line := range strings.SplitSeq(shown, "\n") {
		line = strings.TrimRight(line, "\r")
		if i := strings.LastIndex(line, "\r"); i >= 0 {
			line = line[i+1:]
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.Join(lines, "\n")
}

// serverWith is an emulator that has these secrets.
func serverWith(t *testing.T, names ...string) *fakeawstest.Server {
	t.Helper()
	server := fakeawstest.Start(t)
	store, err := secret.New(server.Config(), fakeaws.DefaultBucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := store.Put(t.Context(), name, strings.NewReader("value"), nil); err != nil {
			t.Fatal(err)
		}
	}
	return server
}

// What takes over a second is told on a terminal, and is gone when the secret comes.
func TestProgress(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, bytes.Repeat([]byte("0123456789abcdef"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args   string
		fault  string // holds something up
		held   string // the request that waits
		during string
		after  string
	}{
		{"ms-get svc/a", "hold GetObject", "GetObject", "ms-get: waiting, ", "value\n"},
		{"ms-get svc/a svc/b", "hold GetObject key=svc/b", "GetObject", "ms-get: 1 of 2, ", "valuevalue\n"},
		{"ms-ls svc/", "hold ListObjectsV2", "ListObjectsV2", "ms-ls: waiting, ", "svc/a\nsvc/b\nsvc/c\n"},
		{"ms-exec X=svc/a -- printenv X", "hold Decrypt", "Decrypt", "ms-exec: ", "value\n"},
		{"ms-rotate svc/", "hold GetObject key=svc/c", "GetObject", "ms-rotate: 2 of 3, ",
			"current  svc/c\nms-rotate: 3 current\n"},
		{"ms-cp svc/ new/", "hold GetObject key=svc/c", "GetObject", "ms-cp: 2 of 3, ",
			"copied svc/c new/c\nms-cp: 3 copied\n"},
		{"ms-get -d " + dir + "/out svc/a svc/b svc/c", "hold GetObject key=svc/c", "GetObject", "ms-get: 2 of 3, ", "ms-get: 3 written\n"},
		{"ms-put svc/large " + large, "hold UploadPart times=1", "UploadPart", "of 16.8 MB, ", "  svc/large\n"},
		{"ms-rm svc/b svc/c", "hold DeleteObject key=svc/c", "DeleteObject", "ms-rm: 1 of 2", "ms-rm: 2 removed\n"},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			server := serverWith(t, "svc/a", "svc/b", "svc/c")
			server.Do("fault " + test.fault)
			term := terminaltest.Open(t)
			args := strings.Fields(test.args)
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GORACE=atexit_sleep_ms=0"}, server.Environ()...)
			cmd.Stdout, cmd.Stderr = term.Screen, term.Screen
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			term.Until(test.during, 1)
			server.Do("release")
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			if shown := lastLines(term.End()); !strings.HasSuffix(shown, test.after) {
				t.Errorf("in the end the terminal shows %q, want %q", shown, test.after)
			}
		})
	}
}

// A credential_process has the terminal to itself: it may ask for a code.
func TestProgressWhileCredentialsAreObtained(t *testing.T) {
	server := serverWith(t, "svc/a")
	dir := t.TempDir()
	var environ []string
	credentials := map[string]string{}
	for _, each := range server.Environ() {
		switch name, value, _ := strings.Cut(each, "="); name {
		case "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY":
			credentials[name] = value
		default:
			environ = append(environ, each)
		}
	}
	// It takes longer than it takes progress to be told.
	process := "#!/bin/sh\nprintf 'code: ' >&2\nsleep 1.4\necho >&2\n" +
		`echo '{"Version": 1, "AccessKeyId": "` + credentials["AWS_ACCESS_KEY_ID"] + `", "SecretAccessKey": "` + credentials["AWS_SECRET_ACCESS_KEY"] + `"}'` + "\n"
	for name, text := range map[string]string{"process": process, "config": "[profile asks]\ncredential_process = " + dir + "/process\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	term := terminaltest.Open(t)
	cmd := exec.Command("ms-get", "-profile", "asks", "svc/a")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GORACE=atexit_sleep_ms=0"}, environ...)
	cmd.Env = append(cmd.Env, "AWS_CONFIG_FILE="+dir+"/config")
	cmd.Stdout, cmd.Stderr = term.Screen, term.Screen
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
	if shown := lastLines(term.End()); shown != "code:\nvalue\n" {
		t.Errorf("the terminal shows %q", shown)
	}
}

// What became of many secrets is summed up on a terminal, and not in a pipe.
func TestSummary(t *testing.T) {
	server := serverWith(t, "svc/a", "svc/b")
	run := func(terminal bool) string {
		cmd := exec.Command("ms-rotate", "svc/a", "svc/b", "svc/none")
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}, server.Environ()...)
		if !terminal {
			out, _ := cmd.CombinedOutput()
			return string(out)
		}
		term := terminaltest.Open(t)
		cmd.Stdout, cmd.Stderr = term.Screen, term.Screen
		cmd.Run()
		return lastLines(term.End())
	}
	const summary = "ms-rotate: 2 current, 1 failed\n"
	if shown := run(true); !strings.HasSuffix(shown, summary) {
		t.Errorf("the terminal shows %q", shown)
	}
	if out := run(false); strings.Contains(out, summary) {
		t.Errorf("in a pipe: %q", out)
	}
}
