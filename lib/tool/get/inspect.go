package get

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"microsecrets/lib/internal/printable"
	"microsecrets/lib/message"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// inspection is what -inspect prints of a secret: a header that may be anybody's.
type inspection struct {
	Unverified  bool              `json:"unverified"`
	Name        string            `json:"name"`
	Version     string            `json:"version,omitempty"`
	ETag        string            `json:"etag"`
	Size        int64             `json:"size"`
	Suite       string            `json:"suite"`
	Signed      bool              `json:"signed"`
	MessageID   string            `json:"messageID"`
	Context     map[string]string `json:"context"`
	Keys        []inspectedKey    `json:"keys"`
	FrameLength int               `json:"frameLength"`
	HeaderSize  int               `json:"headerSize"`
}

type inspectedKey struct {
	Provider string `json:"provider"`
	Key      string `json:"key"`
}

// inspectAll writes the headers of secrets, a line of JSON each, if all have one.
func (o *options) inspectAll(ctx context.Context, store *secret.Store, names []string, w io.Writer) error {
	lines, err := tool.Gather(ctx, sideBySide, names, func(name string) ([]byte, error) {
		return inspect(ctx, store, name, o.options(name))
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := w.Write(lines[name]); err != nil {
			return err
		}
	}
	return nil
}

func inspect(ctx context.Context, store *secret.Store, name string, o *secret.GetOptions) ([]byte, error) {
	stored, h, err := store.Inspect(ctx, name, o)
	if err != nil {
		return nil, err
	}
	in := inspection{
		Unverified:  true,
		Name:        name,
		Version:     stored.Version,
		ETag:        stored.ETag,
		Size:        stored.Size,
		Suite:       fmt.Sprintf("0x%04x", uint16(h.Suite)),
		Signed:      h.Suite == message.Signed,
		MessageID:   fmt.Sprintf("%x", h.MessageID),
		Context:     h.Context,
		FrameLength: h.FrameLength,
		HeaderSize:  h.Len(),
	}
	for _, k := range h.DataKeys {
		in.Keys = append(in.Keys, inspectedKey{k.Provider, k.Info})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(in); err != nil {
		return nil, err
	}
	return printable.JSON(b.Bytes()), nil
}
