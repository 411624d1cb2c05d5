package suite_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool/initialize"
)

// rolePolicy is the section of a role in doc/iam.md, with its policy.
var rolePolicy = regexp.MustCompile("(?s)\n## An? (\\w+)\n\n(?:[^`#\n][^\n]*\n+)*```json\n(.*?)```")

// What ms-init -policy prints is what doc/iam.md has.
func TestPrintedPolicies(t *testing.T) {
	fake := fakeawstest.Start(t, "key create alias/microsecrets-myservice")
	fake.Setenv()
	key := strings.TrimSpace(fake.Do("key arn alias/microsecrets-myservice"))
	var held []string
	for _, m := range rolePolicy.FindAllStringSubmatch(page(t, "doc/iam.md"), -1) {
		role, want := m[1], strings.ReplaceAll(m[2], "KEY-ARN", key)
		held = append(held, role)
		var printed, failed strings.Builder
		if status := initialize.Run(t.Context(), []string{"-policy", role, "myservice"}, strings.NewReader(""), &printed, &failed); status != 0 {
			t.Errorf("%s: status %d: %s", role, status, failed.String())
			continue
		}
		var a, b any
		if err := errors.Join(json.Unmarshal([]byte(want), &a), json.Unmarshal([]byte(printed.String()), &b)); err != nil {
			t.Errorf("%s: %v", role, err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("doc/iam.md has of a %s\n%s\nms-init prints\n%s", role, want, printed.String())
		}
	}
	slices.Sort(held)
	if want := []string{"admin", "lister", "reader", "remover", "writer"}; !slices.Equal(held, want) {
		t.Errorf("doc/iam.md has the policies of %q, want %q", held, want)
	}
}

// TestPolicies gives principals the policies of doc/iam.md, as they stand there but
// for the ARN of the key, and tries what each is to allow and what it is not.
func TestPolicies(t *testing.T) {
	t.Parallel()
	const store = "s3://example-microsecrets"
	fake := fakeawstest.Start(t)
	ctx := t.Context()
	admin, err := secret.New(fake.Config(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string) func(*secret.Store) error {
		return func(s *secret.Store) error {
			_, err := s.Put(ctx, name, strings.NewReader(`{"A":"1"}`), nil)
			return err
		}
	}
	for _, name := range []string{"myservice/password", "myservice/old", "other/password"} {
		if err := put(name)(admin); err != nil {
			t.Fatal(err)
		}
	}
	key := strings.TrimSpace(fake.Do("key arn alias/microsecrets-myservice"))
	policies := map[string]string{} // files, by the heading above
	dir := t.TempDir()
	for _, m := range rolePolicy.FindAllStringSubmatch(page(t, "doc/iam.md"), -1) {
		policies[m[1]] = filepath.Join(dir, m[1]+".json")
		if err := os.WriteFile(policies[m[1]], []byte(strings.ReplaceAll(m[2], "KEY-ARN", key)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	get := func(name string) func(*secret.Store) error {
		return func(s *secret.Store) error {
			_, err := s.Get(ctx, name, nil)
			return err
		}
	}
	list := func(prefix string) func(*secret.Store) error {
		return func(s *secret.Store) error {
			for _, err := range s.List(ctx, prefix, nil) {
				return err
			}
			return errors.New("nothing is listed")
		}
	}
	merge := func(s *secret.Store) error {
		_, err := s.Merge(ctx, "myservice/password", func(old []byte) ([]byte, error) { return append(old, ' '), nil }, nil)
		return err
	}
	edit := func(s *secret.Store) error {
		old, now, err := s.Current(ctx, "myservice/password")
		if err == nil {
			_, err = s.Put(ctx, "myservice/password", strings.NewReader(string(old)+" "), &secret.PutOptions{If: now.ETag})
		}
		return err
	}
	remove := func(s *secret.Store) error { return s.Remove(ctx, "myservice/old", nil) }
	large := func(s *secret.Store) error {
		_, err := s.Put(ctx, "myservice/large", strings.NewReader(strings.Repeat("x", 9<<20)), nil)
		return err
	}
	credentials := map[string]string{} // by role
	type try struct {
		what string
		do   func(*secret.Store) error
	}
	for _, role := range []struct {
		name     string
		policies []string
		may, not []try
	}{
		{
			"reader", []string{"reader"},
			[]try{{"get", get("myservice/password")}},
			[]try{{"get of another service", get("other/password")}, {"put", put("myservice/password")}, {"list", list("myservice/")}},
		},
		{
			"writer", []string{"writer"},
			[]try{{"put", put("myservice/new")}, {"put in parts", large}},
			[]try{{"get", get("myservice/new")}, {"put to another service", put("other/new")}, {"merge", merge}},
		},
		{"lister", []string{"lister"}, []try{{"list", list("myservice/")}}, []try{{"list all", list("")}, {"get", get("myservice/password")}}},
		{"merger", []string{"reader", "writer", "lister"}, []try{{"merge", merge}, {"edit", edit}}, []try{{"get of another service", get("other/password")}}},
		{"remover", []string{"remover"}, []try{{"remove", remove}}, []try{{"get", get("myservice/password")}, {"put", put("myservice/old")}}},
	} {
		words := []string{"policy", role.name}
		for _, name := range role.policies {
			if policies[name] == "" {
				t.Fatalf("doc/iam.md has no policy of a %s", name)
			}
			words = append(words, "'"+policies[name]+"'")
		}
		credentials[role.name] = fake.Do("principal " + role.name)
		s, err := secret.New(fake.Config(credentials[role.name]), store, nil)
		if err != nil {
			t.Fatal(err)
		}
		fake.Do(strings.Join(words, " "))
		for _, try := range role.may {
			if err := try.do(s); err != nil {
				t.Errorf("a %s may not %s: %v", role.name, try.what, err)
			}
		}
		for _, try := range role.not {
			if err := try.do(s); !errors.Is(err, secret.ErrDenied) {
				t.Errorf("a %s may %s: %v", role.name, try.what, err)
			}
		}
	}

	// What KMS itself is asked: the store is compared, and no name in other letters
	// passes for the real one.
	reader := kms.NewFromConfig(fake.Config(credentials["reader"]))
	writer := kms.NewFromConfig(fake.Config(credentials["writer"]))
	account := kms.NewFromConfig(fake.Config())
	bound := map[string]string{"ms-store": store, "ms-name": "myservice/password"}
	staged := map[string]string{"ms-store": store + "/staging", "ms-name": "myservice/password"}
	other := map[string]string{"ms-store": store, "ms-name": "other/password"}
	disguised := map[string]string{"ms-store": store, "ms-name": "other/password", "MS-NAME": "myservice/password"}
	for _, each := range []struct {
		what    string
		context map[string]string
		allowed bool
	}{{"the policy's own", bound, true}, {"another store's", staged, false}, {"another name's", other, false}, {"a disguised one", disguised, false}, {"none", nil, false}} {
		generate := func(c *kms.Client) ([]byte, error) {
			out, err := c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &key, KeySpec: types.DataKeySpecAes256, EncryptionContext: each.context})
			if err != nil {
				return nil, err
			}
			return out.CiphertextBlob, nil
		}
		if _, err := generate(writer); (err == nil) != each.allowed {
			t.Errorf("GenerateDataKey by the writer, with %s: %v", each.what, err)
		}
		if each.context["MS-NAME"] != "" {
			continue // a reader's condition holds, but nobody could have made it
		}
		blob, err := generate(account)
		if err != nil {
			t.Fatal(err)
		}
		_, err = reader.Decrypt(ctx, &kms.DecryptInput{KeyId: &key, CiphertextBlob: blob, EncryptionContext: each.context})
		if (err == nil) != each.allowed {
			t.Errorf("Decrypt by the reader, with %s: %v", each.what, err)
		}
	}
}
