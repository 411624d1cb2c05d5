// Package fakeawstest gives a Go test an emulated S3, KMS and STS of its own in one
// line:
//
//	fake := fakeawstest.Start(t)
//	client := s3.NewFromConfig(fake.Config())
//
// Nothing of the process changes, so such tests can run in parallel. A test of
// code that finds its configuration in the environment calls Setenv, and one
// that starts programs passes them Environ.
package fakeawstest

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"microsecrets/lib/fakeaws"
)

// A Server is an emulated S3, KMS and STS that lives as long as the test that started
// it.
type Server struct {
	*fakeaws.Server
	tb       testing.TB
	inMemory bool
}

// Start starts an emulator, with the bucket fakeaws.DefaultBucket in it, and runs
// lines of its control language (see fakeaws.Help). The test fails at once if one
// of them fails.
func Start(tb testing.TB, lines ...string) *Server {
	tb.Helper()
	return StartWith(tb, fakeaws.Options{}, lines...)
}

// StartWith is Start with options.
func StartWith(tb testing.TB, o fakeaws.Options, lines ...string) *Server {
	tb.Helper()
	server, err := fakeaws.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { server.Close() })
	s := &Server{server, tb, o.InMemory}
	s.Do(lines...)
	return s
}

// Do runs lines of the control language, in which file names are relative to the
// working directory, and returns all that they print. The test fails at once if
// a line fails, so Do belongs in the test's own goroutine.
func (s *Server) Do(lines ...string) string {
	s.tb.Helper()
	var printed strings.Builder
	for _, line := range lines {
		out, err := s.ControlLine("", line)
		if err != nil {
			s.tb.Fatalf("%s: %v", line, err)
		}
		printed.WriteString(out)
	}
	return printed.String()
}

// Config returns a configuration that leads the AWS SDK to the emulator with the
// credentials of its first principal, who may do everything. Lines KEY=VALUE
// take the place of what Environ has: s.Config(s.Do("principal reader closed"))
// acts as another principal, s.Config("AWS_REGION=eu-west-1") elsewhere.
func (s *Server) Config(environ ...string) aws.Config {
	env := map[string]string{}
	for _, entry := range append(s.Environ(), environ...) {
		for line := range strings.Lines(entry) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			env[name] = value
		}
	}
	credentials := aws.Credentials{
		AccessKeyID:     env["AWS_ACCESS_KEY_ID"],
		SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"],
		SessionToken:    env["AWS_SESSION_TOKEN"],
	}
	var client aws.HTTPClient // nil: the SDK's own
	if s.inMemory {
		client = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.DialContext = s.DialContext })
	}
	return aws.Config{
		HTTPClient:   client,
		Region:       env["AWS_REGION"],
		BaseEndpoint: aws.String(s.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return credentials, nil
		}),
	}
}

// Setenv leads what reads the test's environment, and the programs that the test
// starts, to the emulator until the test ends. It cannot be used in parallel
// tests.
func (s *Server) Setenv() {
	s.tb.Helper()
	for _, entry := range s.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		s.tb.Setenv(name, value)
	}
}
