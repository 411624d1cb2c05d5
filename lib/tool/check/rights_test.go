package check

import (
	"strings"
	"testing"

	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/tool/initialize"
)

// Each action that ms-check says is missing is allowed by the policy that it names. A
// second key is what Encrypt is needed for.
func TestRights(t *testing.T) {
	fake := fakeawstest.Start(t, "key create alias/one", "key create alias/two")
	fake.Setenv()
	t.Setenv("MS_KEY", "alias/one,alias/two")
	t.Setenv("HOME", t.TempDir())
	policies := map[string]string{}
	for op, need := range rights {
		if policies[need.role] == "" {
			var out, errs strings.Builder
			if status := initialize.Run(t.Context(), []string{"-policy", need.role, "svc"}, strings.NewReader(""), &out, &errs); status != 0 {
				t.Fatalf("%s: %s", need.role, &errs)
			}
			policies[need.role] = out.String()
		}
		if !strings.Contains(policies[need.role], `"`+need.action+`"`) {
			t.Errorf("%s: the policy of a %s has no %s", op, need.role, need.action)
		}
	}
}
