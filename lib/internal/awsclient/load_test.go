package awsclient

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"microsecrets/lib/internal/hint"
)

// configured has the SDK find this configuration alone.
func configured(t *testing.T, profiles string, env ...string) {
	t.Helper()
	home := t.TempDir()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	file := filepath.Join(home, "config")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(profiles, "HOME", home)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, kv := range append([]string{
		"HOME=" + home,
		"AWS_CONFIG_FILE=" + file,
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_REGION=us-east-1",
	}, env...) {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
}

// TestSourcesAreBounded has services that never answer.
func TestSourcesAreBounded(t *testing.T) {
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-release
		http.Error(w, "", http.StatusBadRequest)
	}))
	defer silent.Close()
	defer close(release)
	const start = "https://example.awsapps.com/start"
	for name, test := range map[string]struct{ profile, want string }{
		"role": {"[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = user\n[profile user]\naws_access_key_id = a\naws_secret_access_key = b\n",
			"not allowed: no credentials: the role of the profile gave none in 200ms"},
		"web identity": {"[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nweb_identity_token_file = HOME/config\n",
			"not allowed: no credentials: the role of the web identity gave none in 200ms"},
		"SSO": {"[default]\nsso_start_url = " + start + "\nsso_region = us-east-1\nsso_account_id = 111122223333\nsso_role_name = r\n",
			"not allowed: no credentials: the SSO session of the profile gave none in 200ms"},
	} {
		t.Run(name, func(t *testing.T) {
			configured(t, test.profile, "AWS_ENDPOINT_URL_STS="+silent.URL, "AWS_ENDPOINT_URL_SSO="+silent.URL)
			sum := sha1.Sum([]byte(start))
			cached := filepath.Join(os.Getenv("HOME"), ".aws/sso/cache", hex.EncodeToString(sum[:])+".json")
			token := fmt.Sprintf(`{"accessToken":"canary","expiresAt":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
			if err := errors.Join(os.MkdirAll(filepath.Dir(cached), 0o700), os.WriteFile(cached, []byte(token), 0o600)); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_, err := open(context.Background(), LoadOptions{Timeout: 200 * time.Millisecond})
			if err == nil || err.Error() != test.want || !errors.Is(err, ErrDenied) || hint.Of(err) == "" {
				t.Errorf("%v (%s)", err, hint.Of(err))
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("after %v", took)
			}
		})
	}
}

// TestMFA has a person who takes longer than a source of credentials may.
func TestMFA(t *testing.T) {
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code := r.FormValue("TokenCode"); code != "123456" {
			t.Errorf("code %q", code)
		}
		fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer sts.Close()
	configured(t, "[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = user\nmfa_serial = arn:aws:iam::111122223333:mfa/m\n[profile user]\naws_access_key_id = a\naws_secret_access_key = b\n",
		"AWS_ENDPOINT_URL_STS="+sts.URL)
	const timeout = 500 * time.Millisecond
	cfg, err := open(context.Background(), LoadOptions{Timeout: timeout, MFA: func(ctx context.Context) (string, error) {
		<-time.After(2 * timeout)
		return "123456", ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := cfg.Credentials.Retrieve(context.Background()); err != nil || c.AccessKeyID != "ASIA1" {
		t.Errorf("%v", err)
	}
	_, err = open(context.Background(), LoadOptions{})
	if want := "not allowed: no credentials: the profile wants an MFA code: nobody can be asked"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

// TestNoProcess has profiles that would run a program.
func TestNoProcess(t *testing.T) {
	const process = "credential_process = touch HOME/ran\n"
	for name, profiles := range map[string]string{
		"of the profile": "[default]\n" + process,
		"of its source":  "[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = user\n[profile user]\n" + process,
		"of the source's source": "[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = middle\n" +
			"[profile middle]\nrole_arn = arn:aws:iam::111122223333:role/m\nsource_profile = user\n[profile user]\n" + process,
	} {
		t.Run(name, func(t *testing.T) {
			configured(t, profiles)
			_, err := open(context.Background(), LoadOptions{NoProcess: true})
			if want := "not allowed: no credentials: the profile has a credential_process, which is not run here"; err == nil || err.Error() != want || !errors.Is(err, ErrDenied) {
				t.Errorf("%v", err)
			}
			if _, err := os.Stat(filepath.Join(os.Getenv("HOME"), "ran")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it has run: %v", err)
			}
		})
	}
	configured(t, "[default]\naws_access_key_id = a\naws_secret_access_key = b\n[profile other]\n"+process)
	if _, err := open(context.Background(), LoadOptions{NoProcess: true}); err != nil {
		t.Errorf("of another profile: %v", err)
	}
}

// TestInstanceRegion has an instance metadata service that knows the region.
func TestInstanceRegion(t *testing.T) {
	region := "eu-west-1"
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
			fmt.Fprint(w, "token")
		case "/latest/dynamic/instance-identity/document":
			fmt.Fprintf(w, `{"region":%q}`, region)
		default:
			http.NotFound(w, r)
		}
	}))
	defer metadata.Close()
	user := "[default]\naws_access_key_id = a\naws_secret_access_key = b\n"
	instance := []string{"AWS_EC2_METADATA_DISABLED=", "AWS_EC2_METADATA_SERVICE_ENDPOINT=" + metadata.URL, "AWS_REGION="}
	for _, test := range []struct {
		profile      string
		env          []string
		want, source string
	}{
		{user, instance, "eu-west-1", "the instance metadata service"},
		{user + "region = eu-west-2\n", instance, "eu-west-2", "the AWS profile"},
		{user + "region = eu-west-2\n", append(instance, "AWS_DEFAULT_REGION=eu-west-3"), "eu-west-3", "AWS_DEFAULT_REGION"},
		{user, append(instance, "AWS_REGION=eu-north-1"), "eu-north-1", "AWS_REGION"},
	} {
		configured(t, test.profile, test.env...)
		cfg, err := open(context.Background(), LoadOptions{Timeout: time.Minute})
		if err != nil {
			t.Errorf("%s: %v", test.want, err)
		} else if got := RegionSource(cfg); cfg.Region != test.want || got != test.source {
			t.Errorf("%s from %s, not %s from %s", cfg.Region, got, test.want, test.source)
		}
	}
	region = "no region"
	configured(t, user, instance...)
	if _, err := open(context.Background(), LoadOptions{}); err == nil || err.Error() != "no region" || !errors.Is(err, ErrConfig) {
		t.Errorf("an instance's odd region: %v", err)
	}
}

// TestCheck has what cannot be sent: it is refused at once, and its value is not
// shown.
func TestCheck(t *testing.T) {
	endpoint := func(url string) []string { return []string{"AWS_ENDPOINT_URL_S3=" + url} }
	for _, test := range []struct {
		env        []string
		want, hint string
	}{
		{[]string{"AWS_REGION=no canary"}, "the region is not a region's name", "AWS_REGION"},
		{[]string{"AWS_REGION=canary\n"}, "the region is not a region's name", "AWS_REGION"},
		{endpoint("http://user:canary word@s3.example"), "the endpoint of S3 is not a URL", "AWS_ENDPOINT_URL_S3"},
		{endpoint("http://user:canary@s3.example"), "the endpoint of S3 has a user or a password", "AWS_ENDPOINT_URL_S3"},
		{endpoint("http://s3.example:canary"), "the endpoint of S3 is not a URL", "AWS_ENDPOINT_URL_S3"},
		{endpoint("canary.example:9000"), "the endpoint of S3 is not a URL", "AWS_ENDPOINT_URL_S3"},
		{endpoint("ftp://canary.example"), "the endpoint of S3 is not a URL", "AWS_ENDPOINT_URL_S3"},
		{endpoint("http://"), "the endpoint of S3 is not a URL", "AWS_ENDPOINT_URL_S3"},
		{[]string{"AWS_ENDPOINT_URL_KMS=canary"}, "the endpoint of KMS is not a URL", "AWS_ENDPOINT_URL_KMS"},
		{[]string{"AWS_ENDPOINT_URL=canary"}, "the endpoint of S3 is not a URL", "AWS_ENDPOINT_URL "},
		{append(endpoint("http://s3.example"), "AWS_USE_FIPS_ENDPOINT=true"), "a FIPS endpoint", "AWS_USE_FIPS_ENDPOINT"},
		{append(endpoint("http://s3.example"), "AWS_USE_DUALSTACK_ENDPOINT=true"), "a dual-stack endpoint", "AWS_USE_DUALSTACK_ENDPOINT"},
		{[]string{"AWS_USE_FIPS_ENDPOINT=canary"}, "the AWS configuration cannot be used", "AWS_USE_FIPS_ENDPOINT"},
		{[]string{"AWS_MAX_ATTEMPTS=canary"}, "the AWS configuration cannot be used", "AWS_MAX_ATTEMPTS"},
		{[]string{"AWS_CA_BUNDLE=/canary"}, "the AWS configuration cannot be used", "AWS_CA_BUNDLE"},
		{[]string{"AWS_PROFILE=canary"}, "the AWS configuration has no such profile", "AWS_PROFILE"},
		{[]string{"AWS_CONFIG_FILE=/"}, "a file of the AWS configuration cannot be used", "AWS_CONFIG_FILE"},
	} {
		configured(t, "", append([]string{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"}, test.env...)...)
		_, err := open(context.Background(), LoadOptions{Timeout: time.Minute})
		if !errors.Is(err, ErrConfig) || !strings.HasPrefix(err.Error(), test.want) || !strings.Contains(hint.Of(err), test.hint) {
			t.Errorf("%q: %v (%s)", test.env, err, hint.Of(err))
		}
		if err != nil && strings.Contains(err.Error()+hint.Of(err), "canary") {
			t.Errorf("%q: %v (%s)", test.env, err, hint.Of(err))
		}
	}
}

// TestOddCredentials has a line end that was copied along.
func TestOddCredentials(t *testing.T) {
	for name, where := range map[string]string{
		"AWS_ACCESS_KEY_ID": "access key id", "AWS_SECRET_ACCESS_KEY": "secret access key", "AWS_SESSION_TOKEN": "session token",
	} {
		configured(t, "", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", name+"=canary\n")
		_, err := open(context.Background(), LoadOptions{})
		if want := "not allowed: the " + where + " has a character that none has, such as a line end"; err == nil || err.Error() != want || hint.Of(err) != "check "+name {
			t.Errorf("%s: %v (%s)", name, err, hint.Of(err))
		}
	}
	// A source may also be the caller's own.
	_, err := get(New(aws.Config{
		Region: "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b", SessionToken: "canary\n"}, nil
		}),
	}, Options{Timeout: time.Minute}))
	if err = Classify(context.Background(), "GetObject", err, Facts{}); !errors.Is(err, ErrDenied) || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
}

// open reads a configuration and obtains its credentials.
func open(ctx context.Context, o LoadOptions) (aws.Config, error) {
	cfg, err := Load(ctx, o)
	if err == nil {
		err = New(cfg, Options{}).Authenticate(ctx)
	}
	return cfg, err
}
