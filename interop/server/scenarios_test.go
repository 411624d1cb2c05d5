//go:build unix

package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakescript"
	"microsecrets/lib/tool/suite/suitetest"
)

// scenarios is where the scripts are that users' behaviour is held to.
const scenarios = "../../testdata/scripts"

// kms are the operations that the emulator answers here; the others are the server's.
var kms = []string{"Decrypt", "GenerateDataKey", "Encrypt", "kms:*", "kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt"}

// needsEmulator says what of a scenario only an emulated S3 can do, or is empty.
func needsEmulator(script string) string {
	head, _, _ := strings.Cut("\n"+script, "\n-- ")
	for line := range strings.Lines(head) {
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "! "))
		if len(words) < 2 || words[0] != "fake" {
			continue
		}
		switch verb := words[1]; verb {
		case "fault", "deny", "allow":
			i := slices.IndexFunc(words[2:], func(word string) bool { return slices.Contains(kms, word) })
			if i < 0 {
				return verb + " of S3"
			}
		case "reset", "want": // what is sent is not counted here
		case "clear", "permit", "key", "auto", "release", "await",
			"put", "write", "cat", "copy", "rm", "ls", "versions", "flip", "truncate", "fill":
		case "bucket":
			if len(words) < 4 || words[2] != fakeaws.DefaultBucket || words[3] == "unversioned" || len(words) > 4 {
				return "a bucket of another kind"
			}
		default:
			return verb
		}
	}
	return ""
}

// A server is one whose scripts run against it.
type server struct {
	name  string
	start func(env *testscript.Env) (url string, err error)

	// differs has the scenarios that say of S3 what the server does not do, and
	// what that is; doc/servers.md has more.
	differs map[string]string
}

// run runs every scenario that a real server can be held to, and says of the others
// why not.
func (s server) run(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(scenarios, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	fakescript.DefaultSignals()
	chosen := t.TempDir()
	for _, file := range files {
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		why := needsEmulator(string(script))
		if why != "" {
			why = "it uses " + why
		} else if differs := s.differs[name]; differs != "" {
			why = s.name + " differs: " + differs
		}
		if why != "" {
			t.Run(name, func(t *testing.T) { t.Skip(why) })
			continue
		}
		if err := os.WriteFile(filepath.Join(chosen, filepath.Base(file)), script, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commands := suitetest.ScriptCommands()
	commands["fake"] = fake
	testscript.Run(t, testscript.Params{
		Dir: chosen,
		Setup: func(env *testscript.Env) error {
			env.Setenv("AWS_MAX_ATTEMPTS", "2")
			if err := fakescript.Setup(env); err != nil {
				return err
			}
			url, err := s.start(env)
			if err != nil {
				return err
			}
			env.Setenv("AWS_ENDPOINT_URL_S3", url)
			c := client(env, url)
			env.Values[clientKey{}] = c
			return setVersioning(c, types.BucketVersioningStatusEnabled)
		},
		Cmds:                commands,
		Condition:           suitetest.Condition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

type clientKey struct{}

func setVersioning(c *s3.Client, status types.BucketVersioningStatus) error {
	_, err := c.PutBucketVersioning(context.Background(), &s3.PutBucketVersioningInput{
		Bucket:                  aws.String(fakeaws.DefaultBucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	})
	return err
}

// fake has the verbs of the emulator that concern objects done by a client of the
// server, leaves those of KMS to the emulator, and leaves out those that count.
func fake(ts *testscript.TestScript, neg bool, args []string) {
	r := real{ts, ts.Value(clientKey{}).(*s3.Client)}
	words, options := args, map[string]string{}
	for len(words) > 1 && strings.Contains(words[len(words)-1], "=") {
		name, value, _ := strings.Cut(words[len(words)-1], "=")
		words, options[name] = words[:len(words)-1], value
	}
	var out string
	var err error
	switch verb, words := words[0], words[1:]; verb {
	case "reset", "want":
	case "ls":
		out, err = r.list(words)
	case "versions":
		out, err = r.versions(words)
	case "put", "write":
		data := []byte(words[1])
		if verb == "put" {
			data = []byte(ts.ReadFile(words[1]))
		}
		err = r.put(words[0], data)
	case "cat":
		var data []byte
		if data, err = r.get(words[0], options["version"]); err == nil && len(words) > 1 {
			err = os.WriteFile(ts.MkAbs(words[1]), data, 0o600)
		} else {
			out = string(data)
		}
	case "copy":
		var data []byte
		if data, err = r.get(words[0], options["version"]); err == nil {
			err = r.put(words[1], data)
		}
	case "flip", "truncate":
		var data []byte
		if data, err = r.get(words[0], options["version"]); err == nil {
			n, errNumber := strconv.Atoi(words[1])
			ts.Check(errNumber)
			if verb == "truncate" {
				data = data[:n]
			} else {
				data[(n+len(data))%len(data)] ^= 1
			}
			err = r.put(words[0], data)
		}
	case "rm":
		_, err = r.client.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: bucketOf(words[0]), Key: keyOf(words[0]), VersionId: optional(options["version"])})
	case "fill":
		n, errNumber := strconv.Atoi(words[0])
		ts.Check(errNumber)
		for i := 0; i < n && err == nil; i++ {
			err = r.put(fmt.Sprintf("%s%09d", words[1], i), make([]byte, 16))
		}
	case "bucket":
		status := map[string]types.BucketVersioningStatus{"versioned": types.BucketVersioningStatusEnabled, "suspended": types.BucketVersioningStatusSuspended}[words[1]]
		err = setVersioning(r.client, status)
	default:
		fakescript.Commands()["fake"](ts, neg, args)
		return
	}
	ts.Stdout().Write([]byte(out))
	switch {
	case err != nil && !neg:
		ts.Fatalf("fake %s: %v", args[0], err)
	case err != nil:
		ts.Stderr().Write([]byte(err.Error() + "\n"))
	case neg && args[0] != "want":
		ts.Fatalf("fake %s did not fail", args[0])
	}
}

// real does the emulator's verbs by S3's own requests.
type real struct {
	ts     *testscript.TestScript
	client *s3.Client
}

func bucketOf(name string) *string {
	if rest, ok := strings.CutPrefix(name, "s3://"); ok {
		bucket, _, _ := strings.Cut(rest, "/")
		return &bucket
	}
	return aws.String(fakeaws.DefaultBucket)
}

func keyOf(name string) *string {
	if rest, ok := strings.CutPrefix(name, "s3://"); ok {
		_, name, _ = strings.Cut(rest, "/")
	}
	return &name
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (r real) put(name string, data []byte) error {
	_, err := r.client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: bucketOf(name), Key: keyOf(name), Body: bytes.NewReader(data)})
	return err
}

func (r real) get(name, version string) ([]byte, error) {
	out, err := r.client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: bucketOf(name), Key: keyOf(name), VersionId: optional(version)})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

// prefixOf is that of the verbs that list.
func prefixOf(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

func quoted(key string) string {
	if strings.ContainsAny(key, " \"\\") || strings.ContainsFunc(key, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(key)
	}
	return key
}

func (r real) list(words []string) (string, error) {
	var b strings.Builder
	prefix := prefixOf(words)
	pages := s3.NewListObjectsV2Paginator(r.client, &s3.ListObjectsV2Input{Bucket: bucketOf(prefix), Prefix: keyOf(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			return "", err
		}
		for _, o := range page.Contents {
			fmt.Fprintln(&b, quoted(*o.Key))
		}
	}
	return b.String(), nil
}

func (r real) versions(words []string) (string, error) {
	prefix := prefixOf(words)
	type entry struct {
		key, id  string
		size     int64
		modified time.Time
		latest   bool
		deleted  bool
	}
	var all []entry
	pages := s3.NewListObjectVersionsPaginator(r.client, &s3.ListObjectVersionsInput{Bucket: bucketOf(prefix), Prefix: keyOf(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			return "", err
		}
		for _, v := range page.Versions {
			all = append(all, entry{*v.Key, *v.VersionId, *v.Size, *v.LastModified, *v.IsLatest, false})
		}
		for _, v := range page.DeleteMarkers {
			all = append(all, entry{*v.Key, *v.VersionId, 0, *v.LastModified, *v.IsLatest, true})
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int {
		if a.key != b.key {
			return strings.Compare(a.key, b.key)
		}
		if a.latest != b.latest {
			if a.latest {
				return -1
			}
			return 1
		}
		return b.modified.Compare(a.modified)
	})
	states := map[[2]bool]string{{true, false}: "latest", {false, false}: "old", {false, true}: "deleted", {true, true}: "latest-deleted"}
	var b strings.Builder
	for _, e := range all {
		fmt.Fprintf(&b, "%s %s %d %s\n", quoted(e.key), e.id, e.size, states[[2]bool{e.latest, e.deleted}])
	}
	return b.String(), nil
}

// TestChoice holds that no scenario is named as different that is not there, or
// not chosen.
func TestChoice(t *testing.T) {
	for _, s := range servers {
		for _, name := range slices.Sorted(maps.Keys(s.differs)) {
			script, err := os.ReadFile(filepath.Join(scenarios, name+".txtar"))
			if err != nil {
				t.Errorf("%s: %v", s.name, err)
			} else if why := needsEmulator(string(script)); why != "" {
				t.Errorf("%s: %s is not run anyway: it uses %s", s.name, name, why)
			}
		}
	}
}
