package become

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// roles are what the test binary is where its first argument names one, and not a
// flag of package testing.
var roles = map[string]func(args []string){
	"child": func(args []string) {
		status, err := strconv.ParseUint(args[0], 0, 32)
		if err != nil {
			panic(err)
		}
		io.Copy(os.Stdout, os.Stdin)
		io.WriteString(os.Stdout, strings.Join(args[1:], "|"))
		io.WriteString(os.Stderr, os.Getenv("GIVEN")+os.Getenv("INHERITED"))
		os.Exit(int(status))
	},
	"supervisor": func([]string) {
		path, err := os.Executable()
		if err != nil {
			panic(err)
		}
		status, err := supervise(path, []string{path, "interrupted"}, os.Environ(), nil, os.Stdout, os.Stderr)
		if err != nil {
			panic(err)
		}
		os.Exit(status)
	},
	"interrupted": func([]string) {
		arrived := make(chan os.Signal, 1)
		signal.Notify(arrived, os.Interrupt)
		fmt.Println("ready")
		<-arrived
		os.Exit(7)
	},
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if role := roles[os.Args[1]]; role != nil {
			role(os.Args[2:])
		}
	}
	os.Exit(m.Run())
}

// TestStatus holds exit statuses to all bits that the system has, arguments,
// environment and streams to what was given.
func TestStatus(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("INHERITED", "inherited")
	statuses := []uint32{0, 1, 42, 255}
	if runtime.GOOS == "windows" {
		statuses = append(statuses, 256, 70000, 0xC0000005, 0xFFFFFFFF)
	}
	for _, want := range statuses {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			argv := []string{path, "child", fmt.Sprint(want), "", "a b", `"\`, "%PATH%"}
			status, err := supervise(path, argv, []string{"GIVEN=given"}, strings.NewReader("input "), &stdout, &stderr)
			if err != nil || uint32(status) != want {
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
	if _, err := supervise(t.TempDir()+"/program.exe", []string{"x"}, nil, nil, io.Discard, io.Discard); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}
