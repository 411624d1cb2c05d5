package messages

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"microsecrets/lib/secret"
)

// TestManual runs the JavaScript of doc/format.md, as it stands there but for the key: it reads a secret, and writes one.
func TestManual(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is absent")
	}
	if _, err := os.Stat("../node_modules/@aws-sdk/client-s3"); err != nil {
		t.Skip("no JavaScript SDK: run npm ci in interop")
	}
	page, err := os.ReadFile("../../doc/format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(page), "```js\n")
	script, _, _ = strings.Cut(script, "```")
	b := newBench(t, false)
	script = strings.Replace(script, "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", b.arn, 1)
	script += `get().then(async (secret) => {
		process.stdout.write(secret);
		await put("by JavaScript");
	});`

	ctx := context.Background()
	store, err := secret.Open(ctx, location+"/prod", &secret.Options{Key: b.arn})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(ctx, "myservice/password", strings.NewReader("hunter2"), nil); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "-")
	var stderr bytes.Buffer // node has advice of its own
	cmd.Stdin, cmd.Stderr = strings.NewReader(script), &stderr
	out, err := cmd.Output()
	if string(out) != "hunter2" || err != nil {
		t.Fatalf("%q, %v: %s", out, err, &stderr)
	}
	if got, err := store.Get(ctx, "myservice/password", nil); string(got) != "by JavaScript" {
		t.Errorf("%q, %v", got, err)
	}
}
