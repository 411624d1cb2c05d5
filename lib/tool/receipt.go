package tool

import (
	"encoding/json"
	"fmt"

	"microsecrets/lib/secret"
)

// receipt is what -json prints of what was stored.
type receipt struct {
	Name    string         `json:"name"`
	Outcome secret.Outcome `json:"outcome"`
	Version string         `json:"version,omitempty"`
	ETag    string         `json:"etag"`
	SHA256  string         `json:"sha256"`
	Bytes   int64          `json:"bytes"`
	Key     string         `json:"key"`
}

// PrintReceipt prints the receipt of a secret on standard output: as JSON, or as
// sha256sum writes the hash of the stored message.
func (t *Tool) PrintReceipt(r *secret.Receipt, asJSON bool) error {
	if !asJSON {
		return t.PrintSum(r.SHA256, r.Name)
	}
	e := json.NewEncoder(t.Stdout)
	e.SetEscapeHTML(false)
	return receiptError(r.Name, e.Encode(receipt{
		Name:    r.Name,
		Outcome: r.Outcome,
		Version: r.Version,
		ETag:    r.ETag,
		SHA256:  fmt.Sprintf("%x", r.SHA256),
		Bytes:   r.Size,
		Key:     r.Key,
	}))
}

// PrintSum prints a hash of a secret that has been stored, as sha256sum does.
func (t *Tool) PrintSum(sum [32]byte, name string) error {
	_, err := fmt.Fprintf(t.Stdout, "%x  %s\n", sum, name)
	return receiptError(name, err)
}

func receiptError(name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: stored, but the receipt cannot be printed: %w", name, FileError("standard output", err))
	}
	return nil
}

// Announce says where a secret will go, and what says so: to a person at a terminal,
// and to anybody where that is a file that was found, which may have come with a
// repository.
func (t *Tool) Announce(name string) error {
	s, err := t.Settings()
	if err != nil {
		return err
	}
	if !s.Found && !t.OnTerminal() && !IsTerminal(t.Stdin) {
		return nil
	}
	t.Notef("%s goes to %s (%s)", name, s.Store, s.Source("store"))
	return nil
}
