package suite_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/tool/get"
	"microsecrets/lib/tool/put"
)

// Whole programs run in one bubble with the emulator, by TLS as well, and wait in
// virtual time.
func TestInMemory(t *testing.T) {
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fakeawstest.StartWith(t, fakeaws.Options{InMemory: true, TLS: tls}, "fault delay 5s PutObject,Decrypt")
				defer s.Close()
				s.Setenv()
				t.Setenv("HOME", t.TempDir())
				ctx := awsclient.WithDial(t.Context(), s.DialContext)
				began := time.Now()
				var out, errOut bytes.Buffer
				if status := put.Run(ctx, []string{"some/name"}, strings.NewReader("a secret"), &out, &errOut); status != 0 {
					t.Fatalf("put: %d: %s", status, &errOut)
				}
				out.Reset()
				if status := get.Run(ctx, []string{"some/name"}, strings.NewReader(""), &out, &errOut); status != 0 || out.String() != "a secret" {
					t.Fatalf("get: %d: %q, %s", status, &out, &errOut)
				}
				if took := time.Since(began); took != 10*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}
