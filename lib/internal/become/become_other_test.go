//go:build !unix

package become

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestMain is the program that the tests run, where its first argument is not
// one of package testing.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != "child" {
		os.Exit(m.Run())
	}
	status, err := strconv.ParseUint(os.Args[2], 0, 32)
	if err != nil {
		panic(err)
	}
	io.Copy(os.Stdout, os.Stdin)
	io.WriteString(os.Stdout, strings.Join(os.Args[3:], "|"))
	io.WriteString(os.Stderr, os.Getenv("GIVEN")+os.Getenv("INHERITED"))
	os.Exit(int(status))
}

// TestStatus holds exit statuses to all 32 bits, as Windows has them, and
// arguments, environment and streams to what was given.
func TestStatus(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("INHERITED", "inherited")
	for _, want := range []string{"0", "1", "42", "256", "70000", "0xC0000005", "0xFFFFFFFF"} {
		t.Run(want, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			argv := []string{path, "child", want, "", "a b", `"\`, "%PATH%"}
			status, err := Program(path, argv, []string{"GIVEN=given"}, strings.NewReader("input "), &stdout, &stderr)
			if n, _ := strconv.ParseUint(want, 0, 32); err != nil || uint32(status) != uint32(n) {
				t.Errorf("status %#x, %v", uint32(status), err)
			}
			if got := stdout.String(); got != `input |a b|"\|%PATH%` {
				t.Errorf("arguments %q", got)
			}
			if got := stderr.String(); got != "given" {
				t.Errorf("environment %q", got)
			}
		})
	}
}

func TestNotFound(t *testing.T) {
	if _, err := Program(`no\such\program.exe`, []string{"x"}, nil, nil, io.Discard, io.Discard); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}
