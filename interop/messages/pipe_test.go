package messages

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// TestPipe has a secret go from ms-put through ms-get -raw into another SDK, as
// a shell would have it.
func TestPipe(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is absent")
	}
	b := newBench(t, false)
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir, "./cmd/ms-put", "./cmd/ms-get")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("ARN", b.arn)
	script := exec.Command("sh", "-euc", `
		printf 'hunter2\n' | ms-put -q svc/password
		ms-get -raw svc/password | node decrypt.js "$ARN"
	`)
	var stderr bytes.Buffer // node has advice of its own
	script.Stderr = &stderr
	out, err := script.Output()
	if string(out) != "hunter2\n" || err != nil {
		t.Errorf("%q, %v: %s", out, err, &stderr)
	}
}
