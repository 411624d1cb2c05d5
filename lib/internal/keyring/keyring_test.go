package keyring

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"microsecrets/lib/message"
)

const (
	here    = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	sibling = "arn:aws:kms:us-east-1:111122223333:key/ffffffff-12ab-34cd-56ef-1234567890ab"
	far     = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	foreign = "arn:aws:kms:us-east-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	multi   = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
	replica = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
)

// service is a KMS whose Decrypt is a function.
type service struct {
	client
	asked   *[]string // REGION KEY BLOB
	region  string
	decrypt func(region, key, blob string) (arn string, plaintext []byte, err error)
}

func (s service) Decrypt(_ context.Context, in *kms.DecryptInput, _ ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	key := "any"
	if in.KeyId != nil {
		key = *in.KeyId
	}
	*s.asked = append(*s.asked, s.region+" "+key+" "+string(in.CiphertextBlob))
	arn, plaintext, err := s.decrypt(s.region, key, string(in.CiphertextBlob))
	return &kms.DecryptOutput{KeyId: &arn, Plaintext: plaintext}, err
}

func ring(keys []string, decrypt func(region, key, blob string) (string, []byte, error)) (*Keyring, *[]string) {
	var asked []string
	return &Keyring{
		clientIn: func(region string) client {
			if region == "" {
				region = "us-east-1"
			}
			return service{asked: &asked, region: region, decrypt: decrypt}
		},
		region: "us-east-1",
		keys:   keys,
	}, &asked
}

// header has a data key for each ARN, its blob the ARN's region and key.
func header(arns ...string) *message.Header {
	h := new(message.Header)
	for _, a := range arns {
		h.DataKeys = append(h.DataKeys, message.EncryptedDataKey{Provider: Provider, Info: a, Ciphertext: []byte(a)})
	}
	return h
}

var wrongKey = &types.IncorrectKeyException{}

// TestOrder has every attempt fail as one under another key does, to see in
// which order they are made.
func TestOrder(t *testing.T) {
	tests := []struct {
		name    string
		keys    []string
		message []string
		want    []string
	}{
		{"the very key", []string{here}, []string{sibling, here}, []string{"us-east-1 " + here + " " + here}},
		{"of several", []string{sibling, here}, []string{here}, []string{"us-east-1 " + here + " " + here}},
		{"the very key before its replica", []string{replica, multi}, []string{multi},
			[]string{"us-east-1 " + multi + " " + multi, "eu-west-1 " + replica + " " + multi}},
		{"a replica before an alias", []string{"alias/a", replica}, []string{multi},
			[]string{"eu-west-1 " + replica + " " + multi, "us-east-1 alias/a " + multi}},
		{"an alias in its region first", []string{"alias/a"}, []string{far, here},
			[]string{"us-east-1 alias/a " + here, "us-east-1 alias/a " + far}},
		{"an alias's ARN, in its account first", []string{"arn:aws:kms:us-east-1:444455556666:alias/a"}, []string{here, foreign},
			[]string{"us-east-1 arn:aws:kms:us-east-1:444455556666:alias/a " + foreign, "us-east-1 arn:aws:kms:us-east-1:444455556666:alias/a " + here}},
		{"the same id elsewhere is another key", []string{here}, []string{far, foreign}, nil},
		{"other providers and what is no key", []string{"alias/a"},
			[]string{"not an ARN", "arn:aws:kms:us-east-1:111122223333:alias/a", "arn:aws:s3:us-east-1:111122223333:key/a"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k, asked := ring(test.keys, func(_, _, _ string) (string, []byte, error) { return "", nil, wrongKey })
			_, err := k.Unwrap(t.Context(), header(test.message...))
			if !errors.Is(err, message.ErrNotAuthentic) {
				t.Error(err)
			}
			if !slices.Equal(*asked, test.want) {
				t.Errorf("asked %q, not %q", *asked, test.want)
			}
		})
	}
}

// TestSkipped has the data keys that KMS is not asked to decrypt, under a key
// that is configured, and those at the bound.
func TestSkipped(t *testing.T) {
	for _, test := range []struct {
		name    string
		dataKey message.EncryptedDataKey
		asked   bool
	}{
		{"of KMS", message.EncryptedDataKey{Provider: Provider, Info: here, Ciphertext: []byte{1}}, true},
		{"of another provider", message.EncryptedDataKey{Provider: "raw", Info: here, Ciphertext: []byte{1}}, false},
		{"without a ciphertext", message.EncryptedDataKey{Provider: Provider, Info: here}, false},
		{"as long as KMS takes", message.EncryptedDataKey{Provider: Provider, Info: here, Ciphertext: make([]byte, 6144)}, true},
		{"longer", message.EncryptedDataKey{Provider: Provider, Info: here, Ciphertext: make([]byte, 6145)}, false},
	} {
		for _, anyKey := range []bool{false, true} {
			k, asked := ring([]string{here}, func(_, _, _ string) (string, []byte, error) { return "", nil, wrongKey })
			if anyKey {
				k = k.AnyKey()
			}
			_, err := k.Unwrap(t.Context(), &message.Header{DataKeys: []message.EncryptedDataKey{test.dataKey}})
			if !errors.Is(err, message.ErrNotAuthentic) || (len(*asked) == 1) != test.asked {
				t.Errorf("%s: %v, asked %d times", test.name, err, len(*asked))
			}
		}
	}
}

func TestReply(t *testing.T) {
	key := make([]byte, 32)
	tests := []struct {
		name      string
		arn       string
		plaintext []byte
		ok        bool
	}{
		{"the key", multi, key, true},
		{"a replica", replica, key, true},
		{"another", here, key, false},
		{"no ARN", "key", key, false},
		{"none", "", key, false},
		{"short", multi, key[:31], false},
		{"long", multi, make([]byte, 33), false},
	}
	for _, test := range tests {
		for _, anyKey := range []bool{false, true} {
			k, asked := ring([]string{multi}, func(_, _, _ string) (string, []byte, error) { return test.arn, slices.Clone(test.plaintext), nil })
			want := "us-east-1 " + multi + " " + multi
			if anyKey {
				k, want = k.AnyKey(), "us-east-1 any "+multi
			}
			got, err := k.Unwrap(t.Context(), header(multi))
			if test.ok != (err == nil) || test.ok != (len(got) == 32) {
				t.Errorf("%s: %d bytes, %v", test.name, len(got), err)
			}
			if err != nil && !errors.Is(err, message.ErrNotAuthentic) {
				t.Errorf("%s: %v", test.name, err)
			}
			if !slices.Equal(*asked, []string{want}) {
				t.Errorf("%s: asked %q", test.name, *asked)
			}
		}
	}
}

// TestOn has one key fail in some way, and the other one read.
func TestOn(t *testing.T) {
	for _, failure := range []error{wrongKey, &types.InvalidCiphertextException{}, &types.DisabledException{}, errors.New("down")} {
		k, asked := ring([]string{here, sibling}, func(_, key, _ string) (string, []byte, error) {
			if key == here {
				return "", nil, failure
			}
			return sibling, make([]byte, 32), nil
		})
		if _, err := k.Unwrap(t.Context(), header(here, sibling)); err != nil || len(*asked) != 2 {
			t.Errorf("%v: %v after %q", failure, err, *asked)
		}
	}
}

func TestKeys(t *testing.T) {
	tests := []struct {
		setting, service string
		want             []string
	}{
		{"alias/ms-{service}", "app", []string{"alias/ms-app"}},
		{"alias/a, " + here, "a.b", []string{"alias/a", here}},
		{"alias/ms-{service}", "a.b", nil},
		{"alias/ms-{service}", "a,alias/b", nil},
		{"alias/a,,alias/b", "app", nil},
		{"", "app", nil},
	}
	for _, test := range tests {
		got, err := Keys(test.setting, test.service)
		if !slices.Equal(got, test.want) || (err == nil) != (test.want != nil) {
			t.Errorf("%q, %q: %q, %v", test.setting, test.service, got, err)
		}
	}
}

func FuzzShow(f *testing.F) {
	for _, s := range []string{here, replica, "alias/a", "arn:aws:kms:us-east-1:111122223333:alias/a/b", "", "\x1b[2J", "arn:aws:kms:us-east-1.evil.example:111122223333:key/a",
		"arn:aws:kms:us-east-1:111122223333:key/a\n", "arn:aws:kms::111122223333:key/a", "\xff", strings.Repeat("a", 3000), strings.Repeat("\x00", 3000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		shown := Show(s)
		if len(shown) > arnMax || strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is shown as %q", s, shown)
		}
		a, ok := parseARN(s)
		if ok && strings.Join([]string{"arn", a.partition, "kms", a.region, a.account, a.kind + "/" + a.id}, ":") != s {
			t.Errorf("%q is taken for %+v", s, a)
		}
		if ok && strings.ContainsAny(a.region+a.partition, "./:@?#") {
			t.Errorf("the region of %q is no label of a host name", s)
		}
	})
}

// generator is a KMS that makes the data key that it has.
type generator struct {
	client
	made  *kms.GenerateDataKeyOutput
	other error // of Encrypt
}

func (g generator) GenerateDataKey(context.Context, *kms.GenerateDataKeyInput, ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error) {
	return g.made, nil
}

func (g generator) Encrypt(context.Context, *kms.EncryptInput, ...func(*kms.Options)) (*kms.EncryptOutput, error) {
	return &kms.EncryptOutput{KeyId: new(sibling), CiphertextBlob: []byte{1}}, g.other
}

// TestWrapClearsDataKey: where Wrap fails, no plaintext data key is left.
func TestWrapClearsDataKey(t *testing.T) {
	failed := errors.New("failed")
	for name, test := range map[string]struct {
		length int
		keyID  string
		other  error
		ok     bool
	}{
		"good":               {message.DataKeyLength, here, nil, true},
		"too long":           {message.DataKeyLength + 1, here, nil, false},
		"no ARN":             {message.DataKeyLength, "alias/a", nil, false},
		"another key failed": {message.DataKeyLength, here, failed, false},
	} {
		plaintext := bytes.Repeat([]byte{1}, test.length)
		g := generator{made: &kms.GenerateDataKeyOutput{KeyId: &test.keyID, CiphertextBlob: []byte{1}, Plaintext: plaintext}, other: test.other}
		k := &Keyring{clientIn: func(string) client { return g }, keys: []string{here, sibling}}
		wrapped, err := k.Wrap(t.Context(), nil)
		key := wrapped.Key
		cleared := bytes.Equal(plaintext, make([]byte, test.length))
		if (err == nil) != test.ok || cleared == test.ok || (key == nil) == test.ok {
			t.Errorf("%s: %v, cleared: %v", name, err, cleared)
		}
	}
}

// TestRegions: a connection for each request that Wrap has under way at once.
func TestRegions(t *testing.T) {
	at := func(region string) string {
		return "arn:aws:kms:" + region + ":111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	}
	const own = "eu-west-1"
	for _, test := range []struct{ keys, want []string }{
		{[]string{"alias/a"}, []string{own}},
		{[]string{at("us-east-1")}, []string{"us-east-1"}},
		{[]string{"alias/a", "alias/b"}, []string{own}},
		{[]string{"alias/a", at(own), "alias/c"}, []string{own, own}},
		{[]string{"alias/a", at("us-east-1")}, []string{"us-east-1", own}},
		{[]string{at("us-east-1"), "alias/a", at("us-east-1")}, []string{own, "us-east-1"}},
	} {
		k := &Keyring{region: own, keys: test.keys}
		if got := k.Regions(); !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, not %q", test.keys, got, test.want)
		}
	}
}
