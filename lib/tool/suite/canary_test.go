package suite_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/tool/suite"
)

// canary is the secret that no message may hold.
const canary = "Canary0hunter2Canary1"

// leaks are what gives the canary away: itself, in hex, in base64 at each of the
// three offsets that it can have, and its hash, by which it could be guessed.
var leaks = func() [][]byte {
	sum := sha256.Sum256([]byte(canary))
	found := []string{canary, hex.EncodeToString([]byte(canary)), hex.EncodeToString(sum[:])}
	for offset := range 3 {
		// Without the characters that also depend on what is around it.
		text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + canary))
		found = append(found, text[(offset*8+5)/6:len(text)-1])
	}
	var forms [][]byte
	for _, f := range found {
		forms = append(forms, []byte(f), []byte(strings.ToUpper(f)))
	}
	return forms
}()

func leaky(b []byte) bool {
	return slices.ContainsFunc(leaks, func(form []byte) bool { return bytes.Contains(b, form) })
}

// An attempt is a call that must fail without a word of the canary.
type attempt struct {
	args   []string
	stdin  string
	msrc   string   // the file above the working directory
	env    []string // beside the emulator's
	status int
}

// A workspace is where calls are made: a server and a working directory.
type workspace struct {
	*testing.T
	server *fakeawstest.Server
	dir    string // the working directory is below it
}

func newWorkspace(t *testing.T) *workspace {
	w := &workspace{t, fakeawstest.Start(t), t.TempDir()}
	for name, text := range map[string]string{
		"s/pass":   canary,
		"s/bad":    canary,
		"s/env":    `{"A":"` + canary + `","B":"x\n` + canary + `"}`,
		"s/lines":  "A=1\n" + canary + "\n",
		"s/steer":  "PATH=" + canary + "\n",
		"s/nul":    canary + "\x00",
		"s/change": canary + "\n",
		"s/huge":   strings.Repeat(canary, 10_000),
	} {
		w.put(name, text)
	}
	w.server.Do("flip s/bad -1", "copy s/pass s/moved", "write s/clear "+canary)
	return w
}

func (w *workspace) put(name, text string) {
	w.Helper()
	if status, _, stderr := w.call(attempt{args: []string{"ms-put", "-q", name}, stdin: text}); status != 0 {
		w.Fatalf("ms-put %s: status %d: %s", name, status, stderr)
	}
}

// call runs a program in an empty working directory.
func (w *workspace) call(f attempt) (status int, stdout, stderr []byte) {
	w.Helper()
	work := filepath.Join(w.dir, "work")
	for _, err := range []error{
		os.RemoveAll(work),
		os.Mkdir(work, 0o700),
		os.WriteFile(filepath.Join(w.dir, ".msrc"), []byte(f.msrc), 0o600),
		os.WriteFile(filepath.Join(w.dir, "file"), []byte(canary), 0o600),
	} {
		if err != nil {
			w.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	cmd := exec.Command(f.args[0], f.args[1:]...)
	cmd.Dir = work
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "AWS_MAX_ATTEMPTS=1", "GORACE=atexit_sleep_ms=0"}, w.server.Environ()...)
	cmd.Env = append(cmd.Env, f.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(f.stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.Bytes(), errs.Bytes()
}

// fails wants a call to fail with its status and without the canary, in what it
// prints and in every file that it leaves.
func (w *workspace) fails(f attempt, because string) {
	w.Helper()
	status, stdout, stderr := w.call(f)
	if status != f.status || len(stderr) == 0 {
		w.Errorf("%q %s: status %d, not %d: %s", f.args, because, status, f.status, stderr)
	}
	if len(stdout) > 0 || leaky(stderr) {
		w.Errorf("%q %s says too much:\n%s%s", f.args, because, stdout, stderr)
	}
	err := filepath.WalkDir(filepath.Join(w.dir, "work"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if leaky(b) || leaky([]byte(path)) {
			w.Errorf("%q %s leaves the canary in %s", f.args, because, path)
		}
		return err
	})
	if err != nil {
		w.Error(err)
	}
}

// unusable are settings with values that no program can use.
var unusable = [][]string{
	{"-unsigned=" + canary}, {"-path-style=" + canary}, {"-timeout", canary}, {"-bucket-owner", canary}, {"-sse", canary}, {"-config", canary},
	{"-store", canary + "/../x"}, {"-origin", canary + "//x"}, {"-by", strings.Repeat(canary, 20)},
}

// turn reports whether row i meets column j: always, but for -short, under which
// each row meets every third column, and each column every third row.
func turn(i, j int) bool { return !testing.Short() || (i+j)%3 == 0 }

// The search for the canary finds it where it is.
func TestCanarySings(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		canary,
		hex.EncodeToString([]byte("some" + canary + "more")),
		base64.StdEncoding.EncodeToString([]byte(canary)),
		base64.StdEncoding.EncodeToString([]byte("a" + canary + "bc")),
		base64.URLEncoding.EncodeToString([]byte("ab" + canary + "c")),
	} {
		if !leaky([]byte(text)) {
			t.Errorf("%s passes", text)
		}
	}
	w := newWorkspace(t)
	if status, stdout, _ := w.call(attempt{args: []string{"ms-get", "s/pass"}}); status != 0 || !leaky(stdout) {
		t.Error("ms-get does not give the canary")
	}
	if status, stdout, _ := w.call(attempt{args: []string{"ms-exec", "s/env", "--", "env"}}); status != 0 || !leaky(stdout) {
		t.Error("ms-exec does not give the canary")
	}
}

// Every request of every program meets every fault.
func TestCanaryFaults(t *testing.T) {
	faults := []struct {
		line   string // REQUEST stands for the request
		status int
		waits  bool
	}{
		{"fault throttle REQUEST", 7, false},
		{"fault drop REQUEST", 7, false},
		{"fault answer 500 InternalError REQUEST", 7, false},
		{"fault answer 400 Strange REQUEST", 1, false},
		{"fault answer 403 AccessDenied REQUEST", 4, false},
		{"fault answer 403 ExpiredToken REQUEST", 4, false},
		{"fault hold REQUEST", 7, true},
	}
	large := strings.Repeat(canary, (9<<20)/len(canary)) // in parts
	type row struct {
		program  string
		requests []string
		large    bool // of secrets that are sent in parts
		calls    []attempt
	}
	rows := []row{
		{"ms-put", []string{"GenerateDataKey", "PutObject"}, false, []attempt{
			{args: []string{"ms-put", "-v", "s/new"}, stdin: canary},
			{args: []string{"ms-put", "-v", "-sum", "s/new", "../file"}},
			{args: []string{"ms-put", "-v", "s/new", "--", "echo", canary}},
			{args: []string{"ms-put", "-v", "-json", "s/new"}, stdin: canary},
			{args: []string{"ms-put", "-v", "-e", "s/new"}, stdin: "A=" + canary},
		}},
		{"ms-put", []string{"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}, true, []attempt{
			{args: []string{"ms-put", "-v", "s/new"}, stdin: large},
		}},
		{"ms-put", []string{"GetObject", "Decrypt", "GenerateDataKey", "PutObject"}, false, []attempt{
			{args: []string{"ms-put", "-v", "-e", "-merge", "s/env"}, stdin: "C=" + canary},
			{args: []string{"ms-put", "-v", "-u", "A", "s/env"}},
			{args: []string{"ms-put", "-v", "-k", "C", "s/env"}, stdin: canary},
		}},
		{"ms-edit", []string{"GetObject", "Decrypt", "GenerateDataKey", "PutObject"}, false, []attempt{
			{args: []string{"ms-edit", "-v", "s/pass"}, env: []string{"EDITOR=sed -i s/Canary0/xCanary0/"}},
			{args: []string{"ms-edit", "-v", "-json", "s/env"}, env: []string{"EDITOR=sed -i s/Canary0/xCanary0/"}},
		}},
		{"ms-get", []string{"GetObject", "Decrypt"}, false, []attempt{
			{args: []string{"ms-get", "-v", "s/pass"}},
			{args: []string{"ms-get", "-v", "s/pass", "s/env"}},
			{args: []string{"ms-get", "-v", "-o", "out", "s/pass"}},
			{args: []string{"ms-get", "-v", "-d", "out", "s/pass"}},
			{args: []string{"ms-get", "-v", "-k", "A", "s/env"}},
			{args: []string{"ms-get", "-v", "-f", "sh", "-o", "out", "s/env"}},
		}},
		{"ms-get", []string{"GetObject", "Decrypt"}, true, []attempt{
			{args: []string{"ms-get", "-v", "s/large"}},
			{args: []string{"ms-get", "-v", "-o", "out", "s/large"}},
		}},
		{"ms-ls", []string{"ListObjectsV2"}, false, []attempt{
			{args: []string{"ms-ls", "-v"}},
			{args: []string{"ms-ls", "-v", "-l", "-top", "s/"}},
		}},
		{"ms-ls", []string{"ListObjectVersions"}, false, []attempt{
			{args: []string{"ms-ls", "-v", "-versions", "-l", "s/"}},
		}},
		{"ms-exec", []string{"GetObject", "Decrypt"}, false, []attempt{
			{args: []string{"ms-exec", "-v", "s/env", "--", "env"}},
			{args: []string{"ms-exec", "-v", "P=s/pass", "--", "env"}},
			{args: []string{"ms-exec", "-v", "-file", "out=s/pass", "--", "env"}},
		}},
		{"ms-rm", []string{"DeleteObject"}, false, []attempt{
			{args: []string{"ms-rm", "-v", "s/pass"}},
			{args: []string{"ms-rm", "-v", "-"}, stdin: "s/pass\ns/env\n"},
		}},
		{"ms-rm", []string{"ListObjectVersions"}, false, []attempt{
			{args: []string{"ms-rm", "-v", "-purge", "s/pass"}},
		}},
		{"ms-rotate", []string{"GetObject", "Decrypt", "GenerateDataKey", "PutObject"}, false, []attempt{
			{args: []string{"ms-rotate", "-v", "-from", "alias/microsecrets-s", "s/pass"}, env: []string{"MS_KEY=alias/microsecrets-next"}},
		}},
		{"ms-rotate", []string{"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}, true, []attempt{
			{args: []string{"ms-rotate", "-v", "-from", "alias/microsecrets-s", "s/large"}, env: []string{"MS_KEY=alias/microsecrets-next"}},
		}},
		{"ms-rotate", []string{"ListObjectsV2"}, false, []attempt{
			{args: []string{"ms-rotate", "-v", "s/"}},
		}},
		{"ms-cp", []string{"GetObject", "Decrypt", "GenerateDataKey", "PutObject"}, false, []attempt{
			{args: []string{"ms-cp", "-v", "s/pass", "s/copy"}},
			{args: []string{"ms-cp", "-v", "-to-key", "alias/microsecrets-next", "s/pass", "s/copy"}},
			{args: []string{"ms-cp", "-v", "-force", "s/pass", "s/env"}},
		}},
		{"ms-cp", []string{"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}, true, []attempt{
			{args: []string{"ms-cp", "-v", "s/large", "s/copy"}},
		}},
		{"ms-cp", []string{"ListObjectsV2"}, false, []attempt{
			{args: []string{"ms-cp", "-v", "s/", "copies/"}},
		}},
		{"ms-diff", []string{"GetObject", "Decrypt"}, false, []attempt{
			{args: []string{"ms-diff", "-v", "s/pass", "s/env"}},
			{args: []string{"ms-diff", "-v", "-json", "s/env", "s/huge"}},
			{args: []string{"ms-diff", "-v", "-with", "s3://example-microsecrets", "s/env"}},
		}},
		{"ms-diff", []string{"ListObjectVersions"}, false, []attempt{
			{args: []string{"ms-diff", "-v", "s/pass"}},
		}},
		{"ms-diff", []string{"ListObjectsV2"}, false, []attempt{
			{args: []string{"ms-diff", "-v", "s/", "t/"}},
		}},
		{"ms-init", []string{"GetPublicAccessBlock", "GetBucketVersioning", "GetKeyRotationStatus"}, false, []attempt{
			{args: []string{"ms-init", "-v", "s"}},
		}},
		{"ms-init", []string{"DescribeKey"}, false, []attempt{
			{args: []string{"ms-init", "-v", "s"}},
			{args: []string{"ms-init", "-v", "-policy", "reader", "s"}},
		}},
		{"ms-check", nil, false, nil}, // TestCanaryCheck
		{"ms-dev", nil, false, nil},   // asks nobody
	}
	for _, p := range suite.Programs {
		if !slices.ContainsFunc(rows, func(row row) bool { return row.program == p.Name }) {
			t.Errorf("%s meets no fault", p.Name)
		}
	}
	for _, row := range rows {
		if row.requests == nil || testing.Short() && row.large {
			continue
		}
		t.Run(row.program+" "+strings.Join(row.requests, " "), func(t *testing.T) {
			t.Parallel()
			w := newWorkspace(t)
			if row.large {
				w.put("s/large", large)
			}
			for _, request := range row.requests {
				for i, fault := range faults {
					if testing.Short() && fault.waits {
						continue
					}
					line := strings.ReplaceAll(fault.line, "REQUEST", request)
					w.server.Do(line)
					for j, call := range row.calls {
						if !turn(i, j) {
							continue
						}
						call.status = fault.status
						switch {
						case row.program == "ms-exec":
							call.status = 125
						case row.program == "ms-diff" && call.status == 1: // which says that something differs
							call.status = 2
						}
						call.env = append(call.env, "MS_TIMEOUT=500ms")
						w.fails(call, "at "+line)
					}
					w.server.Do("clear")
				}
			}
		})
	}
}

// What is stored in clear, or altered, is read for its header, and not shown.
func TestCanaryClaims(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	for _, format := range []string{"-v", "-json"} {
		status, stdout, stderr := w.call(attempt{args: []string{"ms-ls", "-versions", "-l", format, "s/"}})
		if status != 0 || !bytes.Contains(stdout, []byte("s/clear")) || leaky(stdout) || leaky(stderr) {
			t.Errorf("status %d:\n%s%s", status, stdout, stderr)
		}
	}
}

// What is wrong with stored secrets, arguments, input and settings.
func TestCanaryMistakes(t *testing.T) {
	t.Parallel()
	var rows []attempt
	add := func(status int, args ...string) { rows = append(rows, attempt{args: args, status: status}) }
	input := func(status int, stdin string, args ...string) {
		rows = append(rows, attempt{args: args, stdin: stdin, status: status})
	}

	// Stored secrets: altered, moved, in clear, under another key, unsigned.
	for _, name := range []string{"s/bad", "s/moved", "s/clear"} {
		add(5, "ms-get", "-v", name)
		add(5, "ms-get", "-v", "-o", "out", name)
		add(5, "ms-get", "-v", "-d", "out", name)
		add(5, "ms-get", "-v", "s/pass", name)
		add(5, "ms-cp", "-v", name, "s/new")
		add(5, "ms-cp", "-v", "s/pass", name)
		add(125, "ms-exec", "-v", "P="+name, "--", "env")
		add(125, "ms-exec", "-v", "-file", "out="+name, "--", "env")
		add(125, "ms-exec", "-v", "-file", "out=s/pass", name, "--", "env")
	}
	add(5, "ms-get", "-v", "-c", strings.Repeat("0", 64), "s/pass")
	add(5, "ms-get", "-v", "-o", "out", "-c", strings.Repeat("0", 40), "s/pass")
	add(125, "ms-exec", "-v", "-c", strings.Repeat("0", 64), "s/env", "--", "env")

	for _, name := range []string{"s/bad", "s/moved", "s/clear"} {
		add(5, "ms-diff", "-v", "s/pass", name)
		add(5, "ms-diff", "-v", name, "s/env")
	}

	// Secrets that are not environments, or not those that are wanted.
	for _, name := range []string{"s/pass", "s/lines"} {
		add(1, "ms-get", "-v", "-k", "A", name)
		add(1, "ms-get", "-v", "-f", "sh", name)
		add(1, "ms-get", "-v", "-f", "json", "-o", "out", name)
		add(125, "ms-exec", "-v", name, "--", "env")
	}
	add(1, "ms-get", "-v", "-k", "NONE", "s/env")
	add(1, "ms-get", "-v", "-f", "lines", "s/env")
	add(1, "ms-get", "-v", "-f", "sh", "-only", "A", "s/env")
	add(1, "ms-get", "-v", "-f", "sh", "-need", "A NONE", "s/env")
	add(1, "ms-get", "-v", "-f", "names", "-need", "NONE", "-o", "out", "s/env")
	add(1, "ms-get", "-v", "-f", "json", "-need", "NONE", "-d", "out", "s/env")
	add(2, "ms-get", "-v", "-f", "json", "-need", canary+"-", "s/env")
	add(1, "ms-get", "-v", "-f", "sh", "s/steer")
	add(1, "ms-get", "-v", "-f", "github", "s/steer")
	add(125, "ms-exec", "-v", "-only", "A", "s/env", "--", "env")
	add(125, "ms-exec", "-v", "s/steer", "--", "env")
	add(125, "ms-exec", "-v", "P=s/nul", "--", "env")
	add(125, "ms-exec", "-v", "P=s/huge", "--", "env")
	add(125, "ms-exec", "-v", "-strict", "A=s/pass", "s/env", "--", "env")
	add(127, "ms-exec", "-v", "s/env", "--", "no-such-command")
	add(126, "ms-exec", "-v", "-file", "out=s/pass", "s/env", "--", "/")

	// Editors that fail in each way, and texts that cannot be stored.
	edit := func(status int, editor string, args ...string) {
		rows = append(rows, attempt{args: append([]string{"ms-edit", "-v"}, args...), env: []string{"EDITOR=" + editor}, status: status})
	}
	for _, name := range []string{"s/bad", "s/moved", "s/clear"} {
		edit(5, "true", name)
	}
	edit(3, "true", "s/none")
	edit(1, "true", "s/nul")
	edit(1, "true", "-e", "s/pass")
	edit(1, "true", "-f", "lines", "s/env")
	edit(2, "true", "-f", canary, "s/env")
	edit(2, "true", "-e="+canary, "s/env")
	edit(1, "true", "-d", canary, "s/pass")
	edit(1, "true", "-d", "../file", "s/pass")
	edit(1, "no-such-editor "+canary, "s/pass")
	edit(1, "rm", "s/pass")
	for _, run := range []string{`echo ` + canary + ` >"$1"; exit 3`, `echo ` + canary + ` >"$1"; kill -9 $$`, `cp "$1" "$1~"; mv "$1" "${1%/*}/x"`, `rm "$1"; mkdir "$1"`} {
		edit(1, "sh -c '"+run+"' sh", "s/pass")
	}
	edit(2, `sh -c ': >"$1"' sh`, "s/pass")
	edit(6, `sh -c 'echo `+canary+`1 >"$1"; echo `+canary+`2 | ms-put -q s/change' sh`, "s/change")
	for _, text := range []string{canary, canary + " =1", `A="` + canary + `"`, `{"A":"` + canary, "A=" + canary + "\nA=1"} {
		edit(1, `sh -c 'printf "%b" "`+strings.ReplaceAll(text, `"`, `\"`)+`" >"$1"' sh`, "-e", "s/newenv")
		edit(1, `sh -c 'printf "%b" "`+strings.ReplaceAll(text, `"`, `\"`)+`" >"$1"' sh`, "s/env")
	}

	// Secrets in arguments: where a FILE, a flag, its value or a SOURCE is meant.
	add(1, "ms-put", "-v", "s/new", canary)
	add(2, "ms-put", "-v", "s/new", "../file", canary)
	add(2, "ms-put", "-v", "s/new="+canary, "../file")
	add(2, "ms-put", "-v", "s/new="+canary)
	add(1, "ms-get", "-v", "-k", canary, "s/env")
	add(127, "ms-exec", "-v", "s/env", "--", "A="+canary, "env")
	add(127, "ms-exec", "-v", "s/env", "--", "./A="+canary, "env")
	add(2, "ms-put", "-v", "s/new", "-"+canary)
	add(1, "ms-put", "-v", "s/new", "--", "no-such-command", canary)
	add(1, "ms-put", "-v", "s/new", "--", "A="+canary, "env")
	add(1, "ms-put", "-v", "s/new", "--", "/", canary)
	add(1, "ms-put", "-v", "s/new", "--", "sh", "-c", "echo "+canary+"; exit 3")
	add(2, "ms-put", "-v", "s/new", "../file", "--", "echo", canary)
	add(2, "ms-put", "-v", "-k", canary+"-", "s/env")
	add(2, "ms-put", "-v", "-k", "A="+canary, "s/env")
	add(1, "ms-put", "-v", "-k", "A", "s/lines", "../file")
	add(125, "ms-exec", "-v", "P="+canary, "--", "env")
	for _, value := range []string{"x://u:" + canary + "@h/d", canary + "/x\n"} {
		add(125, "ms-exec", "-v", "P="+value, "--", "env")
		add(125, "ms-exec", "-v", "-mem", "P="+value, "--", "env")
		add(125, "ms-exec", "-v", "-file", "out="+value, "--", "env")
	}
	add(125, "ms-exec", "-v", canary+"-=s/pass", "--", "env")
	add(125, "ms-exec", "-v", "s/env", "-"+canary, "--", "env")
	add(125, "ms-exec", "-v", "-"+canary, "s/env", "env")
	add(125, "ms-exec", "-v", "-u", "A="+canary, "s/env", "--", "env")
	add(125, "ms-exec", "-v", "-file", canary, "--", "env")
	add(125, "ms-exec", "-v", "-file", canary+"/x=s/pass", "--", "env")
	add(125, "ms-exec", "-v", "-mem", canary, "--", "env")
	add(1, "ms-get", "-v", "-o", canary+"/x", "s/pass")
	add(1, "ms-get", "-v", "-d", "../file/"+canary, "s/pass")
	add(2, "ms-get", "-v", "s/pass", "-"+canary)
	add(2, "ms-diff", "-v", "s/pass", "-"+canary)
	add(2, "ms-diff", "-v", "-with", canary+"/../x", "s/pass")
	add(2, "ms-diff", "-v", "-with", "s3://example-microsecrets", "-with-region", canary+"!", "s/pass")
	add(3, "ms-diff", "-v", "s/pass")
	add(2, "ms-get", "-v", "-k", canary+" x", "s/env")
	add(2, "ms-get", "-v", "-c", canary+"="+strings.Repeat("0", 64), "s/env")
	add(2, "ms-put", "-v", "-e", "-f", canary, "s/new")
	add(2, "ms-get", "-v", "-f", canary, "s/env")
	add(2, "ms-cp", "-v", "-c", canary, "s/env", "s/new")
	add(2, "ms-cp", "-v", "-to", canary+"/../x", "s/env", "s/new")
	add(2, "ms-cp", "-v", "-to", "s3://example-other", "-to-owner", canary, "s/env", "s/new")
	add(2, "ms-cp", "-v", "-to", "s3://example-other", "-to-region", canary+" x", "s/env", "s/new")
	add(6, "ms-cp", "-v", "s/env", "s/pass")
	for i, p := range suite.Programs {
		program, status, rest := p.Name, 2, []string{"s/env"}
		switch program {
		case "ms-dev":
			add(125, program, "-"+canary)
			add(125, program, "-version="+canary)
			continue
		case "ms-exec":
			status, rest = 125, []string{"s/env", "--", "env"}
		}
		flags := [][]string{
			{"-" + canary}, {"-p=" + canary}, {"-v=" + canary},
		}
		if program != "ms-check" { // TestCanaryCheck: it looks on
			flags = append(flags, unusable...)
		}
		if program == "ms-get" || program == "ms-exec" {
			flags = append(flags, []string{"-c", canary}, []string{"-only", canary + "-"})
		}
		for j, f := range flags {
			if !turn(i, j) {
				continue
			}
			add(status, slices.Concat([]string{program, "-v"}, f, rest)...)
		}
	}

	// Input that is not an environment.
	for _, text := range []string{
		canary, "A=1\n" + canary, canary + " =1", "A=" + canary + "\nA=" + canary, "A=\"" + canary + "\"", "A=" + canary + "\x00",
		`{"A":"` + canary, `{"A":{"B":"` + canary + `"}}`, `{"` + canary + `-":"1"}`, `{"A":"` + canary + `","A":"` + canary + `"}`, `{} ` + canary,
	} {
		input(1, text, "ms-put", "-v", "-e", "s/new")
	}
	for _, text := range []string{"A=\"" + canary, "A='" + canary + "' x", canary} {
		input(1, text, "ms-put", "-v", "-e", "-f", "dotenv", "s/new")
	}
	input(2, "", "ms-put", "-v", "-e", "s/new")
	input(1, "a-b="+canary+"\nA_B="+canary, "ms-put", "-v", "-e", "-upper", "s/new")
	input(1, canary+"\x00", "ms-put", "-v", "-k", "A", "s/env")
	input(1, canary+"\xff", "ms-put", "-v", "-k", "A", "s/env")

	// Settings: of variables that cannot be used, and of lines.
	for _, variable := range []string{
		"MS_STORE=" + canary + "/../x", "MS_ORIGIN=" + canary + "//x", "MS_UNSIGNED=" + canary, "MS_PATH_STYLE=" + canary, "MS_TIMEOUT=" + canary,
		"MS_BUCKET_OWNER=" + canary, "MS_SSE=" + canary, "MS_CONFIG=" + canary, "MS_BY=" + strings.Repeat(canary, 20), "AWS_PROFILE=" + canary,
	} {
		rows = append(rows, attempt{args: []string{"ms-get", "-v", "s/pass"}, env: []string{variable}, status: 2})
		rows = append(rows, attempt{args: []string{"ms-exec", "-v", "P=s/pass", "--", "env"}, env: []string{variable}, status: 125})
	}
	for _, text := range []string{
		canary, canary + " x", "store x\n" + canary, "store xxx\nstore " + canary, "store\t" + canary, "config " + canary, "store " + canary + "/../x",
		"timeout " + canary, "unsigned " + canary, "STORE " + canary, "key\nstore " + canary, "o " + canary, strings.Repeat(canary, 4000),
	} {
		rows = append(rows, attempt{args: []string{"ms-get", "-v", "s/pass"}, env: []string{"MS_STORE="}, msrc: text, status: 2})
	}
	secretKey := []string{"AWS_SECRET_ACCESS_KEY=" + canary}
	rows = append(rows,
		attempt{args: []string{"ms-get", "-v", "s/pass"}, env: secretKey, status: 4},
		attempt{args: []string{"ms-ls", "-v"}, env: secretKey, status: 4},
		attempt{args: []string{"ms-put", "-v", "s/new"}, stdin: canary, env: secretKey, status: 4},
		attempt{args: []string{"ms-exec", "-v", "-strict", "s/env", "--", "env"}, env: []string{"A=" + canary}, status: 125},
	)

	w := newWorkspace(t)
	for _, f := range rows {
		w.fails(f, "")
	}
}
