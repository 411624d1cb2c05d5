package fakekms

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"microsecrets/lib/fakeaws/iam"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// ask sends a signed request.
func ask(h *Handler, operation, body string) (*httptest.ResponseRecorder, error) {
	r, err := http.NewRequest("POST", "http://localhost/", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService."+operation)
	dev, _ := h.principals.Find(iam.DefaultPrincipal)
	payload := sha256.Sum256([]byte(body))
	credentials := aws.Credentials{AccessKeyID: dev.AccessKey, SecretAccessKey: dev.SecretKey}
	err = v4.NewSigner().SignHTTP(context.Background(), credentials, r, hex.EncodeToString(payload[:]), "kms", DefaultRegion, now)
	w := httptest.NewRecorder()
	if err == nil {
		h.ServeHTTP(w, r)
	}
	return w, err
}

// FuzzRequest sends any body to any operation: the answer is JSON, and never a fault
// of the server's.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][2]string{
		{"GenerateDataKey", `{"KeyId":"alias/microsecrets-a","NumberOfBytes":32,"EncryptionContext":{"a":"b"}}`},
		{"GenerateDataKey", `{"KeyId":"alias/microsecrets-a","NumberOfBytes":-1}`},
		{"GenerateDataKey", `{"KeyId":"alias/microsecrets-a","KeySpec":"AES_256","DryRun":true}`},
		{"Decrypt", `{"CiphertextBlob":"AAAA"}`},
		{"Decrypt", `{"KeyId":"arn:aws:kms:us-east-1:111122223333:key/a","CiphertextBlob":""}`},
		{"Encrypt", `{"KeyId":"alias/microsecrets-a","Plaintext":"AAAA"}`},
		{"ReEncrypt", `{"CiphertextBlob":"AAAA","DestinationKeyId":"alias/microsecrets-a"}`},
		{"CreateKey", `{"MultiRegion":true,"Description":"x"}`},
		{"CreateAlias", `{"AliasName":"alias/x","TargetKeyId":"y"}`},
		{"ListAliases", `{"Limit":0,"Marker":"x"}`},
		{"ListKeys", `{"Limit":1,"Marker":"-1"}`},
		{"DescribeKey", `{"KeyId":"alias/microsecrets-a"}`},
		{"DescribeKey", `[`},
		{"Nothing", ``},
	} {
		f.Add(seed[0], seed[1])
	}
	principals := iam.New()
	f.Fuzz(func(t *testing.T, operation, body string) {
		h, err := New(Options{Principals: principals, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		w, err := ask(h, operation, body)
		if err != nil {
			return
		}
		if w.Code >= 500 || w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %q: %d %q", operation, body, w.Code, w.Body)
		}
	})
}

// FuzzKeysFile opens a folder with any file of keys: it is refused, or served.
func FuzzKeysFile(f *testing.F) {
	for _, s := range []string{
		"", "{}", "null", "[]", `{"Keys":null,"Aliases":null}`, `{"Keys":{"arn:aws:kms:us-east-1:111122223333:key/a":null}}`,
		`{"Keys":{"arn:aws:kms:us-east-1:111122223333:key/a":{"ID":"a","Region":"us-east-1","Account":"111122223333","Material":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","State":"Enabled"}},"Aliases":{"arn:aws:kms:us-east-1:111122223333:alias/microsecrets-a":"a"}}`,
		`{"Aliases":{"arn:aws:kms:us-east-1:111122223333:alias/microsecrets-a":"gone"}}`,
	} {
		f.Add([]byte(s))
	}
	principals := iam.New()
	f.Fuzz(func(t *testing.T, file []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, keysFile), file, 0o600); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		h, err := New(Options{Principals: principals, Now: func() time.Time { return now }, Dir: root})
		if err != nil {
			return
		}
		for _, request := range [][2]string{
			{"ListKeys", `{}`}, {"ListAliases", `{}`}, {"DescribeKey", `{"KeyId":"alias/microsecrets-a"}`},
			{"GenerateDataKey", `{"KeyId":"alias/microsecrets-a","NumberOfBytes":32}`},
			{"Decrypt", `{"KeyId":"alias/microsecrets-a","CiphertextBlob":"AAAA"}`},
		} {
			if _, err := ask(h, request[0], request[1]); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzBlob(f *testing.F) {
	key := &kmsKey{ID: newKeyID(true), Material: make([]byte, materialSize)}
	blob, err := key.seal([]byte("data key"), map[string]string{"a": "b"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob)
	f.Fuzz(func(t *testing.T, blob []byte) {
		if id, ok := blobKeyID(blob); ok && len(id) > blobIDSize {
			t.Error("an id that is too long")
		}
		if _, err := key.open(blob, nil); err == nil {
			t.Error("opened without its context")
		}
	})
}
