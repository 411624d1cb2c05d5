package settings

import (
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"microsecrets/lib/internal/defaults"
	"microsecrets/lib/internal/hint"
)

// sandbox makes a folder tree with nothing set around it, and goes to its deepest
// folder: home/ is $HOME, top/mid/low is the working directory.
func sandbox(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"home/.config/ms", "xdg/ms", "top/mid/low"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, variable := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(variable, "")
	}
	for _, s := range table {
		t.Setenv(s.variable(), "")
	}
	t.Setenv("LAZYCRED_S3_PATH", "")
	t.Setenv("LAZYCRED_KEY_ALIAS", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("HOME", filepath.Join(dir, "home"))
	t.Setenv("USERPROFILE", filepath.Join(dir, "home"))
	t.Chdir(filepath.Join(dir, "top/mid/low"))
	return dir
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func resolve(t *testing.T, args ...string) (*Settings, error) {
	t.Helper()
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	f := Register(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatalf("flags: %v", err)
	}
	s, err := f.Resolve()
	if e := (*Error)(nil); err != nil && !errors.As(err, &e) {
		t.Errorf("%T %q is no *Error", err, err)
	}
	return s, err
}

func mustResolve(t *testing.T, args ...string) *Settings {
	t.Helper()
	s, err := resolve(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error()
	if e := (*Error)(nil); errors.As(err, &e) {
		text += "\nhint: " + hint.Of(e)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("error %q, want %q in it", text, part)
		}
	}
}

func TestPrecedence(t *testing.T) {
	for _, test := range []struct {
		name                       string
		flag, variable, file, none string // the setting's text where each is the first to give it
	}{
		{"store", "s3://f", "s3://v", "s3://m", ""},
		{"key", "alias/f,alias/g", "alias/v", "alias/m", "alias/microsecrets-{service}"},
		{"origin", "s3://f", "s3://v", "s3://m", ""},
		{"region", "eu-f-1", "eu-v-1", "eu-m-1", ""},
		{"profile", "f", "v", "m m", ""},
		{"bucket-owner", "111111111111", "222222222222", "333333333333", ""},
		{"by", "f", "v", "m", defaults.By()},
		{"sse", "aws:kms", "AES256", "aws:kms", ""},
		{"unsigned", "false", "true", "false", "false"},
		{"path-style", "false", "true", "false", "automatic"},
		{"timeout", "1s", "2m0s", "3h0m0s", "30s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := sandbox(t)
			rc := write(t, filepath.Join(dir, "rc"), "# settings\n"+test.name+"  "+test.file+"  # as for everybody\n")
			bare := write(t, filepath.Join(dir, "bare"), "")
			check := func(value, source string, args ...string) {
				t.Helper()
				if test.name != "store" {
					args = append(args, "-store", "s3://other")
				}
				for _, s := range mustResolve(t, args...).Describe() {
					if s.Name == test.name && (s.Value != value || s.Source != source) {
						t.Errorf("%q from %s, want %q from %s", s.Value, s.Source, value, source)
					}
				}
			}
			v := variable(test.name)
			t.Setenv(v, test.variable)
			check(test.flag, "-"+test.name, "-config", rc, "-"+test.name+"="+test.flag)
			check(test.variable, v, "-config", rc)
			t.Setenv(v, "")
			check(test.file, rc+":2", "-config", rc)
			if test.name != "store" {
				check(test.none, "default", "-config", bare)
				check(test.none, "default")
			}
		})
	}
}

// A region that the AWS SDK finds in a variable is shown with it.
func TestSDKRegion(t *testing.T) {
	sandbox(t)
	check := func(name, value, source string, args ...string) {
		t.Helper()
		for _, s := range mustResolve(t, append(args, "-store", "b")...).Describe() {
			if s.Name == name && (s.Value != value || s.Source != source) {
				t.Errorf("%s: %q from %s, want %q from %s", name, s.Value, s.Source, value, source)
			}
		}
	}
	t.Setenv("AWS_DEFAULT_REGION", "eu-default-1")
	check("region", "eu-default-1", "AWS_DEFAULT_REGION")
	t.Setenv("AWS_REGION", "eu-west-1")
	check("region", "eu-west-1", "AWS_REGION")
	check("region", "us-east-1", "-region", "-region", "us-east-1")
	t.Setenv("AWS_REGION", "Hunter2")
	check("region", "", "default")
	if s := mustResolve(t, "-store", "b"); s.Region != "" {
		t.Errorf("%+v", s)
	}
}

func TestDefaults(t *testing.T) {
	sandbox(t)
	s := mustResolve(t, "-store", "s3://b/p")
	if s.Store != "s3://b/p" || s.Key != "alias/microsecrets-{service}" || s.Timeout != 30*time.Second ||
		s.PathStyle != nil || s.Unsigned || s.By == "" || s.Origin+s.Region+s.Profile+s.BucketOwner+s.SSE+s.Config+s.File != "" {
		t.Errorf("%+v", s)
	}
	if s.Source("store") != "-store" || s.Source("key") != "default" {
		t.Errorf("store from %s, key from %s", s.Source("store"), s.Source("key"))
	}
}

func TestTypes(t *testing.T) {
	sandbox(t)
	s := mustResolve(t, "-store", "b", "-unsigned", "-path-style=0", "-timeout", "1m30s", "-by=")
	if !s.Unsigned || s.PathStyle == nil || *s.PathStyle || s.Timeout != 90*time.Second || s.By != "" {
		t.Errorf("%+v", s)
	}
	if s := mustResolve(t, "-store", "b", "-path-style"); s.PathStyle == nil || !*s.PathStyle {
		t.Errorf("-path-style: %v", s.PathStyle)
	}
	if s := mustResolve(t, "-store", "b", "-by", strings.Repeat("é", 128)); len(s.By) != 256 {
		t.Errorf("by of %d bytes", len(s.By))
	}
}

// The variables of a program's own flags, and what looks like a setting's, must
// have no influence.
func TestStrayVariables(t *testing.T) {
	dir := sandbox(t)
	for _, v := range []string{"MS_O", "MS_C", "MS_VERSION", "MS_F", "MS_V", "ms_store", "STORE", "MS_BUCKET-OWNER", "MS_"} {
		t.Setenv(v, "stray")
	}
	write(t, ".lazycred", `{"s3_path":"b/"}`)
	own := flag.NewFlagSet("", flag.ContinueOnError)
	o := own.String("o", "", "")
	f := Register(own)
	if err := own.Parse(nil); err != nil {
		t.Fatal(err)
	}
	s, err := f.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	if *o != "" || s.Store != "b" || s.File != filepath.Join(dir, "top/mid/low/.lazycred") {
		t.Errorf("-o is %q, store %q from %s", *o, s.Store, s.File)
	}
}

func TestWalk(t *testing.T) {
	const rc = "store s3://here"
	for _, test := range []struct {
		name  string
		files []string // all of them there; the first is the one to be read
		set   [2]string
		args  []string
	}{
		{name: "working directory", files: []string{"top/mid/low/.msrc", "top/mid/.msrc", "xdg/ms/msrc"}},
		{name: "folder above", files: []string{"top/mid/.msrc", "top/.msrc", "home/.msrc"}},
		{name: "two above", files: []string{"top/.msrc", "home/.config/ms/msrc"}},
		{name: "default of XDG_CONFIG_HOME", files: []string{"home/.config/ms/msrc", "home/.msrc", "xdg/ms/msrc"}},
		{name: "XDG_CONFIG_HOME", files: []string{"xdg/ms/msrc", "home/.config/ms/msrc", "home/.msrc"}, set: [2]string{"XDG_CONFIG_HOME", "@/xdg"}},
		{name: "relative XDG_CONFIG_HOME", files: []string{"home/.config/ms/msrc", "xdg/ms/msrc"}, set: [2]string{"XDG_CONFIG_HOME", "../../../xdg"}},
		{name: "home", files: []string{"home/.msrc"}},
		{name: "named by flag", files: []string{"xdg/other", "top/mid/low/.msrc"}, args: []string{"-config", "@/xdg/other"}},
		{name: "named by variable", files: []string{"xdg/other", "top/mid/low/.msrc"}, set: [2]string{"MS_CONFIG", "@/xdg/other"}},
		{name: "named beside a store", files: []string{"xdg/other", "top/.msrc"}, args: []string{"-store", "s3://here", "-config", "@/xdg/other"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := sandbox(t)
			for i, f := range test.files {
				text := rc
				if i > 0 {
					text = "store s3://elsewhere"
				}
				write(t, filepath.Join(dir, f), text)
			}
			if test.set[0] != "" {
				t.Setenv(test.set[0], strings.Replace(test.set[1], "@", dir, 1))
			}
			for i := range test.args {
				test.args[i] = strings.Replace(test.args[i], "@", dir, 1)
			}
			s := mustResolve(t, test.args...)
			if want := filepath.Join(dir, test.files[0]); s.Store != "s3://here" || s.File != want {
				t.Errorf("store %s from %s, want it from %s", s.Store, s.File, want)
			}
		})
	}
}

func TestNotLookedFor(t *testing.T) {
	sandbox(t)
	write(t, ".msrc", "this is no setting\n")
	if s := mustResolve(t, "-store", "b"); s.File != "" {
		t.Errorf("-store: read %s", s.File)
	}
	t.Setenv("MS_STORE", "b")
	if s := mustResolve(t); s.File != "" {
		t.Errorf("MS_STORE: read %s", s.File)
	}
}

func TestNoStore(t *testing.T) {
	dir := sandbox(t)
	_, err := resolve(t)
	wantError(t, err, "-store", "MS_STORE", ".msrc")
	_, err = resolve(t, "-store", "")
	wantError(t, err, "-store: empty")
	rc := write(t, filepath.Join(dir, "top/.msrc"), "region eu-west-1\n")
	write(t, filepath.Join(dir, "home/.msrc"), "store s3://b")
	_, err = resolve(t)
	wantError(t, err, rc+": sets no store")
}

func TestLazycred(t *testing.T) {
	const file = "{\n  \"s3_path\": \"bucket/credentials/\",\n  \"region\": \"us-east-1\",\n  \"key_alias\": \"some-key\"\n}\n"
	for _, test := range []struct {
		name                       string
		files                      [][2]string
		env                        [][2]string
		args                       []string
		store, key, region, source string
		err                        string
	}{
		{name: "in a folder", files: [][2]string{{"top/.lazycred", file}},
			store: "bucket/credentials", key: "alias/some-key", region: "us-east-1", source: "@/top/.lazycred:2"},
		{name: "at home", files: [][2]string{{"home/.lazycred", file}},
			store: "bucket/credentials", key: "alias/some-key", region: "us-east-1", source: "@/home/.lazycred:2"},
		{name: "bucket alone", files: [][2]string{{".lazycred", `{"s3_path":"bucket/"}`}},
			store: "bucket", key: defaults.Key, source: "@/top/mid/low/.lazycred:1"},
		{name: "beside .msrc", files: [][2]string{{".lazycred", file}, {".msrc", "store s3://b"}},
			store: "s3://b", key: defaults.Key, source: "@/top/mid/low/.msrc:1"},
		{name: "nearer than .msrc", files: [][2]string{{"top/mid/.lazycred", file}, {"top/.msrc", "store s3://b"}},
			store: "s3://b", key: defaults.Key, source: "@/top/.msrc:1"},
		{name: "flags go first", files: [][2]string{{".lazycred", file}}, args: []string{"-key", "alias/f", "-region", "r"},
			store: "bucket/credentials", key: "alias/f", region: "r", source: "@/top/mid/low/.lazycred:2"},
		{name: "not with an MS_ variable", files: [][2]string{{".lazycred", file}}, env: [][2]string{{"MS_REGION", "eu-west-1"}}, err: "no store"},
		{name: "named", files: [][2]string{{"xdg/.lazycred", file}}, args: []string{"-config", "@/xdg/.lazycred"},
			store: "bucket/credentials", key: "alias/some-key", region: "us-east-1", source: "@/xdg/.lazycred:2"},
		{name: "variables", env: [][2]string{{"LAZYCRED_S3_PATH", "bucket/x/"}, {"LAZYCRED_KEY_ALIAS", "k"}},
			store: "bucket/x", key: "alias/k", source: "LAZYCRED_S3_PATH"},
		{name: "variables, alias with its prefix", env: [][2]string{{"LAZYCRED_S3_PATH", "bucket/x/"}, {"LAZYCRED_KEY_ALIAS", "alias/k"}},
			store: "bucket/x", key: "alias/k", source: "LAZYCRED_S3_PATH"},
		{name: "path alone", env: [][2]string{{"LAZYCRED_S3_PATH", "bucket"}},
			store: "bucket", key: defaults.Key, source: "LAZYCRED_S3_PATH"},
		{name: "alias alone", env: [][2]string{{"LAZYCRED_KEY_ALIAS", "k"}}, err: "no store"},
		{name: "alias with another store", env: [][2]string{{"LAZYCRED_S3_PATH", "bucket"}, {"LAZYCRED_KEY_ALIAS", "k"}}, args: []string{"-store", "b"},
			store: "b", key: defaults.Key, source: "-store"},
		{name: "variables after a file", env: [][2]string{{"LAZYCRED_S3_PATH", "bucket"}, {"LAZYCRED_KEY_ALIAS", "k"}}, files: [][2]string{{"home/.msrc", "store s3://b"}},
			store: "s3://b", key: defaults.Key, source: "@/home/.msrc:1"},
		{name: "variables and an MS_ variable", env: [][2]string{{"LAZYCRED_S3_PATH", "bucket"}, {"MS_KEY", "k"}}, err: "no store"},
		{name: "two keys in one", env: [][2]string{{"LAZYCRED_S3_PATH", "bucket"}, {"LAZYCRED_KEY_ALIAS", "a,b"}}, err: "LAZYCRED_KEY_ALIAS: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := sandbox(t)
			for _, f := range test.files {
				path := f[0]
				if strings.Contains(path, "/") {
					path = filepath.Join(dir, path)
				}
				write(t, path, f[1])
			}
			for _, e := range test.env {
				t.Setenv(e[0], e[1])
			}
			for i := range test.args {
				test.args[i] = strings.Replace(test.args[i], "@", dir, 1)
			}
			s, err := resolve(t, test.args...)
			if test.err != "" {
				wantError(t, err, test.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.Store != test.store || s.Key != test.key || s.Region != test.region {
				t.Errorf("store %q, key %q, region %q", s.Store, s.Key, s.Region)
			}
			if want := strings.Replace(test.source, "@", dir, 1); s.Source("store") != want {
				t.Errorf("store from %s, want %s", s.Source("store"), want)
			}
		})
	}
}

// canary stands in every refused value: no error may hold any part of it.
const canary = "hunter2"

func TestRefused(t *testing.T) {
	long := strings.Repeat(canary, 40)
	for name, bad := range map[string][]string{
		"store":        {canary + "\x00", canary + "\xff"},
		"key":          {canary + "\n"},
		"origin":       {canary + "\x1b"},
		"region":       {canary + "\t"},
		"profile":      {canary + "\x7f"},
		"bucket-owner": {canary, "12345678901", "1234567890123", "12345678901x", "١٢٣٤٥٦"},
		"by":           {long, canary + "\r", canary + "\u0085"},
		"sse":          {canary, "aes256", "aws:kms "},
		"unsigned":     {canary, "yes"},
		"path-style":   {canary, "auto"},
		"timeout":      {canary, "30", "0", "0s", "-1s", canary + "s"},
		"config":       {canary, "/" + canary + "/" + canary},
	} {
		for _, v := range bad {
			t.Run(name, func(t *testing.T) {
				dir := sandbox(t)
				args := []string{"-store", "b"}
				if name == "store" {
					args = nil
				}
				check := func(source string, args ...string) {
					t.Helper()
					_, err := resolve(t, args...)
					wantError(t, err, source+": ")
					if err != nil && strings.Contains(err.Error(), canary) {
						t.Errorf("the error holds the value: %q", err)
					}
				}
				check("-"+name, append(args, "-"+name+"="+v)...)
				if !strings.Contains(v, "\x00") {
					t.Setenv(variable(name), v)
					check(variable(name), args...)
					t.Setenv(variable(name), "")
				}
				if strings.Contains(v, "\n") {
					return
				}
				rc := write(t, filepath.Join(dir, "rc"), "\n"+name+" "+strings.TrimSpace(v)+"\n")
				if strings.TrimSpace(v) == v {
					check(rc+":2", append(args, "-config", rc)...)
				}
			})
		}
	}
}

func TestMsrc(t *testing.T) {
	for _, test := range []struct {
		name, text, line, err string
	}{
		{"unknown setting", "store b\n" + canary + " x\n", "2", "not a setting"},
		{"a value alone", canary, "1", "not a setting"},
		{"own flag of a program", "store b\no " + canary, "2", "not a setting"},
		{"name of a variable", "MS_STORE " + canary, "1", "not a setting"},
		{"upper case", "\n\nSTORE " + canary, "3", "not a setting"},
		{"hyphen", "-store " + canary, "1", "not a setting"},
		{"equals sign", "store=" + canary, "1", "not a setting"},
		{"config", "config " + canary, "1", "cannot be set in a file"},
		{"repeated", "store b\n# again\nstore " + canary, "3", "store is set a second time"},
		{"repeated switch", "unsigned\nunsigned true\nstore " + canary, "2", "unsigned is set a second time"},
		{"tab", "store\t" + canary, "1", "a tab"},
		{"tab in a comment", "store b\n#\t" + canary, "2", "a tab"},
		{"carriage return", "store " + canary + "\r\n", "1", "control character"},
		{"nul", "store " + canary + "\x00", "1", "control character"},
		{"not UTF-8", "store " + canary + "\xff", "1", "UTF-8"},
		{"byte order mark", "\ufeffstore " + canary, "1", "not a setting"},
		{"no value", "store", "1", "store has no value"},
		{"spaces for a value", "store   ", "1", "store has no value"},
		{"comment for a value", "store # " + canary, "1", "store has no value"},
		{"long line", "store b\nby " + strings.Repeat("x", 5000), "2", "4096 bytes"},
		{"value refused", "store b\nsse " + canary, "2", "sse: neither"},
		{"long comment", "#" + strings.Repeat("x", 4096), "1", "4096 bytes"},
		{"line longer than a scanner's buffer", "store " + strings.Repeat("x", 65000) + "\nregion r", "1", "4096 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := sandbox(t)
			rc := write(t, filepath.Join(dir, "top/.msrc"), test.text)
			_, err := resolve(t)
			wantError(t, err, rc+":"+test.line+": ", test.err)
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error holds the line: %q", err)
			}
		})
	}
}

func TestMsrcForms(t *testing.T) {
	sandbox(t)
	write(t, ".msrc", "  # a comment\n\n store   s3://b/p#1   # ours\nunsigned\npath-style # on\nkey alias/a, alias/b\n"+
		"profile "+strings.Repeat("p", maxLine-8))
	s := mustResolve(t)
	if s.Store != "s3://b/p#1" || !s.Unsigned || s.PathStyle == nil || !*s.PathStyle || s.Key != "alias/a, alias/b" || len(s.Profile) != maxLine-8 {
		t.Errorf("%+v", s)
	}
}

func TestLazycredRefused(t *testing.T) {
	for _, test := range []struct {
		name, text, at, err string
	}{
		{"empty", "", ":1", "not a JSON object"},
		{"array", "[\"" + canary + "\"]", ":1", "not a JSON object"},
		{"not JSON", "{\n" + canary + "}", ":2", "not JSON"},
		{"cut", "{\"s3_path\":\n\"" + canary + "\"", ":2", "not JSON"},
		{"trailing comma", "{\"s3_path\":\"" + canary + "\",}", ":1", "not JSON"},
		{"more", "{\"s3_path\":\"" + canary + "\"}\n{}", ":2", "more than one"},
		{"more that is no JSON", "{\"s3_path\":\"b\"}\n" + canary, ":2", "more than one"},
		{"unknown", "{\n\"" + canary + "\": \"x\"}", ":2", "not a setting"},
		{"other case", "{\"S3_PATH\": \"" + canary + "\"}", ":1", "not a setting"},
		{"repeated", "{\"s3_path\":\"b\",\n\"s3_path\":\"" + canary + "\"}", ":2", "s3_path is set a second time"},
		{"number", "{\"s3_path\": 1}", ":1", "not a string"},
		{"null", "{\"s3_path\": null}", ":1", "not a string"},
		{"nested", "{\"s3_path\": {\"x\": \"" + canary + "\"}}", ":1", "not a string"},
		{"without a path", "{\"region\": \"" + canary + "\"}", "", "s3_path is missing"},
		{"empty path", "{\"s3_path\": \"\"}", ":1", "s3_path is empty"},
		{"slash for a path", "{\"s3_path\": \"/\"}", ":1", "s3_path is empty"},
		{"NUL", "{\"s3_path\": \"" + canary + `\u0000"}`, ":1", "control character"},
		{"not UTF-8", "{\"s3_path\": \"" + canary + "\xff\"}", "", "UTF-8"},
		{"alias of two keys", "{\"s3_path\": \"b\", \"key_alias\": \"" + canary + ",k\"}", ":1", "key_alias"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sandbox(t)
			path := write(t, ".lazycred", test.text)
			_, err := resolve(t)
			wantError(t, err, path+test.at+": ", test.err)
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error holds what the file does: %q", err)
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	dir := sandbox(t)
	_, err := resolve(t, "-config", filepath.Join(dir, canary))
	wantError(t, err, "-config: ", "no such file")
	if strings.Contains(err.Error(), canary) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%q", err)
	}
	t.Setenv("MS_CONFIG", filepath.Join(dir, canary))
	_, err = resolve(t, "-store", "b")
	wantError(t, err, "MS_CONFIG: ", "no such file")
	t.Setenv("MS_CONFIG", "")

	_, err = resolve(t, "-config", dir)
	wantError(t, err, "-config: not a regular file")

	rc := filepath.Join(dir, "top/mid/.msrc")
	if err := os.Mkdir(rc, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "top/.msrc"), "store s3://b")
	_, err = resolve(t)
	wantError(t, err, rc+": not a regular file")
	os.Remove(rc)

	write(t, rc, "store s3://b\n"+strings.Repeat("# more\n", maxFile/7))
	_, err = resolve(t)
	wantError(t, err, rc+": larger than 64 KiB")
}

// A path is shown in full, but never as it would act on a terminal.
func TestPathInError(t *testing.T) {
	dir := sandbox(t)
	odd := filepath.Join(dir, "\x1b[31m")
	if err := os.Mkdir(odd, 0o700); err != nil {
		t.Skip(err)
	}
	t.Chdir(odd)
	write(t, ".msrc", "store")
	_, err := resolve(t)
	wantError(t, err, `\x1b[31m/.msrc":1: store has no value`)
	if strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%q", err)
	}
}

func fuzzParser(f *testing.F, parse func(string, []byte) ([]line, error), seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, err := parse("F", b)
		if err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) || !strings.HasPrefix(e.Source, "F") {
				t.Fatalf("error %#v", err)
			}
			if len(err.Error()) > 200 {
				t.Fatalf("an error that may hold what the file does: %q", err)
			}
			return
		}
		seen := map[string]bool{}
		for _, l := range lines {
			if seen[l.name] {
				t.Fatalf("%s twice", l.name)
			}
			seen[l.name] = true
			if l.value == "" && l.name != "region" || !strings.HasPrefix(l.source, "F:") {
				t.Fatalf("%+v", l)
			}
			if _, ok := find(l.name); !ok || l.name == "config" {
				t.Fatalf("%s set in a file", l.name)
			}
		}
	})
}

func FuzzMsrc(f *testing.F) {
	fuzzParser(f, parseMsrc, "store s3://b/p # x\nunsigned\n", "# x\n\nkey a,b", "store\t", "STORE x", "by", "store b\nstore b", "-store b", "\x00", "timeout 3s\r\n")
}

func FuzzLazycred(f *testing.F) {
	fuzzParser(f, parseLazycred, `{"s3_path":"b/p/","region":"r","key_alias":"k"}`, `{}`, `{"s3_path":1}`, `{"s3_path":"b"`, `[]`, `{"s3_path":"b","s3_path":"b"}`, `{"s3_path":"b"}{}`, "{1:2}", `{"s3_path":"b",}`)
}

func variable(name string) string { return setting{name: name}.variable() }
