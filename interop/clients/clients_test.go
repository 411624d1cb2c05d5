//go:build unix

// Package clients_test holds the emulator to clients of S3 that know nothing of this
// project. Each skips itself where its program is absent.
package clients_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/fakeaws/fakescript"
)

func run(t *testing.T, script string, setup func(*testscript.Env) error) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Files: []string{filepath.Join("testdata", script)},
		Setup: func(env *testscript.Env) error {
			if err := fakescript.Setup(env); err != nil {
				return err
			}
			return setup(env)
		},
		Cmds:                fakescript.Commands(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// found returns every program of that name on PATH: of the AWS CLI there are two
// generations, by different package managers.
func found(t *testing.T, name string) (programs []string) {
	t.Helper()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		program, err := exec.LookPath(filepath.Join(dir, name))
		if err == nil && filepath.IsAbs(program) && !slices.Contains(programs, program) {
			programs = append(programs, program)
		}
	}
	if len(programs) == 0 {
		t.Skipf("no %s in PATH", name)
	}
	return programs
}

func version(t *testing.T, program string) string {
	out, err := exec.Command(program, "--version").CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", program, err, out)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	t.Logf("%s: %s", program, line)
	return line
}

func TestAWSCLI(t *testing.T) {
	ran := map[string]bool{}
	for _, program := range found(t, "aws") {
		if v := version(t, program); ran[v] { // a link to one that was there before
			continue
		} else {
			ran[v] = true
		}
		t.Run(filepath.Dir(program), func(t *testing.T) {
			run(t, "awscli.txtar", func(env *testscript.Env) error {
				env.Setenv("AWS", program+" --endpoint-url "+env.Getenv("AWS_ENDPOINT_URL_S3"))
				return nil
			})
		})
	}
}

func TestRclone(t *testing.T) {
	program := found(t, "rclone")[0]
	version(t, program)
	run(t, "rclone.txtar", func(env *testscript.Env) error {
		env.Setenv("RCLONE_CONFIG", "/dev/null")
		env.Setenv("RCLONE_S3_PROVIDER", "Other")
		env.Setenv("RCLONE_S3_ENV_AUTH", "true")
		env.Setenv("RCLONE_S3_ENDPOINT", env.Getenv("AWS_ENDPOINT_URL_S3"))
		env.Setenv("RCLONE_S3_REGION", env.Getenv("AWS_REGION"))
		env.Setenv("RCLONE_S3_NO_CHECK_BUCKET", "true")
		env.Setenv("RCLONE_S3_ACL", "bucket-owner-full-control") // its own default, private, is refused where there are no ACLs
		env.Setenv("RCLONE_S3_UPLOAD_CUTOFF", "5M")
		env.Setenv("RCLONE_S3_CHUNK_SIZE", "5M")
		return nil
	})
}

func TestS3cmd(t *testing.T) {
	program := found(t, "s3cmd")[0]
	version(t, program)
	run(t, "s3cmd.txtar", func(env *testscript.Env) error {
		host := strings.TrimPrefix(env.Getenv("AWS_ENDPOINT_URL_S3"), "http://")
		env.Setenv("S3CMD", program+" --config=/dev/null --no-ssl --region="+env.Getenv("AWS_REGION")+" --host="+host+" --host-bucket="+host)
		return nil
	})
}

func TestJavaScript(t *testing.T) {
	node := found(t, "node")[0]
	if _, err := os.Stat("../node_modules/@aws-sdk/client-s3"); err != nil {
		t.Skip("no JavaScript SDK: run npm ci in interop")
	}
	script, err := filepath.Abs("s3.js")
	if err != nil {
		t.Fatal(err)
	}
	run(t, "javascript.txtar", func(env *testscript.Env) error {
		env.Setenv("NODE", node)
		env.Setenv("SCRIPT", script)
		return nil
	})
}
