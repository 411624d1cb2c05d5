//go:build unix

package suite_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"microsecrets/lib/fakeaws/fakeawstest"
)

// TestFormat runs the shell commands of doc/format.md, with a stand-in for the
// aws-encryption-cli that says what it was asked. It is not asked for a message
// that is not signed.
func TestFormat(t *testing.T) {
	_, script, _ := strings.Cut(page(t, "doc/format.md"), "```sh\n")
	script, _, _ = strings.Cut(script, "```")
	const cli = "#!/bin/sh\necho \"$@\" >asked\ncp message secret\n"
	for _, unsigned := range []string{"false", "true"} {
		server := fakeawstest.Start(t)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "aws-encryption-cli"), []byte(cli), 0o700); err != nil {
			t.Fatal(err)
		}
		sh := func(script string) error {
			cmd := exec.Command("sh", "-c", script)
			cmd.Dir = dir
			cmd.Env = slices.Concat(server.Environ(), []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir, "MS_UNSIGNED=" + unsigned, "KEY=arn", "GORACE=atexit_sleep_ms=0"})
			out, err := cmd.CombinedOutput()
			t.Logf("%s%s", out, script)
			return err
		}
		if err := sh("echo hunter2 | ms-put -q myservice/password"); err != nil {
			t.Fatal(err)
		}
		err := sh(script)
		asked, _ := os.ReadFile(filepath.Join(dir, "asked"))
		if signed := unsigned == "false"; signed != (err == nil) || signed != (len(asked) > 0) {
			t.Errorf("unsigned=%s: %v, and the CLI is asked %q", unsigned, err, asked)
		}
		for _, want := range []string{"--decrypt --buffer", "--wrapping-keys key=arn", "--encryption-context ms-store=s3://example-microsecrets/prod ms-name=myservice/password"} {
			if unsigned == "false" && !strings.Contains(string(asked), want) {
				t.Errorf("the CLI is asked %q, without %q", asked, want)
			}
		}
	}
}
