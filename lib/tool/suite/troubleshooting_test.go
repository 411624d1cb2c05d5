//go:build unix

package suite_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/suite"
)

const troubleshooting = "doc/troubleshooting.md"

// A provocation makes a program say what a section of doc/troubleshooting.md is about.
type provocation struct {
	section string
	about   string   // what the program says must have this in it: -update writes nothing else
	do      []string // lines of the emulator's control language, when secrets are stored
	env     []string // beside the emulator's; S3 is its URL, DIR the working directory
	tls     bool     // the emulator speaks TLS
	file    string   // .msrc in the working directory
	mode    os.FileMode
	args    []string
	stdin   string
	status  int
	checked bool // ms-check gives the same advice
}

var noCredentials = []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN="}

var (
	password    = "myservice/password"
	getPassword = []string{"ms-get", password}
	putPassword = []string{"ms-put", password}
)

// profiles are those of the AWS configuration.
const profiles = `[profile ann]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = secret
[profile mfa]
role_arn = arn:aws:iam::111122223333:role/deployer
source_profile = ann
mfa_serial = arn:aws:iam::111122223333:mfa/ann
[profile sso]
sso_start_url = https://sso.example.com
sso_region = us-east-1
sso_account_id = 111122223333
sso_role_name = deployer
`

var provocations = []provocation{
	{section: "No store", about: "no store", env: []string{"MS_STORE="}, args: getPassword, status: 2, checked: true},
	{section: "The store is refused", about: "the store is refused", args: []string{"ms-get", "-store", "https://example.com/prod", password}, status: 2},
	{section: "A file of settings that others may write", about: "may be written by", env: []string{"MS_STORE="}, file: "store s3://example-microsecrets\n", mode: 0o666, args: getPassword, status: 2, checked: true},
	{section: "A line that is not a setting", about: "not a setting", env: []string{"MS_STORE="}, file: "bucket = example-microsecrets\n", mode: 0o600, args: getPassword, status: 2, checked: true},
	{section: "A name that is refused", about: "is refused", args: []string{"ms-get", "myservice/"}, status: 2},
	{section: "A flag after a name", about: "after a name", args: []string{"ms-get", password, "-o", "file"}, status: 2},
	{section: "No region", about: "no region", env: []string{"AWS_REGION=", "AWS_DEFAULT_REGION="}, args: getPassword, status: 2, checked: true},
	{section: "No such profile", about: "no such profile", env: []string{"AWS_PROFILE=production"}, args: getPassword, status: 2, checked: true},
	{section: "A service that no alias can hold", about: "no KMS alias can hold", args: []string{"ms-put", "my.service/password"}, stdin: "hunter2", status: 2},
	{section: "An empty standard input", about: "is empty", args: putPassword, status: 2},
	{section: "A file that is not there", about: "no such file", args: []string{"ms-put", password, "hunter2"}, status: 1},

	{section: "No credentials", about: "no credentials: no source", env: noCredentials, args: getPassword, status: 4, checked: true},
	{section: "Half an access key", about: "AWS_ACCESS_KEY_ID is set", env: []string{"AWS_SECRET_ACCESS_KEY="}, args: getPassword, status: 4, checked: true},
	{section: "An MFA code", about: "MFA code", env: append(noCredentials, "AWS_PROFILE=mfa"), args: getPassword, status: 4, checked: true},
	{section: "An SSO session that is over", about: "the SSO session", env: append(noCredentials, "AWS_PROFILE=sso"), args: getPassword, status: 4, checked: true},
	{section: "An expired session", about: "ExpiredToken", do: []string{"expire dev"}, args: getPassword, status: 4, checked: true},
	{section: "An unknown access key", about: "InvalidAccessKeyId", env: []string{"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE"}, args: getPassword, status: 4},
	{section: "A wrong secret access key", about: "SignatureDoesNotMatch", env: []string{"AWS_SECRET_ACCESS_KEY=wrong"}, args: getPassword, status: 4, checked: true},
	{section: "A wrong clock", about: "RequestTimeTooSkewed", do: []string{"clock 1h"}, env: []string{"AWS_MAX_ATTEMPTS=1"}, args: getPassword, status: 4},

	{section: "No connection", about: "no answer: 127", env: []string{"AWS_ENDPOINT_URL_S3=http://127.0.0.1:1"}, args: getPassword, status: 7, checked: true},
	{section: "No answer", about: "no answer for", do: []string{"fault hold GetObject"}, env: []string{"MS_TIMEOUT=1s"}, args: getPassword, status: 7},
	{section: "A proxy that is not there", about: "the proxy: ", env: []string{"AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_S3=http://s3.example.com", "HTTP_PROXY=http://127.0.0.1:1"}, args: getPassword, status: 7, checked: true},
	{section: "A proxy that wants a password", about: "407", env: []string{"AWS_ENDPOINT_URL_S3=https://s3.example.com", "HTTPS_PROXY=PROXY"}, args: getPassword, status: 7},
	{section: "An unknown certificate authority", about: "not signed by a known authority", tls: true, env: []string{"AWS_CA_BUNDLE="}, args: getPassword, status: 2, checked: true},
	{section: "No TLS", about: "does not speak TLS", env: []string{"AWS_ENDPOINT_URL_S3=TLSS3"}, args: getPassword, status: 2, checked: true},
	{section: "Too many requests", about: "SlowDown", do: []string{"fault throttle GetObject"}, args: getPassword, status: 7},

	{section: "No such bucket", about: "NoSuchBucket", env: []string{"MS_STORE=s3://example-microsecrest"}, args: getPassword, status: 1},
	{section: "A bucket in another region", about: "is in the region eu-west-1", do: []string{"bucket example-eu region=eu-west-1"}, env: []string{"MS_STORE=s3://example-eu"}, args: getPassword, status: 1, checked: true},
	{section: "Not allowed to get", about: "needs s3:GetObject", do: []string{"deny s3:GetObject"}, args: getPassword, status: 4, checked: true},
	{section: "Not allowed to put", about: "needs s3:PutObject", do: []string{"deny s3:PutObject"}, args: putPassword, stdin: "hunter2", status: 4},
	{section: "Not allowed to list", about: "needs s3:ListBucket", do: []string{"deny s3:ListBucket"}, args: []string{"ms-ls", "myservice/"}, status: 4},
	{section: "Not allowed to remove", about: "needs s3:DeleteObject", do: []string{"deny s3:DeleteObject"}, args: []string{"ms-rm", password}, status: 4},
	{section: "Another account's bucket", about: "bucket-owner", env: []string{"MS_BUCKET_OWNER=444455556666"}, args: getPassword, status: 4},

	{section: "No key for the service", about: "ms-init newservice", do: []string{"auto off"}, args: []string{"ms-put", "newservice/password"}, stdin: "hunter2", status: 1},
	{section: "Not allowed to decrypt", about: "needs kms:Decrypt", do: []string{"deny kms:Decrypt"}, args: getPassword, status: 4, checked: true},
	{section: "Not allowed to encrypt", about: "needs kms:GenerateDataKey", do: []string{"deny kms:GenerateDataKey"}, args: putPassword, stdin: "hunter2", status: 4, checked: true},
	{section: "A disabled key", about: "DisabledException", do: []string{"key disable alias/microsecrets-myservice"}, args: getPassword, status: 1, checked: true},
	{section: "A key that is pending deletion", about: "pending deletion", do: []string{"key delete alias/microsecrets-myservice"}, args: getPassword, status: 1, checked: true},
	{section: "Another key", about: "does not decrypt under the configured key", do: []string{"key create alias/other"}, env: []string{"MS_KEY=alias/other"}, args: getPassword, status: 5},

	{section: "No such secret", about: "no such secret", args: []string{"ms-get", "myservice/passwrod"}, status: 3},
	{section: "A service, not a name", about: "names that begin with myservice/", args: []string{"ms-get", "myservice"}, status: 3},
	{section: "It exists already", about: "exists already", args: []string{"ms-put", "-create", password}, stdin: "hunter2", status: 6},
	{section: "It has changed", about: "has changed", args: []string{"ms-put", "-if", "0123456789abcdef0123456789abcdef", password}, stdin: "hunter2", status: 6},
	{section: "It was altered", about: "the signature is wrong", do: []string{"flip myservice/password -1"}, args: getPassword, status: 5},
	{section: "It was copied by S3", about: "written for the name", do: []string{"copy myservice/password myservice/copy"}, args: []string{"ms-get", "myservice/copy"}, status: 5},
	{section: "It is of another store", about: "written for the store", do: []string{"bucket example-replica", "copy myservice/password s3://example-replica/myservice/password"}, env: []string{"MS_STORE=s3://example-replica"}, args: getPassword, status: 5},
	{section: "It is not an environment", about: "is not an environment", args: []string{"ms-exec", password, "--", "env"}, status: 125},
	{section: "It has no such variable", about: "has no variable", args: []string{"ms-get", "-k", "PASWORD", "myservice/env"}, status: 1},
}

// varies is what differs from run to run, which the page shows as "…".
var varies = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`request id [0-9A-Za-z-]+`), "request id …"},
	{regexp.MustCompile(`127\.0\.0\.1:[0-9]+`), "127.0.0.1:…"},
	{regexp.MustCompile(`key/[0-9a-f-]{36}`), "key/…"},
}

// provoke returns what the program says, and its status.
func (p provocation) provoke(t *testing.T) (said string, status int) {
	t.Helper()
	server := fakeawstest.StartWith(t, fakeaws.Options{TLS: p.tls})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }))
	t.Cleanup(proxy.Close)
	dir := t.TempDir()
	config := filepath.Join(dir, "aws")
	work := filepath.Join(dir, "work")
	for _, err := range []error{os.WriteFile(config, []byte(profiles), 0o600), os.Mkdir(work, 0o700)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	env := append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GORACE=atexit_sleep_ms=0", "AWS_MAX_ATTEMPTS=2"}, server.Environ()...)
	env = append(env, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+config)
	run := func(env []string, stdin string, args ...string) (string, int) {
		var out, errs bytes.Buffer
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, work, strings.NewReader(stdin), &out, &errs
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal to ask on
		if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
			t.Fatal(err)
		}
		if args[0] == "ms-check" {
			return out.String(), cmd.ProcessState.ExitCode()
		}
		if out.Len() > 0 {
			t.Errorf("%q prints %q", args, &out)
		}
		return errs.String(), cmd.ProcessState.ExitCode()
	}
	for name, text := range map[string]string{password: "hunter2\n", "myservice/env": `{"PASSWORD":"hunter2"}`} {
		if said, status := run(env, text, "ms-put", "-q", name); status != 0 {
			t.Fatal(said)
		}
	}
	server.Do(p.do...)
	if p.file != "" {
		file := filepath.Join(work, ".msrc")
		if err := errors.Join(os.WriteFile(file, []byte(p.file), p.mode), os.Chmod(file, p.mode)); err != nil {
			t.Fatal(err)
		}
	}
	url := server.URL()
	replace := strings.NewReplacer("TLSS3", strings.Replace(url, "http://", "https://", 1), "PROXY", proxy.URL)
	for _, v := range p.env {
		name, value, _ := strings.Cut(v, "=")
		env = append(env, name+"="+strings.TrimSuffix(replace.Replace(value), "/"))
	}
	said, status = run(env, p.stdin, p.args...)
	if p.checked {
		looked, status := run(env, "", "ms-check", "-exact", password)
		if status != 1 && !strings.Contains(looked, "\n?") {
			t.Errorf("ms-check finds nothing:\n%s", looked)
		}
		for line := range strings.Lines(said) {
			if _, advice, ok := strings.Cut(line, ": hint: "); ok && !strings.Contains(looked, "\n    "+advice) && !strings.HasPrefix(advice, "needs ") {
				t.Errorf("ms-check does not say %s:\n%s", advice, looked)
			}
		}
	}
	said = strings.ReplaceAll(said, work, "…")
	for _, v := range varies {
		said = v.is.ReplaceAllString(said, v.as)
	}
	return said, status
}

var (
	trouble = regexp.MustCompile("(?s)^### ([^\n]*)\n\n```text says\n(.*?)```\n\nStatus ([0-9]+)\\. ")
	anyOf   = regexp.MustCompile("(?m)^### .*$")
)

// The errors in doc/troubleshooting.md are those that the programs print, each with its
// status. go test ./lib/tool/suite -run TestTroubleshooting -update writes them.
func TestTroubleshooting(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts many programs")
	}
	text := page(t, troubleshooting)
	var sections []string
	places := anyOf.FindAllStringIndex(text, -1)
	for _, at := range places {
		m := trouble.FindStringSubmatch(text[at[0]:])
		if m == nil {
			t.Errorf("%s is not a section of an error", text[at[0]:at[1]])
			continue
		}
		sections = append(sections, m[1])
		if !slices.ContainsFunc(provocations, func(p provocation) bool { return p.section == m[1] }) {
			t.Errorf("nothing provokes %q", m[1])
		}
	}
	written := text
	t.Run("sections", func(t *testing.T) {
		for _, p := range provocations {
			if !slices.Contains(sections, p.section) {
				t.Errorf("%s has no section %q", troubleshooting, p.section)
				continue
			}
			_, after, _ := strings.Cut(text, "\n### "+p.section+"\n")
			m := trouble.FindStringSubmatch("### " + p.section + "\n" + after)
			t.Run(p.section, func(t *testing.T) {
				if !*update {
					t.Parallel()
				}
				said, status := p.provoke(t)
				if !strings.Contains(said, p.about) {
					t.Fatalf("it does not say %q: %s", p.about, said)
				}
				if status != p.status {
					t.Errorf("status %d, not %d: %s", status, p.status, said)
				}
				if strings.Contains(said, ": hint: ") == slices.Contains(plain, p.section) {
					t.Errorf("what to type next is to be a hint but for %q: %s", plain, said)
				}
				if *update {
					from := "### " + p.section + "\n\n```text says\n" + m[2] + "```\n\nStatus " + m[3] + ". "
					to := "### " + p.section + "\n\n```text says\n" + said + "```\n\nStatus " + strconv.Itoa(status) + ". "
					written = strings.Replace(written, from, to, 1)
					return
				}
				if said != m[2] || strconv.Itoa(status) != m[3] {
					t.Errorf("status %d, not %s, and it says\n%snot\n%s", status, m[3], said, m[2])
				}
			})
		}
	})
	if *update {
		if err := os.WriteFile(rooted(t, troubleshooting), []byte(written), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What the page says is to be typed has no flag that the program does not know.
func TestTroubleshootingCommands(t *testing.T) {
	t.Parallel()
	commands := 0
	for line := range strings.Lines(page(t, troubleshooting)) {
		line, indented := strings.CutPrefix(line, "    ")
		if !indented {
			continue
		}
		for part := range strings.SplitSeq(line, "|") {
			words := strings.Fields(part)
			i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "ms-") })
			if i < 0 || i > 0 && !strings.Contains(words[0], "=") {
				continue
			}
			p, ok := suite.Find(words[i])
			if !ok {
				t.Errorf("no program %s", words[i])
				continue
			}
			commands++
			flags := tool.Describe(p.Run).Flags
			for _, w := range words[i+1:] {
				if w == "--" {
					break
				}
				if name, ok := strings.CutPrefix(w, "-"); ok && name != "" && flags.Lookup(name) == nil {
					t.Errorf("%s has no flag %s: %s", p.Name, w, part)
				}
			}
		}
	}
	if commands < 20 {
		t.Errorf("only %d commands", commands)
	}
}

// plain are the sections of errors that say themselves what to type.
var plain = []string{"The store is refused", "A flag after a name", "An empty standard input"}
