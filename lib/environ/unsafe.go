package environ

import (
	"iter"
	"path"
	"runtime"
	"slices"
	"strings"
)

// An UnsafeRule is one row of the list of unsafe variables: those whose value
// makes a program that inherits them run, load or trust what the value says.
type UnsafeRule struct {
	Names   []string // names; "*" matches any text, including none
	Program string   // the program that is subverted
	Effect  string   // what the program does with the value
	anyCase bool     // the program itself ignores the case of the name
}

// unsafeRules is the list. It includes a whole family only if no member of it
// is stored in environments for another purpose. doc/steering.md shows the
// list and says what was left out, and why.
var unsafeRules = []UnsafeRule{
	// The loader and the C library.
	row("LD_* _RLD* LDR_* LIBPATH SHLIB_PATH", "the dynamic loader", "loads the libraries that it names into every program"),
	row("DYLD_*", "macOS's loader", "loads the libraries that it names into every program"),
	row("GLIBC_* MALLOC_TRACE", "the C library", "changes how the allocator and the loader work, or writes to the file that it names"),
	row("GCONV_PATH GETCONF_DIR LOCPATH NLSPATH PATH_LOCALE", "the C library", "loads converters, locales and message formats from it"),
	row("HOSTALIASES LOCALDOMAIN RES_OPTIONS RESOLV_HOST_CONF NIS_PATH", "the resolver", "sends host names elsewhere"),
	row("TERMINFO TERMINFO_DIRS TERMCAP TERMPATH TZDIR", "the C library and curses", "read files that it names"),
	row("TMPDIR TMP TEMP TMPPREFIX GOTMPDIR", "compilers, installers and shells", "write what they then run where it says"),

	// Shells.
	row("PATH PATHEXT ComSpec SystemRoot", "every program that starts another", "finds the program by it"),
	row("HOME USERPROFILE APPDATA LOCALAPPDATA", "nearly every program", "reads its configuration, start-up files and keys below it"),
	row("XDG_CONFIG_HOME XDG_CONFIG_DIRS XDG_DATA_HOME XDG_DATA_DIRS XDG_CACHE_HOME XDG_STATE_HOME XDG_RUNTIME_DIR", "git, systemd and many more", "read configuration, plug-ins and sockets below it"),
	row("SHELL CONFIG_SHELL MAKESHELL", "ssh, tmux, editors and configure", "run it for their commands"),
	row("ENV BASH_* BASHOPTS SHELLOPTS PROMPT_COMMAND PS0 PS1 PS2 PS4", "sh and bash", "run its text, or the file that it names"),
	row("IFS CDPATH GLOBIGNORE EXECIGNORE", "sh and bash", "split, look up and match words by it"),
	row("ZDOTDIR FPATH NULLCMD READNULLCMD", "zsh", "runs the files or the command that it names"),
	row("PSModulePath", "PowerShell", "loads modules from it"),
	row("INPUTRC", "readline", "binds keys to macros from the file that it names"),
	row("MAILPATH", "bash", "runs the commands in the text that it shows for new mail"),
	row("HISTFILE FCEDIT", "shells", "write to, or edit with, what it names"),

	// These programs.
	row("MS_* MICROSECRETS_* LAZYCRED_*", "these programs", "take their settings from them, or tell a command with them what it was given"),

	// Languages.
	row("PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONWARNINGS PYTHONBREAKPOINT PYTHONINSPECT PYTHONEXECUTABLE PYTHONPLATLIBDIR PYTHONPYCACHEPREFIX PYTHON_PRESITE", "python", "imports or runs what it names"),
	row("PYTHONHTTPSVERIFY", "python", "stops verifying certificates"),
	row("PIP_CONFIG_FILE PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_TRUSTED_HOST PIP_REQUIREMENT PIP_EDITABLE PIP_CONSTRAINT PIP_PYTHON PIP_TARGET PIP_PREFIX PIP_CERT", "pip", "installs and runs packages from there"),
	row("UV_CONFIG_FILE UV_INDEX UV_INDEX_URL UV_DEFAULT_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_INSECURE_HOST UV_PYTHON", "uv", "installs and runs packages from there"),
	row("PYTEST_ADDOPTS PYTEST_PLUGINS IPYTHONDIR JUPYTER_CONFIG_DIR JUPYTER_CONFIG_PATH JUPYTER_PATH GUNICORN_CMD_ARGS", "pytest, ipython, jupyter and gunicorn", "import plug-ins and configuration that it names"),
	row("PERL5LIB PERL5OPT PERL5DB PERLLIB PERL5SHELL PERLIO_DEBUG", "perl", "loads or runs what it names"),
	row("RUBYLIB RUBYOPT RUBYPATH RUBYSHELL RUBYGEMS_GEMDEPS GEM_HOME GEM_PATH GEMRC IRBRC", "ruby", "loads or runs what it names"),
	row("BUNDLER_SETUP BUNDLER_ORIG_* BUNDLE_GEMFILE BUNDLE_PATH BUNDLE_APP_CONFIG BUNDLE_USER_CONFIG BUNDLE_USER_HOME", "ruby and bundler", "evaluate the files that it names, or give other programs these variables"),
	row("NODE_OPTIONS NODE_PATH NODE_REPL_EXTERNAL_MODULE NODE_COMPILE_CACHE ELECTRON_RUN_AS_NODE", "node", "loads the modules that it names, or takes options that do"),
	row("NODE_REDIRECT_WARNINGS NODE_V8_COVERAGE", "node", "writes to the file, or the folder, that it names"),
	row("NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED", "node", "trusts other certificates"),
	{Names: []string{"npm_config_*"}, Program: "npm", Effect: "runs the shell, scripts and registry that its settings name", anyCase: true},
	row("YARN_YARN_PATH YARN_RC_FILENAME YARN_PLUGINS YARN_NPM_REGISTRY_SERVER COREPACK_HOME COREPACK_NPM_REGISTRY BUN_OPTIONS DENO_DIR DENO_CERT", "yarn, corepack, bun and deno", "run or fetch code from there"),
	row("JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS IBM_JAVA_OPTIONS OPENJ9_JAVA_OPTIONS CLASSPATH", "java", "loads the agents and classes that it names"),
	row("JAVA_HOME JRE_HOME JAVACMD JAVA_OPTS", "the start scripts of java programs", "run the java that it names, with these options"),
	row("MAVEN_OPTS MAVEN_ARGS MAVEN_HOME M2_HOME GRADLE_OPTS GRADLE_HOME GRADLE_USER_HOME SBT_OPTS ANT_OPTS ANT_ARGS ANT_HOME CATALINA_OPTS CATALINA_HOME CATALINA_BASE ES_JAVA_OPTS KAFKA_OPTS HADOOP_OPTS", "maven, gradle, sbt, ant, tomcat, elasticsearch, kafka and hadoop", "take options and files that load code"),
	row("DOTNET_STARTUP_HOOKS DOTNET_ADDITIONAL_DEPS DOTNET_SHARED_STORE DOTNET_ROOT* DOTNET_GCName DOTNET_GCPath COMPlus_* CORECLR_* COR_PROFILER* COR_ENABLE_PROFILING ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", "dotnet", "loads the assemblies and profilers that it names"),
	row("PHPRC PHP_INI_SCAN_DIR", "php", "reads configuration that loads extensions"),
	row("LUA_PATH* LUA_CPATH* LUA_INIT*", "lua", "loads or runs what it names"),
	row("R_HOME R_PROFILE R_PROFILE_USER R_ENVIRON R_ENVIRON_USER R_LIBS R_LIBS_SITE R_LIBS_USER", "R", "runs the files that it names"),
	row("JULIA_LOAD_PATH JULIA_DEPOT_PATH ERL_FLAGS ERL_AFLAGS ERL_ZFLAGS ERL_LIBS ELIXIR_ERL_OPTIONS GUILE_LOAD_PATH GUILE_LOAD_COMPILED_PATH CAML_LD_LIBRARY_PATH TCLLIBPATH TCL_LIBRARY TK_LIBRARY EMACSLOADPATH AWKPATH AWKLIBPATH", "julia, erlang, guile, ocaml, tcl, emacs and gawk", "load code from it"),
	row("PYENV_ROOT RBENV_ROOT", "pyenv and rbenv", "run the interpreters and hooks below it"),

	// Building.
	row("MAKEFLAGS MAKEFILES GNUMAKEFLAGS MFLAGS", "make", "reads the makefiles and evaluates the text in it"),
	row("CC CXX CPP FC AR LD AS", "make, configure, go and cargo", "run it as the compiler"),
	row("CCACHE_COMPILER CCACHE_PREFIX", "ccache", "runs it"),
	row("CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH OBJC_INCLUDE_PATH LIBRARY_PATH COMPILER_PATH GCC_EXEC_PREFIX", "gcc and clang", "take headers, libraries and their own parts from it"),
	row("CFLAGS CPPFLAGS CXXFLAGS FFLAGS LDFLAGS", "make and configure", "pass it to the compiler, which loads plug-ins by options"),
	row("PKG_CONFIG PKG_CONFIG_PATH PKG_CONFIG_LIBDIR ACLOCAL_PATH CONFIG_SITE M4PATH CMAKE_TOOLCHAIN_FILE CMAKE_PREFIX_PATH CMAKE_*_LAUNCHER", "pkg-config, autoconf and cmake", "run or read what it names"),
	row("GOFLAGS GOROOT GOPATH GOBIN GOENV GOWORK GOCACHE GOMODCACHE GOCACHEPROG GOAUTH GOTOOLCHAIN GOTOOLDIR GCCGO", "go", "runs the programs and takes the options, sources and caches that it names"),
	row("GOPROXY GOSUMDB GONOSUMDB GONOSUMCHECK GONOPROXY GOINSECURE GOVCS", "go", "fetches modules from elsewhere, unverified"),
	row("CGO_CFLAGS* CGO_CPPFLAGS* CGO_CXXFLAGS* CGO_FFLAGS* CGO_LDFLAGS*", "go", "passes it to the compiler, which loads plug-ins by options"),
	row("RUSTC RUSTDOC RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTFLAGS RUSTDOCFLAGS RUSTUP_HOME RUSTUP_TOOLCHAIN RUSTUP_DIST_SERVER", "cargo and rustup", "run it, or pass it to rustc"),
	row("CARGO CARGO_HOME CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTC* CARGO_BUILD_RUSTDOC* CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET CARGO_TARGET_*_LINKER CARGO_TARGET_*_RUNNER CARGO_TARGET_*_RUSTFLAGS CARGO_*_CREDENTIAL_PROVIDER CARGO_ALIAS_* CARGO_REGISTRIES_*_INDEX CARGO_HTTP_CAINFO", "cargo", "runs the program, or takes the crates, that it names"),

	// Version control and remote shells.
	row("GIT_SSH GIT_SSH_COMMAND GIT_PROXY_COMMAND GIT_ASKPASS GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER GIT_EXTERNAL_DIFF", "git", "runs it"),
	row("GIT_EXEC_PATH GIT_TEMPLATE_DIR GIT_CONFIG*", "git", "runs programs, hooks and commands from it"),
	row("GIT_DIR GIT_COMMON_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_CEILING_DIRECTORIES GIT_SHALLOW_FILE GIT_GRAFT_FILE", "git", "takes hooks, configuration and objects from it, or from what is above it"),
	row("GIT_ALLOW_PROTOCOL GIT_PROTOCOL_FROM_USER GIT_SSL_NO_VERIFY GIT_SSL_CAINFO GIT_SSL_CAPATH GIT_SSL_KEY GIT_SSL_CERT GIT_PROXY_SSL_*", "git", "allows transports that run commands, trusts other servers, or is somebody else to them"),
	row("GIT_TRACE* GIT_REDIRECT_STD*", "git", "writes to the file that it names"),
	row("HGRCPATH HGEDITOR SVN_SSH SVN_EDITOR CVS_RSH", "hg, svn and cvs", "run it, or read configuration that runs commands"),
	row("SSH_ASKPASS SSH_SK_PROVIDER SUDO_ASKPASS SUDO_EDITOR", "ssh and sudo", "run it, or load it as a library"),
	row("RSYNC_RSH RSYNC_CONNECT_PROG BORG_RSH BORG_PASSCOMMAND RESTIC_PASSWORD_COMMAND RCLONE_CONFIG RCLONE_PASSWORD_COMMAND", "rsync, borg, restic and rclone", "run it, or read configuration that runs commands"),

	// Pagers, editors, browsers.
	row("PAGER MANPAGER SYSTEMD_PAGER SYSTEMD_PAGERSECURE AWS_PAGER GH_PAGER BAT_PAGER DELTA_PAGER PSQL_PAGER", "man, git, systemctl, aws, gh, psql and more", "run it to show their output"),
	row("LESS SYSTEMD_LESS LESSOPEN LESSCLOSE LESSEDIT LESSKEY LESSKEYIN LESSKEY_CONTENT LESSKEY_SYSTEM MORE", "less and more", "run commands in it"),
	row("EDITOR VISUAL SYSTEMD_EDITOR GH_EDITOR KUBE_EDITOR PSQL_EDITOR", "git, crontab, kubectl, psql and more", "run it to edit a file"),
	row("VIMINIT GVIMINIT EXINIT VIM VIMRUNTIME", "vim", "runs its text, or the files below it"),
	row("BROWSER GH_BROWSER", "programs that log in by browser", "run it"),
	row("MANOPT MANROFFOPT SCREENRC MAILRC", "man, screen and mail", "take options or files that run commands"),

	// Trust and traffic.
	row("OPENSSL_CONF OPENSSL_CONF_INCLUDE OPENSSL_MODULES OPENSSL_ENGINES", "programs with OpenSSL", "load the modules that it names"),
	row("SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE REQUESTS_CA_BUNDLE", "programs with TLS", "trust whom it names"),
	row("SSLKEYLOGFILE", "curl, python, node and browsers", "write the keys of their connections to it"),
	row("CURL_HOME WGETRC NETRC GNUPGHOME", "curl, wget and gpg", "read configuration from it"),
	row("KRB5_CONFIG SASL_PATH SASL_CONF_PATH ODBCINI ODBCINSTINI ODBCSYSINI LIBMYSQL_PLUGINS LIBMYSQL_PLUGIN_DIR", "Kerberos, SASL, ODBC and MySQL", "load the plug-ins and drivers that it names"),
	row("PSQLRC PGSYSCONFDIR PGSERVICEFILE MYSQL_HOME", "psql and mysql", "read files that run commands, or name other servers"),
	row("DBUS_SESSION_BUS_ADDRESS DBUS_SYSTEM_BUS_ADDRESS", "programs with D-Bus", "run the command in an address of the kind unixexec"),
	row("GTK_MODULES GTK_PATH GIO_MODULE_DIR GIO_EXTRA_MODULES QT_PLUGIN_PATH QT_QPA_PLATFORM_PLUGIN_PATH QML2_IMPORT_PATH", "programs with GTK or Qt", "load the modules that it names"),

	// Clouds, containers, deployment.
	row("AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_CREDENTIAL_FILE AWS_CREDENTIAL_PROFILES_FILE AWS_LOGIN_CACHE_DIRECTORY AWS_DATA_PATH", "programs with an AWS SDK", "read files that run a credential process, or name other services"),
	row("AWS_ENDPOINT_URL* AWS_EC2_METADATA_SERVICE_ENDPOINT AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_LAMBDA_RUNTIME_API", "programs with an AWS SDK", "send requests, and ask for credentials, there"),
	row("AWS_CA_BUNDLE AWS_WEB_IDENTITY_TOKEN_FILE AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "programs with an AWS SDK", "trust or send the file that it names"),
	row("AWS_LAMBDA_EXEC_WRAPPER", "AWS Lambda", "runs it in place of the runtime"),
	row("CLOUDSDK_CONFIG CLOUDSDK_PYTHON CLOUDSDK_PYTHON_ARGS BOTO_CONFIG BOTO_PATH GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES AZURE_CONFIG_DIR AZURE_EXTENSION_DIR", "gcloud, gsutil and az", "run what it names, or allow a file to"),
	row("KUBECONFIG KUBECTL_EXTERNAL_DIFF HELM_PLUGINS HELM_CONFIG_HOME HELM_DATA_HOME HELM_REPOSITORY_CONFIG", "kubectl and helm", "run plug-ins and commands from it"),
	row("DOCKER_HOST DOCKER_CONFIG DOCKER_CONTEXT DOCKER_CERT_PATH DOCKER_TLS_VERIFY BUILDKIT_HOST COMPOSE_FILE COMPOSE_ENV_FILES DOCKER_CLI_PLUGIN_EXTRA_DIRS", "docker", "runs containers elsewhere, or as the files that it names say, or plug-ins from it"),
	row("CONTAINER_HOST CONTAINERS_CONF CONTAINERS_CONF_OVERRIDE CONTAINERS_STORAGE_CONF REGISTRY_AUTH_FILE", "podman and buildah", "run containers elsewhere, or as the files that it names say"),
	row("TF_CLI_CONFIG_FILE TERRAFORM_CONFIG TF_CLI_ARGS* TF_PLUGIN_CACHE_DIR TF_DATA_DIR VAULT_CONFIG_PATH SOPS_GPG_EXEC", "terraform, vault and sops", "run the providers and helpers that it names"),
	row("ANSIBLE_CONFIG ANSIBLE_LIBRARY ANSIBLE_*_PLUGINS ANSIBLE_ROLES_PATH ANSIBLE_COLLECTIONS_PATH* ANSIBLE_VAULT_PASSWORD_FILE ANSIBLE_VAULT_IDENTITY_LIST ANSIBLE_BECOME_EXE ANSIBLE_SSH_EXECUTABLE ANSIBLE_SSH_*ARGS", "ansible", "runs what it names"),
	row("ACTIONS_ALLOW_UNSECURE_COMMANDS", "GitHub's runner", "lets any line of a log set variables and PATH"),

	// Tools that take options or configuration that run commands.
	row("TAR_OPTIONS ZIPOPT PARALLEL PARALLEL_SHELL VALGRIND_OPTS VALGRIND_LIB TEXMFCNF", "tar, zip, parallel, valgrind and TeX", "take options or configuration that run commands"),
	row("RIPGREP_CONFIG_PATH FZF_DEFAULT_COMMAND FZF_DEFAULT_OPTS FZF_DEFAULT_OPTS_FILE", "ripgrep and fzf", "run the commands that it, or the file that it names, has"),
	row("APT_CONFIG NIX_PATH NIX_CONFIG NIX_USER_CONF_FILES GH_CONFIG_DIR DIRENV_CONFIG", "apt, nix, gh and direnv", "read configuration that runs commands"),
}

func row(names, program, effect string) UnsafeRule {
	return UnsafeRule{Names: strings.Fields(names), Program: program, Effect: effect}
}

// UnsafeRules returns the rows of the list of unsafe variables, in order.
func UnsafeRules() iter.Seq[UnsafeRule] {
	return slices.Values(unsafeRules)
}

// Unsafe reports whether the value of the variable of that name can run code,
// or choose whom to trust, in a program that inherits it. The reason names the
// program and says what it does with the value. On Windows case is ignored.
//
// The list is never complete: the protection is [Filter.Only], which lists the
// names that may be set.
func Unsafe(name string) (reason string, unsafe bool) {
	return lookup(name, runtime.GOOS == "windows")
}

func lookup(name string, anyCase bool) (reason string, unsafe bool) {
	for _, r := range unsafeRules {
		for _, pattern := range r.Names {
			if r.matches(pattern, name, anyCase) {
				return r.Program + ": " + r.Effect, true
			}
		}
	}
	return "", false
}

func (r UnsafeRule) matches(pattern, name string, anyCase bool) bool {
	if anyCase || r.anyCase {
		pattern, name = strings.ToUpper(pattern), strings.ToUpper(name)
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
