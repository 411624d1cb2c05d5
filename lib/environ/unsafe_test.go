package environ

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestUnsafe(t *testing.T) {
	seen := make(map[string]bool)
	for s := range UnsafeRules() {
		if s.Program == "" || s.Effect == "" || strings.ContainsAny(s.Program+s.Effect, "|:\n") {
			t.Errorf("%s: the reason %q, %q", s.Names, s.Program, s.Effect)
		}
		for _, pattern := range s.Names {
			if seen[pattern] {
				t.Errorf("%s is there twice", pattern)
			}
			seen[pattern] = true
			if !ValidName(strings.ReplaceAll(pattern, "*", "")) {
				t.Errorf("%s is no name", pattern)
			}
			for _, name := range []string{strings.ReplaceAll(pattern, "*", "X"), strings.ReplaceAll(pattern, "*", "")} {
				if reason, ok := Unsafe(name); !ok || !strings.Contains(reason, ": ") {
					t.Errorf("Unsafe(%s) = %q, %v", name, reason, ok)
				}
				if _, ok := lookup(strings.ToLower(name), true); !ok {
					t.Errorf("%s passes where case does not count", strings.ToLower(name))
				}
				if _, ok := Unsafe("X" + name); ok {
					t.Errorf("X%s is unsafe", name)
				}
			}
		}
	}
}

// TestRequiredUnsafe lists, apart from the table, what must be refused.
func TestRequiredUnsafe(t *testing.T) {
	for name := range strings.FieldsSeq(`
		LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES GLIBC_TUNABLES BASH_ENV MS_STORE MICROSECRETS_SOURCE
		PATH HOME SHELL IFS ENV BASHOPTS SHELLOPTS PS4 PROMPT_COMMAND ZDOTDIR XDG_CONFIG_HOME XDG_DATA_HOME GCONV_PATH
		PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONWARNINGS PYTHONBREAKPOINT PYTHONINSPECT PYTHONEXECUTABLE
		PYTHONPLATLIBDIR PERL5LIB PERL5OPT PERL5DB PERLLIB RUBYLIB RUBYOPT NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS
		npm_config_script_shell NPM_CONFIG_REGISTRY Npm_Config_Prefix JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS
		DOTNET_STARTUP_HOOKS GOFLAGS RUSTC_WRAPPER MAKEFLAGS MAKEFILES PAGER LESSOPEN EDITOR VISUAL BROWSER OPENSSL_CONF
		OPENSSL_MODULES SSL_CERT_FILE SSL_CERT_DIR KUBECONFIG DOCKER_HOST DOCKER_CONFIG DOCKER_CONTEXT
		GIT_SSH GIT_SSH_COMMAND GIT_EXEC_PATH GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_GLOBAL GIT_DIR GIT_PAGER GIT_ASKPASS
		AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3 AWS_CA_BUNDLE
		AWS_WEB_IDENTITY_TOKEN_FILE AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_EC2_METADATA_SERVICE_ENDPOINT
		BUNDLER_SETUP BUNDLER_ORIG_RUBYOPT BUNDLER_ORIG_PATH MAILPATH GIT_TRACE GIT_TRACE_PACKET GIT_TRACE_CURL GIT_TRACE2_EVENT
		GIT_CEILING_DIRECTORIES GIT_SHALLOW_FILE GIT_GRAFT_FILE GIT_SSL_KEY GIT_SSL_CERT GIT_PROXY_SSL_CAINFO GIT_REDIRECT_STDOUT
		AWS_CREDENTIAL_FILE AWS_CREDENTIAL_PROFILES_FILE TMP TEMP GOTMPDIR SYSTEMD_LESS SYSTEMD_PAGERSECURE DOTNET_GCName DOTNET_GCPath
		COMPlus_GCName NODE_REDIRECT_WARNINGS NODE_V8_COVERAGE RIPGREP_CONFIG_PATH FZF_DEFAULT_COMMAND FZF_DEFAULT_OPTS GUNICORN_CMD_ARGS
		CCACHE_COMPILER CCACHE_PREFIX PYENV_ROOT RBENV_ROOT ES_JAVA_OPTS KAFKA_OPTS HADOOP_OPTS DOCKER_CLI_PLUGIN_EXTRA_DIRS`) {
		if _, unsafe := Unsafe(name); !unsafe {
			t.Errorf("%s passes", name)
		}
	}
}

func TestHarmlessPass(t *testing.T) {
	for name := range strings.FieldsSeq(`
		NODE_ENV PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE GIT_SHA GIT_COMMIT GIT_BRANCH GIT_TOKEN GIT_AUTHOR_NAME GIT_TERMINAL_PROMPT
		AWS_S3_BUCKET AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION AWS_PROFILE AWS_ROLE_ARN
		DOCKER_IMAGE DOCKER_PASSWORD GITHUB_TOKEN GH_TOKEN NPM_TOKEN CARGO_REGISTRY_TOKEN CARGO_REGISTRIES_X_TOKEN UV_INDEX_X_PASSWORD
		BUNDLE_GEMS__EXAMPLE__COM TF_VAR_password TF_TOKEN_example_com PGPASSWORD PGHOST VAULT_TOKEN VAULT_ADDR DATABASE_URL DB_URL
		PASSWORD API_KEY PORT LANG LC_ALL TZ USER TERM GOMAXPROCS GOPRIVATE CGO_ENABLED JAVA_VERSION MALLOC_ARENA_MAX PATHS HOMEPAGE
		SHELL_COLOR path home RAILS_ENV DJANGO_SETTINGS_MODULE HTTP_PROXY https_proxy NO_PROXY GOOGLE_APPLICATION_CREDENTIALS
		ANSIBLE_HOST_KEY_CHECKING MSG MS BASHFUL LDAP_PASSWORD MAIL TEMPERATURE TMP_BUCKET GIT_TAG DOTNET_ENVIRONMENT DOTNET_GCHeapHardLimit
		KAFKA_BROKERS CCACHE_DIR BUNDLER_VERSION AWS_CREDENTIAL_EXPIRATION PYENV_VERSION`) {
		if reason, unsafe := Unsafe(name); unsafe {
			t.Errorf("%s is unsafe: %s", name, reason)
		}
	}
}

// TestSteeringDocument holds the table of doc/steering.md to the list.
func TestSteeringDocument(t *testing.T) {
	doc, err := os.ReadFile("../../doc/steering.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `.*$").FindAllString(string(doc), -1)
	var want []string
	for s := range UnsafeRules() {
		want = append(want, "| `"+strings.Join(s.Names, "` `")+"` | "+s.Program+" | "+s.Effect+" |")
	}
	if !slices.Equal(rows, want) {
		t.Errorf("doc/steering.md differs from the list; its table is to be:\n%s", strings.Join(want, "\n"))
	}
}
