package message_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"io"
	"strings"

	"microsecrets/lib/message"
)

// Here the data key is wrapped with a key at hand; KMS does the same with one that it keeps to itself.
func Example() {
	block, err := aes.NewCipher(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	wrap := func(context map[string]string) ([]byte, []message.EncryptedDataKey, error) {
		key := make([]byte, message.DataKeyLength)
		rand.Read(key)
		wrapped := aead.Seal(nil, nil, key, []byte(context["name"]))
		return key, []message.EncryptedDataKey{{Provider: "example", Info: "key 1", Ciphertext: wrapped}}, nil
	}
	unwrap := func(h *message.Header) ([]byte, error) {
		if name := h.Context["name"]; name != "greeting" {
			return nil, fmt.Errorf("asked for greeting, got %q", name)
		}
		return aead.Open(nil, nil, h.DataKeys[0].Ciphertext, []byte(h.Context["name"]))
	}

	var stored bytes.Buffer
	o := message.WriterOptions{Context: map[string]string{"name": "greeting"}}
	w, err := message.NewWriter(&stored, o, wrap)
	if err != nil {
		panic(err)
	}
	if _, err := io.WriteString(w, "hello"); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}

	r, err := message.NewReader(&stored, message.ReaderOptions{}, unwrap)
	if err != nil {
		panic(err)
	}
	var plain strings.Builder
	if _, err := io.Copy(&plain, r); err != nil {
		panic(err)
	}
	fmt.Println(plain.String())
	// Output: hello
}
