package message

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha512"
	"fmt"
	"io"
	"runtime"
	"testing"
)

const benchSize = 64 << 20 // bytes of plaintext

// BenchmarkRaw is what the message format costs at least: AES-256-GCM for every byte, and SHA-384 if it is signed.
func BenchmarkRaw(b *testing.B) {
	block, err := aes.NewCipher(testKey())
	if err != nil {
		b.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	plain, nonce := noise(DefaultFrameLength), make([]byte, ivLen)
	sealed := aead.Seal(nil, nonce, plain, nil)
	out := make([]byte, 0, len(sealed))
	b.Run("AES-GCM seal", func(b *testing.B) {
		b.SetBytes(DefaultFrameLength)
		for b.Loop() {
			aead.Seal(out, nonce, plain, nil)
		}
	})
	b.Run("AES-GCM open", func(b *testing.B) {
		b.SetBytes(DefaultFrameLength)
		for b.Loop() {
			if _, err := aead.Open(out, nonce, sealed, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	// A reader gets its bytes by a copy out of memory, whoever makes it.
	b.Run("copy and AES-GCM open", func(b *testing.B) {
		stored := bytes.Repeat(sealed, benchSize/DefaultFrameLength)
		in := make([]byte, len(sealed))
		b.SetBytes(benchSize)
		for b.Loop() {
			for from := stored; len(from) > 0; from = from[len(in):] {
				copy(in, from)
				if _, err := aead.Open(out, nonce, in, nil); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("SHA-384", func(b *testing.B) {
		hash := sha512.New384()
		b.SetBytes(DefaultFrameLength)
		for b.Loop() {
			hash.Write(plain)
		}
	})
}

var shortName = map[Suite]string{Signed: "signed", Unsigned: "unsigned"}

func eachSuiteAndCPU(b *testing.B, run func(b *testing.B, suite Suite)) {
	for _, suite := range []Suite{Unsigned, Signed} {
		for cpus := 1; cpus <= runtime.NumCPU(); cpus *= 2 {
			name := fmt.Sprintf("%s/cpus=%d", shortName[suite], cpus)
			b.Run(name, func(b *testing.B) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cpus))
				run(b, suite)
			})
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	plain := noise(benchSize)
	eachSuiteAndCPU(b, func(b *testing.B, suite Suite) {
		b.SetBytes(benchSize)
		b.ReportAllocs()
		for b.Loop() {
			w, err := NewWriter(io.Discard, WriterOptions{Suite: suite}, wrapTest)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := w.Write(plain); err != nil {
				b.Fatal(err)
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReadFrom copies the plaintext into the Writer first.
func BenchmarkReadFrom(b *testing.B) {
	plain := noise(benchSize)
	eachSuiteAndCPU(b, func(b *testing.B, suite Suite) {
		b.SetBytes(benchSize)
		b.ReportAllocs()
		for b.Loop() {
			w, err := NewWriter(io.Discard, WriterOptions{Suite: suite}, wrapTest)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := w.ReadFrom(bytes.NewReader(plain)); err != nil {
				b.Fatal(err)
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRead copies the message into the Reader first. Of 4 MiB it comes from the processor's cache, of 64 from memory.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{4 << 20, benchSize} {
		plain := noise(size)
		b.Run(fmt.Sprintf("%dMiB", size>>20), func(b *testing.B) {
			eachSuiteAndCPU(b, func(b *testing.B, suite Suite) {
				msg := seal(b, WriterOptions{Suite: suite}, plain)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					r, err := NewReader(bytes.NewReader(msg), ReaderOptions{AcceptUnsigned: true}, unwrapTest)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := r.WriteTo(io.Discard); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkSmall is a secret of 300 bytes.
func BenchmarkSmall(b *testing.B) {
	plain := noise(300)
	for _, suite := range suites {
		b.Run("write/"+shortName[suite], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				seal(b, WriterOptions{Suite: suite}, plain)
			}
		})
		msg := seal(b, WriterOptions{Suite: suite}, plain)
		b.Run("read/"+shortName[suite], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := open(msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// onlyReader hides every other method.
type onlyReader struct{ io.Reader }
