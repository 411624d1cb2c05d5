package settings

import (
	"os"
	"strings"
	"testing"
)

// The manual has every setting, with its variable, and every program's page
// lists them all as flags.
func TestManual(t *testing.T) {
	msrc := page(t, "msrc.5")
	for _, name := range names {
		if !strings.Contains(msrc, "\n.It Cm "+name) {
			t.Errorf("msrc.5 does not describe %s", name)
		}
		if !strings.Contains(msrc, variable(name)) {
			t.Errorf("msrc.5 does not name %s", variable(name))
		}
	}
	for _, file := range []string{"ms-put.1", "ms-get.1", "ms-ls.1", "ms-exec.1"} {
		_, section, _ := strings.Cut(page(t, file), "\n.Sh SETTINGS\n")
		section, _, _ = strings.Cut(section, "\n.Sh ")
		for _, name := range names {
			if !strings.Contains(section, " "+name+" ") {
				t.Errorf("%s does not name %s", file, name)
			}
		}
	}
}

func page(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile("../../../doc/man/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
