package faults_test

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"microsecrets/lib/tool"
	"microsecrets/lib/tool/suite/suitetest"
)

// atRoot runs the tests in the top-level folder, which has the page.
type atRoot struct{ *testing.M }

func (m atRoot) Run() int {
	if err := os.Chdir("../../../.."); err != nil {
		panic(err)
	}
	return m.M.Run()
}

func TestMain(m *testing.M) { testscript.Main(atRoot{m}, suitetest.Commands(tool.Main)) }
