//go:build unix

// Package server_test runs the programs against versitygw, an S3 server that
// knows nothing of this project. The same scripts run against the emulator: what
// they say of S3 is no invention of the emulator's.
package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakescript"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/suite/suitetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, suitetest.Commands(tool.Main))
}

func scripts(t *testing.T, setup func(*testscript.Env) error) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Setup:               setup,
		Cmds:                fakescript.Commands(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

func TestEmulator(t *testing.T) { scripts(t, fakescript.Setup) }

// TestVersitygw leaves KMS to the emulator.
func TestVersitygw(t *testing.T) {
	gateway := filepath.Join(t.TempDir(), "versitygw")
	if out, err := exec.Command("go", "build", "-o", gateway, "github.com/versity/versitygw/cmd/versitygw").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	scripts(t, func(env *testscript.Env) error {
		if err := fakescript.Setup(env); err != nil {
			return err
		}
		url, err := serve(env, gateway)
		if err != nil {
			return err
		}
		env.Setenv("AWS_ENDPOINT_URL_S3", url)
		_, err = client(env, url).PutBucketVersioning(context.Background(), &s3.PutBucketVersioningInput{
			Bucket:                  aws.String(fakeaws.DefaultBucket),
			VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
		})
		return err
	})
}

// serve starts a gateway, with the emulator's bucket and credentials, that ends
// with the script.
func serve(env *testscript.Env, gateway string) (url string, err error) {
	var dirs [2]string
	for i, name := range []string{".objects", ".versions"} {
		dirs[i] = filepath.Join(env.WorkDir, name)
		if err := os.MkdirAll(filepath.Join(dirs[i], fakeaws.DefaultBucket), 0o700); err != nil {
			return "", err
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := free.Addr().String()
	free.Close()
	cmd := exec.Command(gateway, "--port", address, "--keep-alive",
		"--access", env.Getenv("AWS_ACCESS_KEY_ID"), "--secret", env.Getenv("AWS_SECRET_ACCESS_KEY"),
		"posix", "--versioning-dir", dirs[1], dirs[0])
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	env.Defer(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if url := "http://" + address; strings.Contains(lines.Text(), url) {
			go io.Copy(io.Discard, stdout)
			return url, nil
		}
	}
	return "", fmt.Errorf("versitygw does not listen at %s", address)
}

func client(env *testscript.Env, url string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &url,
		Region:       fakeaws.DefaultRegion,
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(env.Getenv("AWS_ACCESS_KEY_ID"), env.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
	})
}
