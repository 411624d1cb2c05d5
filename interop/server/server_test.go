//go:build unix

// Package server_test runs the programs against versitygw and MinIO, S3 servers that
// know nothing of this project: the scripts in testdata, and of testdata/scripts those
// that use nothing that only an emulator has. The same scripts run against the
// emulator: what they say of S3 is not an invention of the emulator's.
package server_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
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

// servers are the servers that are not this project's. KMS is the emulator's.
var servers = []server{versitygw, minio}

var versitygw = server{
	name:  "versitygw",
	start: func(env *testscript.Env) (string, error) { return serveVersitygw(env, builtVersitygw) },
	differs: map[string]string{
		"names_refused": "a segment of a name is at most 255 bytes",
		"ls_no_names":   "a key that ends in a slash has no bytes",
		"get_files":     "a name cannot be another one's folder",
		"settings_msrc": "the owner of a bucket is an access key, and not an account",
	},
}

var minio = server{
	name:  "MinIO",
	start: func(env *testscript.Env) (string, error) { return serveMinio(env, builtMinio) },
	differs: map[string]string{
		"names_refused": "a segment of a name is at most 255 bytes",
		"ls_no_names":   "a key has no empty segment",
	},
}

// The programs, once they are built.
var builtVersitygw, builtMinio string

// build builds a program of a module whose folder is dir.
func build(t *testing.T, dir, program string) string {
	t.Helper()
	built := filepath.Join(t.TempDir(), path.Base(program))
	cmd := exec.Command("go", "build", "-o", built, program)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return built
}

func TestVersitygw(t *testing.T) {
	builtVersitygw = build(t, ".", "github.com/versity/versitygw/cmd/versitygw")
	t.Run("own", func(t *testing.T) { versitygw.runOwn(t) })
	t.Run("scenarios", versitygw.run)
}

var withMinio = flag.Bool("minio", false, "build MinIO, which takes minutes, and run the scripts against it")

func TestMinio(t *testing.T) {
	if !*withMinio {
		t.Skip("no -minio")
	}
	builtMinio = build(t, "../minio", "github.com/minio/minio")
	t.Run("own", func(t *testing.T) { minio.runOwn(t) })
	t.Run("scenarios", minio.run)
}

// runOwn runs the scripts in testdata.
func (s server) runOwn(t *testing.T) {
	scripts(t, func(env *testscript.Env) error {
		if err := fakescript.Setup(env); err != nil {
			return err
		}
		url, err := s.start(env)
		if err != nil {
			return err
		}
		env.Setenv("AWS_ENDPOINT_URL_S3", url)
		return setVersioning(client(env, url), types.BucketVersioningStatusEnabled)
	})
}

// serveVersitygw starts a gateway, with the emulator's bucket and credentials, that
// ends with the script.
func serveVersitygw(env *testscript.Env, gateway string) (url string, err error) {
	var dirs [2]string
	for i, name := range []string{".objects", ".versions"} {
		dirs[i] = filepath.Join(env.WorkDir, name)
		if err := os.MkdirAll(filepath.Join(dirs[i], fakeaws.DefaultBucket), 0o700); err != nil {
			return "", err
		}
	}
	address, err := freeAddress()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(gateway, "--port", address, "--keep-alive",
		"--access", env.Getenv("AWS_ACCESS_KEY_ID"), "--secret", env.Getenv("AWS_SECRET_ACCESS_KEY"),
		"posix", "--versioning-dir", dirs[1], dirs[0])
	return started(env, cmd, address)
}

// serveMinio starts a MinIO, likewise.
func serveMinio(env *testscript.Env, minio string) (url string, err error) {
	address, err := freeAddress()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(minio, "server", "--address", address, filepath.Join(env.WorkDir, ".minio"))
	cmd.Env = append(os.Environ(), "HOME="+env.Getenv("HOME"), "MINIO_BROWSER=off", "MINIO_UPDATE=off",
		"MINIO_ROOT_USER="+env.Getenv("AWS_ACCESS_KEY_ID"), "MINIO_ROOT_PASSWORD="+env.Getenv("AWS_SECRET_ACCESS_KEY"))
	if url, err = started(env, cmd, address); err != nil {
		return "", err
	}
	c := client(env, url)
	if err := answers(c); err != nil {
		return "", err
	}
	_, err = c.CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: aws.String(fakeaws.DefaultBucket)})
	return url, err
}

// answers waits until a server that listens has begun to work.
func answers(c *s3.Client) error {
	_, err := c.ListBuckets(context.Background(), &s3.ListBucketsInput{}, func(o *s3.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = 100, 200*time.Millisecond
			o.RateLimiter = ratelimit.None
		})
	})
	return err
}

func freeAddress() (string, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer free.Close()
	return free.Addr().String(), nil
}

// started starts a server that says its address when it listens, and ends with the
// script.
func started(env *testscript.Env, cmd *exec.Cmd, address string) (url string, err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer write.Close()
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		read.Close()
		return "", err
	}
	env.Defer(func() {
		cmd.Process.Kill()
		cmd.Wait()
		read.Close()
	})
	write.Close()
	var said strings.Builder
	for lines := bufio.NewScanner(read); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if url := "http://" + address; strings.Contains(lines.Text(), url) {
			go io.Copy(io.Discard, read)
			return url, nil
		}
	}
	return "", fmt.Errorf("%s does not listen at %s: %s", cmd.Path, address, said.String())
}

func client(env *testscript.Env, url string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &url,
		Region:       fakeaws.DefaultRegion,
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(env.Getenv("AWS_ACCESS_KEY_ID"), env.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
	})
}
