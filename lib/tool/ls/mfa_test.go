//go:build unix

package ls_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/prompt/terminaltest"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/suite/suitetest"
)

func TestMain(m *testing.M) { testscript.Main(m, suitetest.Commands(tool.Main)) }

// TestMFA has a profile that wants a code: it is asked for on the terminal, though
// the input and the messages go elsewhere, and is not shown. An interrupt gives the
// terminal back as it was.
func TestMFA(t *testing.T) {
	server := fakeawstest.Start(t)
	if out, err := server.ControlLine("", "write s/a x"); err != nil {
		t.Fatal(out, err)
	}
	variables := map[string]string{}
	for _, kv := range server.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		variables[name] = value
	}
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("TokenCode") != "123456" {
			http.Error(w, "", http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], variables["AWS_SESSION_TOKEN"], time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer sts.Close()
	home := t.TempDir()
	config := filepath.Join(home, "config")
	if err := os.WriteFile(config, []byte("[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = user\nmfa_serial = arn:aws:iam::111122223333:mfa/m\n"+
		"[profile user]\naws_access_key_id = a\naws_secret_access_key = b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		typed, want string
		status      int
	}{
		{"123456\n", "s/a\n", 0},
		{"654321\n", "", 4},
		{"12\x03", "", -1},
	} {
		term := terminaltest.Open(t)
		var stdout, stderr bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "ms-ls")
		cmd.Env = append(server.Environ(), "PATH="+os.Getenv("PATH"), "HOME="+home, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN=",
			"AWS_CONFIG_FILE="+config, "AWS_ENDPOINT_URL_STS="+sts.URL, "GORACE=atexit_sleep_ms=0")
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		cmd.ExtraFiles = []*os.File{term.Screen}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		term.Until("MFA code, not shown: ", 1)
		term.Type(test.typed)
		cmd.Wait()
		shown := term.End()
		if code := strings.TrimSpace(strings.Trim(test.typed, "\x03")); strings.Contains(shown+stderr.String(), code) {
			t.Errorf("%q is shown: %q, %s", code, shown, &stderr)
		}
		if got := cmd.ProcessState.ExitCode(); got != test.status || stdout.String() != test.want {
			t.Errorf("%q: status %d, %q: %s", test.typed, got, &stdout, &stderr)
		}
	}
}
