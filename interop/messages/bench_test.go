package messages

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"microsecrets/lib/message"
)

// BenchmarkMessage seals and opens 100 MB from memory, by the official SDK and by lib/message: in frames of 64 KiB, which
// lib/message makes unless told otherwise, and of 4 KiB, which the SDK does.
func BenchmarkMessage(b *testing.B) {
	const size = 100_000_000
	o := newOfficial(b)
	plain := bytes.Repeat([]byte("microsecrets"), size/12+1)[:size]
	for _, suite := range []struct {
		name  string
		suite message.Suite
	}{{"unsigned", message.Unsigned}, {"signed", message.Signed}} {
		for _, frameLen := range []int{4 << 10, message.DefaultFrameLength} {
			s := shape{suite.suite, frameLen, contexts["one"], 1}
			msg, err := o.encrypt(s, plain)
			if err != nil {
				b.Fatal(err)
			}
			run := func(name string, f func() error) {
				b.Run(fmt.Sprintf("%s/frames=%d/%s", suite.name, frameLen, name), func(b *testing.B) {
					b.SetBytes(size)
					b.ReportAllocs()
					for b.Loop() {
						if err := f(); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			run("write/official", func() error { _, err := o.encrypt(s, plain); return err })
			run("write/microsecrets", func() error { return o.write(io.Discard, s, plain) })
			run("read/official", func() error { _, _, err := o.decrypt(msg, 0); return err })
			run("read/microsecrets", func() error { _, err := o.read(io.Discard, msg, 0); return err })
		}
	}
}
