package keyring

import (
	"strings"
	"testing"
)

// FuzzKeys holds that the setting key makes no key that is empty, and that no service
// makes one key two, or an alias something else.
func FuzzKeys(f *testing.F) {
	for _, s := range []string{"alias/microsecrets-{service}", " a , b ", ",", "", "{service}{service}", "arn:aws:kms:us-east-1:111122223333:key/a,alias/b"} {
		f.Add(s, "svc")
	}
	f.Add("alias/{service}", "a,b")
	f.Add("alias/{service}", "{service}")
	f.Add("alias/{service}", "ä")
	f.Fuzz(func(t *testing.T, setting, service string) {
		keys, err := Keys(setting, service)
		if err != nil {
			return
		}
		if len(keys) != 1+strings.Count(setting, ",") {
			t.Errorf("%q of %q: %q", setting, service, keys)
		}
		for _, key := range keys {
			if strings.TrimSpace(key) != key || key == "" || strings.Contains(key, "{service}") || strings.Contains(key, ",") {
				t.Errorf("%q of %q: the key %q", setting, service, key)
			}
		}
	})
}
