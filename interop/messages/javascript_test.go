package messages

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"testing"

	"microsecrets/lib/message"
)

// A jsJob is what sdk.js is asked; []byte is base64 in JSON.
type jsJob struct {
	Encrypt     *[]byte           `json:"encrypt,omitempty"`
	Decrypt     []byte            `json:"decrypt,omitempty"`
	Suite       message.Suite     `json:"suite,omitempty"`
	FrameLength int               `json:"frameLength,omitempty"`
	Context     map[string]string `json:"context,omitempty"`
	KMS         string            `json:"kms,omitempty"`
	Raw         []jsKey           `json:"raw,omitempty"`
}

type jsKey struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Key       []byte `json:"key"`
}

type jsResult struct {
	Data    []byte            `json:"data"`
	Context map[string]string `json:"context"`
	Error   string            `json:"error"`
}

// javascript has the JavaScript SDK do the jobs.
func javascript(t *testing.T, jobs []jsJob) []jsResult {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node in PATH to run the JavaScript SDK with")
	}
	if _, err := os.Stat("../node_modules/@aws-crypto/client-node"); err != nil {
		t.Skip("no JavaScript SDK: run npm ci in interop")
	}
	in, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "sdk.js")
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sdk.js: %v\n%s", err, stderr.String())
	}
	var results []jsResult
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatal(err)
	}
	return results
}

// rawKeys gives the wrapping keys as sdk.js takes them.
func rawKeys(keys ...wrappingKey) []jsKey {
	var raw []jsKey
	for _, k := range keys {
		raw = append(raw, jsKey{k.name, namespace, k.raw})
	}
	return raw
}

// A messageCase is a plaintext and the shape of its message.
type messageCase struct {
	shape
	plain []byte
}

// jsCases has every suite and frame length at sizes around the boundaries, with the contexts and numbers of keys in turn.
// Two orders of a context are for TestStoreWrites: a raw AES keyring of this SDK authenticates the wrong one.
func jsCases() []messageCase {
	random := make([]byte, 2<<20+1)
	rand.Read(random)
	kinds := []string{"none", "one", "eight", "non-ASCII"}
	var cases []messageCase
	for _, suite := range []message.Suite{message.Signed, message.Unsigned} {
		for _, frameLen := range []int{1, 16, 4096, 65536, 1 << 20} {
			for _, size := range []int{0, 1, frameLen - 1, frameLen, frameLen + 1, 2 * frameLen, 2*frameLen + 1} {
				n := len(cases)
				s := shape{suite, frameLen, contexts[kinds[n%len(kinds)]], 1 + n/len(kinds)%2*2}
				cases = append(cases, messageCase{s, random[:size]})
			}
		}
	}
	return cases
}

func TestJavaScriptReads(t *testing.T) {
	o := newOfficial(t)
	cases := jsCases()
	var jobs []jsJob
	for _, c := range cases {
		var msg bytes.Buffer
		if err := o.write(&msg, c.shape, c.plain); err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		jobs = append(jobs, jsJob{Decrypt: msg.Bytes(), Raw: rawKeys(o.keys[c.keys-1])})
	}
	altered := bytes.Clone(jobs[0].Decrypt)
	altered[len(altered)-1] ^= 1
	jobs = append(jobs, jsJob{Decrypt: altered, Raw: jobs[0].Raw})

	results := javascript(t, jobs)
	for i, c := range cases {
		r := results[i]
		delete(r.Context, message.PublicKey)
		if r.Error != "" || !bytes.Equal(r.Data, c.plain) || !maps.Equal(r.Context, c.context) {
			t.Errorf("%v: they read our %d bytes as %d in %v, %s", c.shape, len(c.plain), len(r.Data), r.Context, r.Error)
		}
	}
	if results[len(cases)].Error == "" {
		t.Error("they read an altered message")
	}
}

func TestJavaScriptWrites(t *testing.T) {
	o := newOfficial(t)
	cases := jsCases()
	var jobs []jsJob
	for _, c := range cases {
		jobs = append(jobs, jsJob{
			Encrypt: &c.plain, Suite: c.suite, FrameLength: c.frameLen, Context: c.context, Raw: rawKeys(o.keys[:c.keys]...),
		})
	}
	for i, r := range javascript(t, jobs) {
		c := cases[i]
		var got bytes.Buffer
		h, err := o.read(&got, r.Data, c.keys-1)
		if err != nil || !bytes.Equal(got.Bytes(), c.plain) {
			t.Errorf("%v: we read their %d bytes as %d, %v", c.shape, len(c.plain), got.Len(), err)
			continue
		}
		delete(h.Context, message.PublicKey)
		if !maps.Equal(h.Context, c.context) || h.Suite != c.suite || h.FrameLength != c.frameLen || len(h.DataKeys) != c.keys {
			t.Errorf("%v: we read their header as %+v", c.shape, h)
		}
	}
}
