package tool_test

import (
	"strings"
	"testing"

	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/initialize"
)

// Each action that is said to be missing is allowed by the policy that it names. A
// second key is what Encrypt is needed for.
func TestRights(t *testing.T) {
	fake := fakeawstest.Start(t, "key create alias/one", "key create alias/two")
	fake.Setenv()
	t.Setenv("MS_KEY", "alias/one,alias/two")
	t.Setenv("HOME", t.TempDir())
	policies := map[string]string{}
	for op, need := range tool.Rights() {
		if policies[need.Role] == "" {
			var out, errs strings.Builder
			if status := initialize.Run(t.Context(), []string{"-policy", need.Role, "svc"}, strings.NewReader(""), &out, &errs); status != 0 {
				t.Fatalf("%s: %s", need.Role, &errs)
			}
			policies[need.Role] = out.String()
		}
		if !strings.Contains(policies[need.Role], `"`+need.Action+`"`) {
			t.Errorf("%s: the policy of a %s has no %s", op, need.Role, need.Action)
		}
	}
}
