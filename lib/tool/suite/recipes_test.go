//go:build linux

package suite_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/secret"
)

// TestRecipes runs the blocks of doc/recipes.md, each section in a folder and
// with an S3 and KMS of its own, after the blocks above the first section.
func TestRecipes(t *testing.T) {
	sections := strings.Split(page(t, "doc/recipes.md"), "\n## ")
	common := blocks(sections[0])
	for _, section := range sections[1:] {
		title, _, _ := strings.Cut(section, "\n")
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			for _, program := range []string{"make", "openssl", "bash"} {
				if _, err := exec.LookPath(program); err != nil && strings.Contains(section, program+" ") {
					t.Skipf("%s is absent", program)
				}
			}
			r := newRecipe(t)
			for _, b := range append(common, blocks(section)...) {
				r.block(b)
			}
			if r.printed.Len() > 0 || r.start != nil {
				t.Errorf("no block says what is printed: %s", &r.printed)
			}
		})
	}
}

// TestReadme runs the examples of the README, one after the other, in one store.
func TestReadme(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is absent")
	}
	examples := blocks(page(t, "README.md"))
	if len(examples) == 0 {
		t.Fatal("no examples")
	}
	r := newRecipe(t)
	for _, b := range examples {
		r.block(b)
	}
	for _, want := range []string{"hunter2", "1 and 2", "myservice/\n", "myservice/password\n"} {
		if !strings.Contains(r.printed.String(), want) {
			t.Errorf("nothing printed %q", want)
		}
	}
}

// TestReadmeGo builds the Go program of the README as it says, from an empty folder,
// and runs it.
func TestReadmeGo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	t.Parallel()
	_, section, _ := strings.Cut(page(t, "README.md"), "\n## From Go\n")
	section, _, _ = strings.Cut(section, "\n## ")
	checkout, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, b := range blocks(section) {
		if err := os.WriteFile(filepath.Join(dir, b.role), []byte(b.text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := fakeawstest.Start(t)
	store, err := secret.New(server.Config(), fakeaws.DefaultBucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), "myservice/password", strings.NewReader("hunter2"), nil); err != nil {
		t.Fatal(err)
	}
	script := "set -e\n"
	for _, m := range regexp.MustCompile(`(?m)^    (go mod .*)$`).FindAllStringSubmatch(section, -1) {
		script += strings.ReplaceAll(m[1], "../microsecrets", checkout) + "\n"
	}
	cmd := exec.Command("sh", "-c", script+"go run .")
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), server.Environ()...), "GOFLAGS=-mod=mod")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if out, err := cmd.Output(); string(out) != "hunter2" || err != nil {
		t.Errorf("%q, %v: %s", out, err, &stderr)
	}
}

// block is a fenced block with two words after its fence: its language, and
// what it is for.
type block struct{ role, text string }

func blocks(markdown string) (list []block) {
	for _, m := range regexp.MustCompile("(?ms)^```\\w+ (\\S+)\n(.*?)^```$").FindAllStringSubmatch(markdown, -1) {
		list = append(list, block{role: m[1], text: m[2]})
	}
	return list
}

// recipe is a section that runs.
type recipe struct {
	*testing.T
	dir     string
	env     []string
	printed bytes.Buffer
	start   func() // runs the file that a program other than the shell reads
}

func newRecipe(t *testing.T) *recipe {
	dir := t.TempDir()
	env := append(fakeawstest.Start(t).Environ(), "PATH="+os.Getenv("PATH"), "HOME="+dir, "GORACE=atexit_sleep_ms=0")
	return &recipe{T: t, dir: dir, env: env}
}

func (r *recipe) block(b block) {
	r.Helper()
	readers := map[string]func(text string){
		".github/workflows/deploy.yml": r.github,
		".gitlab-ci.yml":               r.gitlab,
		"myservice.service":            r.systemd,
		"Dockerfile":                   r.container,
	}
	switch b.role {
	case "run":
		r.printed.Write(r.run(r.env, "sh", "-euc", b.text))
	case "prints":
		if r.start != nil {
			r.start()
			r.start = nil
		}
		if got := r.printed.String(); got != b.text {
			r.Errorf("printed:\n%s\nthe page says:\n%s", got, b.text)
		}
		r.printed.Reset()
	default:
		r.file(b.role, b.text)
		if read := readers[b.role]; read != nil {
			r.start = func() { read(b.text) }
		}
	}
}

func (r *recipe) file(name, text string) {
	mode := os.FileMode(0o644)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		r.Fatal(err)
	}
}

func (r *recipe) read(name string) string {
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.Fatal(err)
	}
	return string(text)
}

// run runs a command that must succeed and say nothing on standard error.
func (r *recipe) run(env []string, command ...string) []byte {
	r.Helper()
	out, _ := r.runPID(env, command...)
	return out
}

func (r *recipe) runPID(env []string, command ...string) (out []byte, pid int) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.dir, env, &stdout, &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		r.Fatalf("%v\n%s%s", err, &stdout, &stderr)
	}
	return stdout.Bytes(), cmd.Process.Pid
}

// clean is the environment of a program that reads a file: without the store and
// the region, which the file must set itself.
func (r *recipe) clean() []string {
	return slices.DeleteFunc(slices.Clone(r.env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains([]string{"MS_STORE", "AWS_REGION", "AWS_DEFAULT_REGION"}, name)
	})
}

// with returns the clean environment with more variables.
func (r *recipe) with(sets ...map[string]string) []string {
	env := r.clean()
	for _, set := range sets {
		for name, value := range set {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// github runs the one job of a workflow as GitHub's runner does: each step's
// text by "bash -e", variables and outputs from the files that a step appends
// to, and masks in what is logged. Of actions it takes the region that they set.
func (r *recipe) github(text string) {
	var workflow struct {
		Env  map[string]string
		Jobs map[string]struct {
			Steps []struct {
				ID, Run   string
				Env, With map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(text), &workflow); err != nil {
		r.Fatal(err)
	}
	variables, outputs := map[string]string{}, map[string]string{}
	files := map[string]string{"GITHUB_ENV": filepath.Join(r.dir, "github-env"), "GITHUB_OUTPUT": filepath.Join(r.dir, "github-output")}
	var masks []string
	for _, step := range workflow.Jobs["deploy"].Steps {
		if strings.Contains(step.Run, "${{") {
			r.Fatalf("an expression in run is code: %s", step.Run)
		}
		for name, value := range step.Env {
			step.Env[name] = regexp.MustCompile(`\$\{\{ (\S+) \}\}`).ReplaceAllStringFunc(value, func(e string) string {
				return outputs[strings.Trim(e, "${} ")]
			})
		}
		if region := step.With["aws-region"]; region != "" {
			variables["AWS_REGION"] = region
		}
		r.file("github-env", "")
		r.file("github-output", "")
		r.file("step.sh", step.Run)
		out := r.run(r.with(workflow.Env, variables, step.Env, files), "bash", "-e", "step.sh")
		for line := range strings.Lines(string(out)) {
			if mask, ok := strings.CutPrefix(line, "::add-mask::"); ok {
				unescape := strings.NewReplacer("%25", "%", "%0D", "\r", "%0A", "\n")
				masks = append(masks, unescape.Replace(strings.TrimSuffix(mask, "\n")))
				continue
			}
			for _, mask := range masks {
				line = strings.ReplaceAll(line, mask, "***")
			}
			r.printed.WriteString(line)
		}
		r.commandFile("github-env", func(name, value string) { variables[name] = value })
		r.commandFile("github-output", func(name, value string) { outputs["steps."+step.ID+".outputs."+name] = value })
	}
}

// commandFile reads a file of the runner: NAME<<DELIMITER, VALUE, DELIMITER, or
// NAME=VALUE.
func (r *recipe) commandFile(file string, set func(name, value string)) {
	lines := strings.SplitAfter(r.read(file), "\n")
	for i := 0; i < len(lines) && lines[i] != ""; i++ {
		line := strings.TrimSuffix(lines[i], "\n")
		name, delimiter, ok := strings.Cut(line, "<<")
		if !ok {
			name, value, _ := strings.Cut(line, "=")
			set(name, value)
			continue
		}
		value := ""
		for i++; strings.TrimSuffix(lines[i], "\n") != delimiter; i++ {
			value += lines[i]
		}
		set(name, strings.TrimSuffix(value, "\n"))
	}
}

// gitlab runs the jobs of a pipeline in order. The lines of a dotenv report are
// literal, less white space around a value.
func (r *recipe) gitlab(text string) {
	var pipeline yaml.Node
	if err := yaml.Unmarshal([]byte(text), &pipeline); err != nil {
		r.Fatal(err)
	}
	type job struct {
		Needs, Script []string
		Artifacts     struct{ Reports struct{ Dotenv string } }
	}
	variables, reports := map[string]string{}, map[string]map[string]string{}
	entries := pipeline.Content[0].Content
	for i := 0; i < len(entries); i += 2 {
		name, value := entries[i].Value, entries[i+1]
		if name == "variables" {
			value.Decode(&variables)
			continue
		}
		var j job
		if err := value.Decode(&j); err != nil {
			r.Fatal(err)
		}
		given := []map[string]string{variables}
		for _, need := range j.Needs {
			given = append(given, reports[need])
		}
		r.printed.Write(r.run(r.with(given...), "sh", "-ec", strings.Join(j.Script, "\n")))
		if j.Artifacts.Reports.Dotenv == "" {
			continue
		}
		reports[name] = map[string]string{}
		for line := range strings.Lines(r.read(j.Artifacts.Reports.Dotenv)) {
			key, value, ok := strings.Cut(line, "=")
			if !ok || !regexp.MustCompile(`^[A-Za-z0-9_]+$`).MatchString(key) {
				r.Fatal("a line of the report is not a variable")
			}
			reports[name][key] = strings.TrimSpace(value)
		}
	}
}

// systemd runs a unit's ExecStart with the unit's own Environment. In a line
// without "$", "%" and "\", words and quotes are those of the shell.
func (r *recipe) systemd(text string) {
	env, command := r.clean(), ""
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "Environment":
			env = append(env, value)
		case "ExecStart":
			command = value
		}
	}
	if command == "" || strings.ContainsAny(command, `$%\`) {
		r.Fatalf("ExecStart is %q", command)
	}
	out, pid := r.runPID(env, "sh", "-c", "exec "+command)
	r.printed.WriteString(strings.Replace(string(out), "pid "+strconv.Itoa(pid)+" ", "pid MAINPID ", 1))
}

// container runs ENTRYPOINT and CMD as the first process of its own.
func (r *recipe) container(text string) {
	env := r.clean()
	var argv []string
	for line := range strings.Lines(text) {
		instruction, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "ENV":
			env = append(env, value)
		case "ENTRYPOINT", "CMD":
			var words []string
			if err := json.Unmarshal([]byte(value), &words); err != nil {
				r.Fatal(err)
			}
			argv = append(argv, words...)
		}
	}
	isolated := []string{"unshare", "--fork", "--pid", "--mount-proc"}
	if os.Getuid() != 0 {
		isolated = append(isolated, "--user", "--map-root-user")
	}
	if err := exec.Command(isolated[0], append(isolated[1:], "true")...).Run(); err != nil {
		r.Skip("unshare cannot make a container here")
	}
	r.printed.Write(r.run(env, append(isolated, argv...)...))
}
