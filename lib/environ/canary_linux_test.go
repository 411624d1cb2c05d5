package environ

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"microsecrets/lib/internal/racetest"
)

// A canary shows that a program does with a variable what the list says: the
// script leaves mark with the variable, and does not without it.
//
// Everywhere {mark} is the file to be left, {run} a program that leaves it,
// {dir} the folder that the script runs in, {bin} an empty folder in it, {lib}
// a library that leaves {mark} when it is loaded, {url} a server of TLS, {cert}
// its certificate, and {self} this test.
type canary struct {
	names  string // set one at a time
	value  string
	needs  string // programs
	before string // a script that runs first, without the variable
	script string
}

// quick are the programs that -short and the race detector try: they start in no
// time.
var quick = map[string]bool{"bash": true, "dash": true, "make": true, "tar": true, "zip": true, "unzip": true, "xz": true, "bc": true, "curl": true}

// In canaries that share a script, some parts of it.
const (
	repository = `git init -q r && cd r && git config user.name n && git config user.email e@example.com && echo a >f && git add f && git commit -qm c && echo b >f`
	alias      = `printf '[alias]\n x = "!touch {mark}"\n' >`
	interact   = `printf 'echo a >>{dir}/mail\n:\n:\n' | bash --norc -i`
	loads      = `printf 'open("{mark}", "w")\n' >`
)

var canaries = []canary{
	// The loader and the C library.
	{"LD_PRELOAD LD_AUDIT", "{lib}", "cc", "", "/bin/true"},
	{"GCONV_PATH", "{dir}", "cc iconv", `cp {lib} X.so; printf 'module X// INTERNAL X 1\nmodule INTERNAL X// X 1\n' >gconv-modules`, "echo a | iconv -f X -t UTF-8"},
	{"GMON_OUT_PREFIX", "{mark}", "cc", "echo 'int main(void) { return 0; }' >p.c && cc -pg p.c -o p", "./p; ls {mark}.* && touch {mark}"},
	{"LANGUAGE", "../evil", "bash", "mkdir -p locale evil/LC_MESSAGES; cp catalogue evil/LC_MESSAGES/d.mo",
		`LC_ALL=C.UTF-8 TEXTDOMAIN=d TEXTDOMAINDIR={dir}/locale bash -c 'echo $"hello"'`},
	{"TEXTDOMAIN", "evil", "bash", "mkdir -p l/x/LC_MESSAGES; cp catalogue l/x/LC_MESSAGES/evil.mo", `LC_ALL=C.UTF-8 LANGUAGE=x TEXTDOMAINDIR={dir}/l bash -c 'echo $"hello"'`},
	{"TEXTDOMAINDIR", "{dir}/l", "bash", "mkdir -p l/x/LC_MESSAGES; cp catalogue l/x/LC_MESSAGES/d.mo", `LC_ALL=C.UTF-8 LANGUAGE=x TEXTDOMAIN=d bash -c 'echo $"hello"'`},
	{"TERMINFO TERMINFO_DIRS", "{dir}/t", "tic tput", `printf 'evil|evil,\n\tcols#80,\n' >e && tic -o t e`, "tput -T evil cols && touch {mark}"},

	// Shells.
	{"PATH", "{bin}", "", "cp {run} {bin}/ls", "ls"},
	{"HOME", "{dir}/h", "bash", "mkdir h; echo 'touch {mark}' >h/.bashrc", "bash -i </dev/null"},
	{"XDG_CONFIG_HOME", "{dir}/x", "git", "mkdir -p x/git; " + alias + "x/git/config", "git x"},
	{"SHELL", "{run}", "script", "", "script -qc : /dev/null </dev/null"},
	{"ENV", "{run}", "dash", "", "dash -i </dev/null"},
	{"BASH_ENV", "{run}", "bash", "", "bash -c :"},
	{"PROMPT_COMMAND", "touch {mark}", "bash", "", interact},
	{"PS0 PS1", "$(touch {mark})", "bash", "", interact},
	{"PS2", "$(touch {mark})", "bash", "", `printf 'echo "\n"\n' | bash --norc -i`},
	{"PS4", "$(touch {mark})", "bash unprivileged", "", "bash -xc :"},
	{"SHELLOPTS", "xtrace", "bash", "", "bash -c : 2>&1 | grep + && touch {mark}"},
	{"CDPATH", "{dir}/a", "bash", "mkdir -p a/sub sub; touch a/sub/here", "bash -c 'cd sub && test -e here' && touch {mark}"},
	{"MAILPATH", "{dir}/mail?$(touch {mark})", "bash", "touch -d '1 hour ago' mail", `printf 'echo a >>mail; touch -d "+1 hour" mail\n:\n:\n' | MAILCHECK=0 bash --norc -i`},
	{"HISTFILE", "{mark}", "bash", "", interact},
	{"FCEDIT", "{run}", "bash", "", `printf 'echo a\nfc\n' | FCEDIT=${FCEDIT-true} bash --norc -i`},
	{"ZDOTDIR", "{dir}/z", "zsh", "mkdir z; echo 'touch {mark}' >z/.zshenv", "zsh -c :"},
	{"PROMPT4 PS4", "$(touch {mark})", "zsh", "", "zsh -f -o promptsubst -xc :"},
	{"NULLCMD", "{run}", "zsh", "", "zsh -fc '>f'"},
	{"fish_function_path", "{dir}/f", "fish", "mkdir f; printf 'function greet; touch {mark}; end\n' >f/greet.fish", "fish -c greet"},

	// make's built-in rules.
	{"CC", "{run}", "make", "touch x.c", "make x.o"},
	{"CFLAGS CPPFLAGS TARGET_ARCH OUTPUT_OPTION", "; {run};", "make", "touch x.c", "make x.o"},
	{"LDFLAGS LOADLIBES LDLIBS", "; {run};", "make", "touch x.o", "make x"},
	{"CXX", "{run}", "make", "touch x.cc", "make x.o"},
	{"CXXFLAGS", "; {run};", "make", "touch x.cc", "make x.o"},
	{"OBJC", "{run}", "make", "touch x.m", "make x.o"},
	{"OBJCFLAGS", "; {run};", "make", "touch x.m", "make x.o"},
	{"AS", "{run}", "make", "touch x.s", "make x.o"},
	{"ASFLAGS TARGET_MACH", "; {run};", "make", "touch x.s", "make x.o"},
	{"FC", "{run}", "make", "touch x.f", "make x.o"},
	{"FFLAGS", "; {run};", "make", "touch x.f", "make x.o"},
	{"RFLAGS", "; {run};", "make", "touch x.r", "make x.o"},
	{"PC", "{run}", "make", "touch x.p", "make x.o"},
	{"PFLAGS", "; {run};", "make", "touch x.p", "make x.o"},
	{"M2C", "{run}", "make", "touch x.mod", "make x.o"},
	{"M2FLAGS MODFLAGS", "; {run};", "make", "touch x.mod", "make x.o"},
	{"DEFFLAGS", "; {run};", "make", "touch x.def", "make x.sym"},
	{"LEX", "{run}", "make", "touch x.l", "make x.c"},
	{"LFLAGS", "; {run};", "make", "touch x.l", "make x.c"},
	{"YACC", "{run}", "make", "touch x.y", "make x.c"},
	{"YFLAGS", "; {run};", "make", "touch x.y", "make x.c"},
	{"LINT", "{run}", "make", "touch x.c", "make x.ln"},
	{"LINTFLAGS", "; {run};", "make", "touch x.c", "make x.ln"},
	{"TEX", "{run}", "make", "touch x.tex", "make x.dvi"},
	{"TEXI2DVI", "{run}", "make", "touch x.texinfo", "make x.dvi"},
	{"TEXI2DVI_FLAGS", "; {run};", "make", "touch x.texinfo", "make x.dvi"},
	{"MAKEINFO", "{run}", "make", "touch x.texinfo", "make x.info"},
	{"MAKEINFO_FLAGS", "; {run};", "make", "touch x.texinfo", "make x.info"},
	{"TANGLE", "{run}", "make", "touch x.web", "make x.p"},
	{"WEAVE", "{run}", "make", "touch x.web", "make x.tex"},
	{"CTANGLE", "{run}", "make", "touch x.w", "make x.c"},
	{"CWEAVE", "{run}", "make", "touch x.w", "make x.tex"},
	{"AR", "{run}", "make", "touch x.o", "make 'l.a(x.o)'"},
	{"ARFLAGS", "; {run};", "make", "touch x.o", "make 'l.a(x.o)'"},
	{"CO", "{run}", "make", "touch x,v", "make x"},
	{"COFLAGS", "; {run};", "make", "touch x,v", "make x"},
	{"GET", "{run}", "make", "touch s.x", "make x"},
	{"GFLAGS SCCS_OUTPUT_OPTION", "; {run};", "make", "touch s.x", "make x"},
	{"RM", "{run}", "make", "", "printf 'all:;$(RM) f\n' | make -f -"},
	{"MAKE", "{run}", "make", "", "printf 'all:;$(MAKE) f\n' | make -f -"},
	{"MAKEFLAGS GNUMAKEFLAGS", `--eval=$$(shell\ touch\ {mark})`, "make", "", "printf 'all:\n' | make -f -"},
	{"MAKEFILES", "{dir}/m", "make", "echo '$(shell touch {mark})' >m", "printf 'all:\n' | make -f -"},
	{"VPATH", "{dir}/v", "make", "mkdir v; echo 'touch {mark}' >v/src", "printf 'all: src;sh $<\n' | make -f -"},
	{"ANYTHING", "$(shell touch {mark})", "make", "", "printf 'all:;@echo $(ANYTHING)\n' | make -f -"},

	// Compilers.
	{"CPATH C_INCLUDE_PATH", "{dir}/i", "cc", "mkdir i; touch i/evil.h", "echo '#include <evil.h>' | cc -E - && touch {mark}"},
	{"CPLUS_INCLUDE_PATH", "{dir}/i", "c++", "mkdir i; touch i/evil.h", "echo '#include <evil.h>' | c++ -E -x c++ - && touch {mark}"},
	{"LIBRARY_PATH", "{dir}", "cc ar", "ar rc libevil.a; echo 'int main(void) { return 0; }' >p.c", "cc p.c -levil && touch {mark}"},
	{"COMPILER_PATH", "{bin}", "gcc", "cp {run} {bin}/as; touch p.c", "gcc -c p.c"},
	{"DEPENDENCIES_OUTPUT SUNPRO_DEPENDENCIES", "{mark}", "gcc", "touch p.c", "gcc -c p.c"},
	{"ASAN_OPTIONS", "log_path={mark}", "gcc", "printf 'int main(void) { char *volatile p = 0; return *p; }' >p.c && gcc -fsanitize=address p.c -o p", "./p; ls {mark}.* && touch {mark}"},
	{"GCOV_PREFIX", "{dir}/g", "gcc", "echo 'int main(void) { return 0; }' >p.c && gcc --coverage p.c -o p", "./p; test -d g && touch {mark}"},
	{"PKG_CONFIG_PATH PKG_CONFIG_LIBDIR", "{dir}", "pkg-config", `printf 'Name: evil\nDescription: evil\nVersion: 1\n' >evil.pc`, "pkg-config --exists evil && touch {mark}"},

	// Languages.
	{"PYTHONPATH", "{dir}/p", "python3", "mkdir p; " + loads + "p/json.py", "python3 -c 'import json'"},
	{"PYTHONSTARTUP", "{dir}/p.py", "python3", loads + "p.py", "python3 -i </dev/null"},
	{"PYTHONUSERBASE", "{dir}/u", "python3", `d=$(PYTHONUSERBASE={dir}/u python3 -c 'import site; print(site.getusersitepackages())') && mkdir -p "$d" && ` + loads + `"$d/usercustomize.py"`, "python3 -c 0"},
	{"PYTHONWARNINGS", "all:0:antigravity.x:0:0", "python3", "", "BROWSER='{run} %s' python3 -c 0"},
	{"PYTHONBREAKPOINT", "os.system", "python3", "", `python3 -c 'breakpoint("touch {mark}")'`},
	{"PYTHONPYCACHEPREFIX", "{dir}/c", "python3", "touch m.py", "python3 -c 'import m'; test -d c && touch {mark}"},
	{"_PYTHON_SYSCONFIGDATA_NAME", "evil", "python3", "(echo 'build_time_vars = {}'; echo 'open(\"{mark}\", \"w\")') >evil.py", "python3 -c 'import sysconfig; sysconfig.get_config_vars()'"},
	{"BROWSER", "{run} %s", "python3", "", "python3 -m webbrowser http://127.0.0.1"},
	{"PIP_LOG", "{mark}", "pip", "", "pip list"},
	{"FLASK_APP", "{dir}/evil.py", "flask", loads + "evil.py", "flask routes"},
	{"IPYTHONDIR", "{dir}/i", "ipython", "mkdir -p i/profile_default/startup; " + loads + "i/profile_default/startup/x.py", "ipython -c 0"},
	{"PERL5LIB PERLLIB", "{dir}/p", "perl", "mkdir p; " + `echo 'open F, ">", "{mark}"; 1;' >p/strict.pm`, "perl -Mstrict -e 1"},
	{"PERL5OPT", "-I{dir} -Mevil", "perl", `echo 'open F, ">", "{mark}"; 1;' >evil.pm`, "perl -e 1"},
	{"PERL5DB", `BEGIN { open F, ">", "{mark}" }`, "perl", "", "perl -d -e 1 </dev/null"},
	{"PERLDB_OPTS", "NonStop=1 LineInfo={mark}", "perl", "", "perl -d -e 1 </dev/null"},
	{"PERL_USE_UNSAFE_INC", "1", "perl", `echo 'open F, ">", "{mark}"; 1;' >evil.pm`, "perl -e 'require evil'"},
	{"HARNESS_PERL", "{run}", "prove", "echo 'print qq{1..1\nok 1\n}' >x.t", "prove x.t"},
	{"HARNESS_PERL_SWITCHES", "-I{dir} -Mevil", "prove", `echo 'open F, ">", "{mark}"; 1;' >evil.pm; echo 'print qq{1..1\nok 1\n}' >x.t`, "prove x.t"},
	{"CPAN_META_JSON_DECODER", "evil", "perl", `echo 'package evil; open F, ">", "{mark}"; sub decode_json {} 1;' >evil.pm`, "perl -I. -MParse::CPAN::Meta -e 'Parse::CPAN::Meta->load_json_string(q({}))'"},
	{"RUBYOPT", "-r{dir}/evil.rb", "ruby", `echo 'File.write("{mark}", "")' >evil.rb`, "ruby -e 0"},
	{"RUBYLIB", "{dir}/r", "ruby", `mkdir r; echo 'File.write("{mark}", "")' >r/json.rb`, `ruby -e 'require "json"'`},
	{"NODE_OPTIONS", "--require={dir}/evil.js", "node", `echo 'require("fs").writeFileSync("{mark}", "")' >evil.js`, "node -e 0"},
	{"NODE_PATH", "{dir}/n", "node", `mkdir n; echo 'require("fs").writeFileSync("{mark}", "")' >n/evil.js`, `node -e 'require("evil")'`},
	{"NODE_REPL_EXTERNAL_MODULE", "{dir}/evil.js", "node", `echo 'require("fs").writeFileSync("{mark}", "")' >evil.js`, "node -i </dev/null"},
	{"NODE_REDIRECT_WARNINGS", "{mark}", "node", "", `node -e 'process.emitWarning("x")'`},
	{"NODE_V8_COVERAGE", "{dir}/c", "node", "", "node -e 0; test -d c && touch {mark}"},
	{"NODE_EXTRA_CA_CERTS", "{cert}", "node", "", `node -e 'require("https").get("{url}", () => { require("fs").writeFileSync("{mark}", ""); process.exit() })'`},
	{"NODE_TLS_REJECT_UNAUTHORIZED", "0", "node", "", `node -e 'require("https").get("{url}", () => { require("fs").writeFileSync("{mark}", ""); process.exit() })'`},
	{"npm_config_script_shell NPM_CONFIG_SCRIPT_SHELL", "{run}", "npm", `echo '{"scripts": {"x": ":"}}' >package.json`, "npm run x"},
	{"JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS", "-Xlog:gc:file={mark}", "java", "", "java -version"},
	{"CLASSPATH", "{dir}/c", "javac", `echo 'class X { public static void main(String[] a) throws Exception { new java.io.File("{mark}").createNewFile(); } }' >X.java && javac -d c X.java && rm X.java`, "java X"},
	{"JDK_JAVAC_OPTIONS", "-d {dir}/c", "javac", "echo 'class X {}' >X.java", "javac X.java; test -d c && touch {mark}"},
	{"JAVA_HOME", "{dir}/j", "mvn", "mkdir -p j/bin; cp {run} j/bin/java; cp {run} j/bin/javac", "mvn -v"},
	{"MAVEN_OPTS", "-Xlog:gc:file={mark}", "mvn", "", "mvn -v"},
	{"PHPRC", "{dir}/p.ini", "php", "echo auto_prepend_file={dir}/p.php >p.ini; echo '<?php touch(\"{mark}\");' >p.php", "echo | php"},
	{"PHP_INI_SCAN_DIR", "{dir}/p", "php", "mkdir p; echo auto_prepend_file={dir}/p.php >p/p.ini; echo '<?php touch(\"{mark}\");' >p.php", "echo | php"},
	{"LUA_INIT", "io.open('{mark}', 'w')", "lua", "", "lua -e 0"},
	{"LUA_PATH", "{dir}/?.lua", "lua", "mkdir e; echo \"io.open('{mark}', 'w')\" >evil.lua", "cd e; lua -e 'require \"evil\"'"},
	{"TCLLIBPATH", "{dir}/t", "tclsh", `mkdir t; echo 'package ifneeded evil 1 [list source [file join $dir evil.tcl]]' >t/pkgIndex.tcl; echo 'open {mark} w; package provide evil 1' >t/evil.tcl`, "echo 'package require evil' | tclsh"},
	{"TCL_LIBRARY", "{dir}/t", "tclsh", "mkdir t; echo 'open {mark} w' >t/init.tcl", "tclsh </dev/null"},
	{"BC_ENV_ARGS", "{dir}/b", "bc", "echo 6*7 >b", "echo quit | bc | grep 42 && touch {mark}"},
	{"AWKPATH", "{dir}/a", "gawk", `mkdir a; echo 'BEGIN { printf "" >"{mark}" }' >a/evil`, "gawk -f evil"},
	{"GOFLAGS", "-toolexec={run}", "go", "echo 'package p' >p.go", "GOCACHE={dir}/c go build p.go"},
	{"GOENV", "{dir}/e", "go", "echo GOFLAGS=-toolexec={run} >e; echo 'package p' >p.go", "GOCACHE={dir}/c go build p.go"},
	{"GOCACHEPROG", "{run}", "go", "echo 'package p' >p.go", "GOCACHE={dir}/c go build p.go"},
	{"GODEBUG", "execerrdot=0", "", "cp {run} evil", "CANARY=exec {self} -test.run TestExecDot"},
	{"RUSTC RUSTC_WRAPPER CARGO_BUILD_RUSTC CARGO_BUILD_RUSTC_WRAPPER", "{run}", "cargo", `printf '[package]\nname = "p"\n' >Cargo.toml; mkdir src; echo 'fn main() {}' >src/main.rs`, "cargo build --offline"},
	{"RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS", "-Clinker={run}", "cargo", `printf '[package]\nname = "p"\n' >Cargo.toml; mkdir src; echo 'fn main() {}' >src/main.rs`, "cargo build --offline"},

	// Version control and remote shells.
	{"GIT_SSH GIT_SSH_COMMAND", "{run}", "git", "", "git ls-remote ssh://x/y"},
	{"GIT_PROXY_COMMAND", "{run}", "git", "", "git ls-remote git://x/y"},
	{"GIT_ASKPASS SSH_ASKPASS", "{run}", "git", "", `printf 'protocol=https\nhost=x\n\n' | setsid git credential fill`},
	{"GIT_EDITOR", "{run}", "git", repository, "cd r && GIT_EDITOR=${GIT_EDITOR-true} git commit --allow-empty"},
	{"VISUAL", "{run}", "git", repository, "cd r && TERM=xterm VISUAL=${VISUAL-true} git commit --allow-empty"},
	{"EDITOR", "{run}", "git", repository, "cd r && EDITOR=${EDITOR-true} git commit --allow-empty"},
	{"GIT_SEQUENCE_EDITOR", "{run}", "git", repository, "cd r && git checkout f && EDITOR=true git rebase -i --root"},
	{"GIT_PAGER PAGER", "{run}", "git script", repository, "cd r && TERM=xterm script -qc 'git log' /dev/null </dev/null"},
	{"GIT_EXTERNAL_DIFF", "{run}", "git", repository, "cd r && git diff"},
	{"GIT_DIFF_TOOL", "../../../../../../../../..{dir}/tool", "git", repository + "; echo 'touch {mark}' >{dir}/tool", "cd r && git -c diff.tool=x -c difftool.x.cmd=true difftool -y"},
	{"GIT_DIFFTOOL_EXTCMD", "{run}", "git", repository, "cd r && git difftool -y --tool=x"},
	{"MERGE_TOOLS_DIR", "{dir}/t", "git", repository + "; mkdir {dir}/t; echo 'touch {mark}' >{dir}/t/x", "cd r && git difftool -y --tool=x"},
	{"GIT_EXEC_PATH", "{bin}", "git", "cp {run} {bin}/git-remote-evil", "git ls-remote evil::x"},
	{"GIT_TEMPLATE_DIR", "{dir}/t", "git", "mkdir -p t/hooks; cp {run} t/hooks/post-commit", repository},
	{"GIT_CONFIG_PARAMETERS", "'alias.x'='!touch {mark}'", "git", "", "git x"},
	{"GIT_CONFIG_COUNT", "1", "git", "", "GIT_CONFIG_KEY_0=alias.x GIT_CONFIG_VALUE_0='!touch {mark}' git x"},
	{"GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM", "{dir}/c", "git", alias + "c", "git x"},
	{"GIT_DIR GIT_COMMON_DIR", "{dir}/r/.git", "git", repository + "; " + alias + ">.git/config; git init -q {dir}/s", "cd s; git x"},
	{"GIT_TRACE GIT_TRACE2 GIT_TRACE2_EVENT GIT_TRACE_SETUP", "{mark}", "git", repository, "cd r && git status"},
	{"GIT_ALLOW_PROTOCOL", "ext", "git", "", "git ls-remote 'ext::touch {mark}'"},
	{"GIT_PROTOCOL_FROM_USER", "1", "git", "", "GIT_PROTOCOL_FROM_USER=${GIT_PROTOCOL_FROM_USER-0} git -c protocol.ext.allow=user ls-remote 'ext::touch {mark}'"},
	{"GIT_SSL_NO_VERIFY", "1", "git", "", "git ls-remote {url}/r 2>&1 | grep -i certificate || touch {mark}"},
	{"GIT_SSL_CAINFO", "{cert}", "git", "", "git ls-remote {url}/r 2>&1 | grep -i certificate || touch {mark}"},
	{"GIT_PS1_STATESEPARATOR", "$(touch {mark})", "bash git", repository, "cd r && printf '. /usr/lib/git-core/git-sh-prompt; GIT_PS1_SHOWDIRTYSTATE=1; PROMPT_COMMAND=\"__git_ps1 a b\"\n:\n' | bash --norc -i"},
	{"HGRCPATH", "{dir}/h", "hg", `printf '[alias]\nx = !touch {mark}\n' >h`, "hg x"},
	{"SSH_ASKPASS", "{run}", "ssh-keygen", "ssh-keygen -q -t ed25519 -N secret -f k", "SSH_ASKPASS_REQUIRE=force ssh-keygen -y -f k </dev/null"},
	{"SSH_ASKPASS_REQUIRE", "force", "ssh-keygen", "ssh-keygen -q -t ed25519 -N secret -f k", "SSH_ASKPASS={run} setsid ssh-keygen -y -f k </dev/null"},
	{"SSH_SK_HELPER", "{run}", "ssh-keygen", "", "ssh-keygen -q -t ed25519-sk -N '' -f k </dev/null"},
	{"SSH_SK_PROVIDER", "{lib}", "ssh-keygen cc", "", "ssh-keygen -q -t ed25519-sk -N '' -f k </dev/null"},
	{"RSYNC_RSH", "{run}", "rsync", "touch f", "rsync f x:y"},

	// Pagers, editors, manuals.
	{"LESSOPEN", "|{run} %s", "less", "echo a >f", "less f"},
	{"LESSCLOSE", "{run} %s %s", "less", "echo a >f", "LESSOPEN='echo {dir}/f %s' less f"},
	{"MANPAGER PAGER", "{run}", "man script", "printf '.TH X 1\n' >x.1", "PAGER=${PAGER-cat} script -qc 'man ./x.1' /dev/null </dev/null"},
	{"MANOPT", "-P {run}", "man script", "printf '.TH X 1\n' >x.1", "PAGER=cat script -qc 'man ./x.1' /dev/null </dev/null"},
	{"MANPATH", "{dir}", "man", "mkdir man1; printf '.TH EVIL 1\n' >man1/evil.1", "man -w evil && touch {mark}"},
	{"GROFF_BIN_PATH", "{bin}", "groff", "cp {run} {bin}/troff", "echo a | groff"},
	{"VIMINIT EXINIT", "call writefile([], '{mark}') | qa!", "vim", "", "vim -T dumb --not-a-term -c qa! </dev/null"},
	{"TMUX_TMPDIR", "{dir}/t", "tmux", "mkdir t", "tmux -L canary new -d true; ls t/tmux-* && touch {mark}"},

	// Trust, traffic, data.
	{"OPENSSL_CONF", "{dir}/c", "openssl cc", `printf 'openssl_conf = i\n[i]\nproviders = p\n[p]\nevil = e\n[e]\nmodule = {lib}\nactivate = 1\n' >c`, "openssl list -providers"},
	{"OPENSSL_MODULES", "{dir}", "openssl cc", "cp {lib} evil.so", "openssl list -providers -provider evil"},
	{"OPENSSL_ENGINES", "{dir}", "openssl cc", "cp {lib} evil.so", "openssl engine evil"},
	{"SSL_CERT_FILE CURL_CA_BUNDLE", "{cert}", "curl", "", "curl -s {url} && touch {mark}"},
	{"SSL_CERT_FILE", "{cert}", "python3", "", `python3 -c 'import urllib.request; urllib.request.urlopen("{url}"); open("{mark}", "w")'`},
	{"REQUESTS_CA_BUNDLE CURL_CA_BUNDLE", "{cert}", "python3 pip", "", `python3 -c 'from pip._vendor import requests; requests.get("{url}"); open("{mark}", "w")'`},
	{"SSLKEYLOGFILE", "{mark}", "curl", "", "curl -sk {url}"},
	{"CURL_HOME", "{dir}/c", "curl", "mkdir c; echo output={mark} >c/.curlrc", "curl -sk {url}"},
	{"WGETRC", "{dir}/w", "wget", "echo output_document={mark} >w", "wget -q --no-check-certificate {url}"},
	{"GNUPGHOME", "{dir}/g", "gpg", "mkdir -m 700 g; echo status-file {mark} >g/gpg.conf", "gpg --list-keys"},
	{"DBUS_SESSION_BUS_ADDRESS", "unixexec:path={run}", "dbus-send", "", "dbus-send --session --dest=x.y / x.y"},

	// Clouds, containers, deployment.
	{"AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE", "{dir}/c", "aws", `printf '[default]\ncredential_process = {run}\n' >c`, "aws --region us-east-1 sts get-caller-identity"},
	{"CLOUDSDK_PYTHON", "{run}", "gcloud", "", "gcloud version"},
	{"KUBECONFIG", "{dir}/k", "kubectl", `printf 'apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts:\n- {name: x, context: {cluster: x, user: x}}\nclusters:\n- {name: x, cluster: {server: "https://127.0.0.1:1"}}\nusers:\n- {name: x, user: {exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: "{run}"}}}\n' >k`, "kubectl get pods"},
	{"TF_LOG_PATH", "{mark}", "terraform", "", "TF_LOG=trace terraform version"},
	{"DOCKER_CONFIG", "{dir}/d", "docker", "mkdir -p d/cli-plugins; cp {run} d/cli-plugins/docker-evil", "docker evil"},

	// Packages of systems.
	{"DEBIAN_FRONTEND", `noninteractive;BEGIN{open(F,">{mark}")}`, "debconf", "", "debconf true"},
	{"DPKG_ADMINDIR", "{dir}/d", "dpkg-query", `mkdir -p d/info d/updates; printf 'Package: evil\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n' >d/status`, "dpkg-query -W evil && touch {mark}"},
	{"DPKG_PAGER PAGER", "{run}", "dpkg script", "", "PAGER=${PAGER-cat} script -qc 'dpkg -l' /dev/null </dev/null"},
	{"APT_CONFIG", "{dir}/a", "apt-config", "echo 'Evil \"yes\";' >a", "apt-config dump | grep Evil && touch {mark}"},

	// Tools that take options.
	{"TAR_OPTIONS", "--checkpoint=1 --checkpoint-action=exec={run}", "tar", "touch f", "tar cf t.tar f"},
	{"TAPE", "{mark}", "tar", "touch f", "tar c f"},
	{"ZIP ZIPOPT", "-T -TT {run}", "zip", "touch f", "zip z.zip f"},
	{"UNZIP UNZIPOPT", "-d {dir}/o", "zip unzip", "touch f; zip z.zip f; rm f", "unzip z.zip; test -e o/f && touch {mark}"},
	{"XZ_OPT XZ_DEFAULTS", "--suffix=.evil", "xz", "echo a >f", "xz f; test -e f.evil && touch {mark}"},
	{"GREP", "{run}", "xzgrep", "echo a >f", "xzgrep a f"},
	{"VALGRIND_OPTS", "--log-file={mark}", "valgrind", "", "valgrind true"},
}

// library is a shared library that leaves MARK when it is loaded.
const library = `#include <fcntl.h>
__attribute__((constructor)) static void load(void) { creat(MARK, 0600); }
unsigned la_version(unsigned v) { return v; }
unsigned sk_api_version(void) { return 0; }
`

// catalogue is a catalogue of translations in gettext's binary form, which has
// text for "hello".
func catalogue(text string) []byte {
	const header, entry = 28, 8
	original, translated := "hello\x00", text+"\x00"
	at := uint32(header + 2*entry)
	b := new(bytes.Buffer)
	for _, n := range []uint32{
		0x950412de, 0, 1, header, header + entry, 0, at,
		uint32(len(original) - 1), at, uint32(len(text)), at + uint32(len(original)),
	} {
		binary.Write(b, binary.LittleEndian, n)
	}
	b.WriteString(original + translated)
	return b.Bytes()
}

// TestExecDot is a program that runs another, which is in a folder of PATH that
// is not absolute.
func TestExecDot(t *testing.T) {
	if os.Getenv("CANARY") != "exec" {
		t.Skip("part of TestCanaries")
	}
	t.Setenv("PATH", ".")
	exec.Command("evil").Run()
}

func TestCanaries(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hello")) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	tried := make(map[string]bool)
	for _, c := range canaries {
		controlled := false
		for _, name := range strings.Fields(c.names) {
			if _, unsafe := Unsafe(name); !unsafe && name != "ANYTHING" {
				t.Errorf("%s is not on the list", name)
			}
			t.Run(name+"/"+strings.ReplaceAll(c.needs, " ", "+"), func(t *testing.T) {
				for _, program := range strings.Fields(c.needs) {
					switch _, err := exec.LookPath(program); {
					case program == "unprivileged":
						if os.Geteuid() == 0 {
							t.Skip("ignored for root")
						}
					case err != nil:
						t.Skipf("not installed: %s", program)
					case program == "cargo" && exec.Command(program, "--version").Run() != nil:
						t.Skip("a shim of rustup, which has no toolchain for this HOME")
					case racetest.Quick() && !quick[program]:
						t.Skipf("left out by -short and by the race detector: %s", program)
					}
				}
				tried[name] = true
				if !controlled {
					controlled = true
					if c.left(t, "", server.URL, cert) {
						t.Fatal("mark is left without the variable")
					}
				}
				if !c.left(t, name, server.URL, cert) {
					t.Error("mark is not left")
				}
			})
		}
	}
	t.Logf("%d names were tried", len(tried))
}

// left runs c in a new folder, with name unless it is "", and reports whether
// mark was left.
func (c canary) left(t *testing.T, name, url string, cert []byte) bool {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	mark, run := filepath.Join(dir, "mark"), filepath.Join(dir, "run")
	expand := strings.NewReplacer("{dir}", dir, "{mark}", mark, "{run}", run, "{bin}", dir+"/bin", "{lib}", dir+"/lib.so", "{url}", url, "{cert}", dir+"/cert.pem", "{self}", os.Args[0]).Replace
	for file, text := range map[string][]byte{
		"run":       []byte("#!/bin/sh\n: >" + mark + "\n"),
		"cert.pem":  cert,
		"catalogue": catalogue("$(touch " + mark + ")"),
		"lib.c":     []byte(library),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"bin", "home"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir + "/home", "LC_ALL=C", "TERM=xterm", "LESS=F"}
	for manager, folder := range map[string]string{"RUSTUP_HOME": ".rustup", "PYENV_ROOT": ".pyenv"} { // below HOME otherwise
		env = append(env, manager+"="+cmp.Or(os.Getenv(manager), filepath.Join(os.Getenv("HOME"), folder)))
	}
	sh := func(script string, env ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", script)
		cmd.Dir, cmd.Env, cmd.WaitDelay = dir, env, time.Second
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	before := expand(c.before)
	if strings.Contains(c.value+c.before, "{lib}") {
		before = `cc -shared -fPIC -DMARK='"` + mark + "\"' lib.c -o lib.so || exit\n" + before
	}
	if out, err := sh(before, env...); before != "" && err != nil {
		t.Skipf("cannot be prepared here: %v: %s", err, out)
	}
	if name != "" {
		env = append(env, name+"="+expand(c.value))
	}
	out, _ := sh(expand(c.script), env...)
	_, err = os.Stat(mark)
	t.Logf("%s: %s", expand(c.script), out)
	return err == nil
}
