package message

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll reads msg in two ways, and gives what both release and why they stop.
func readAll(t *testing.T, msg []byte, o ReaderOptions) (string, error) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(msg), o, unwrapTest)
	if err != nil {
		return "", err
	}
	plain, err := io.ReadAll(r)
	again, errAgain := readings["WriteTo"](must(NewReader(iotest.OneByteReader(bytes.NewReader(msg)), o, unwrapTest)))
	if !bytes.Equal(plain, again) || (err == nil) != (errAgain == nil) {
		t.Fatalf("Read gives %q, %v; WriteTo gives %q, %v", plain, err, again, errAgain)
	}
	return string(plain), err
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// footerOf gives a recipe's sign for a signature in whatever form.
func footerOf(form func(r, s *big.Int) []byte) func(*ecdsa.PrivateKey, []byte) []byte {
	return func(key *ecdsa.PrivateKey, digest []byte) []byte {
		var sig struct{ R, S *big.Int }
		must(asn1.Unmarshal(must(ecdsa.SignASN1(rand.Reader, key, digest)), &sig))
		return appendField(nil, form(sig.R, sig.S))
	}
}

func der(r, s *big.Int) []byte {
	return must(asn1.Marshal(struct{ R, S *big.Int }{r, s}))
}

// order is that of the group of P-384.
var order = elliptic.P384().Params().N

// uncompressed is a signing key as no message has it.
func uncompressed(t *testing.T) []byte {
	return must(testSigningKey.PublicKey.Bytes())
}

// TestRefused has a row for each way in which a message can be malformed while all of it is authentic: whoever
// made it has the data key, which every reader has. Nothing but whole frames before the fault is released.
func TestRefused(t *testing.T) {
	otherKey := bytes.Repeat([]byte{1}, DataKeyLength)
	for _, tt := range []struct {
		name    string
		spoil   func(r *recipe)
		want    string // of the error
		release string
	}{
		{"version 1", func(r *recipe) { r.version = 1 }, "version 2", ""},
		{"version 3", func(r *recipe) { r.version = 3 }, "version 2", ""},
		{"suite without commitment", func(r *recipe) { r.suite = 0x0378 }, "suite 0x0378", ""},
		{"unknown suite", func(r *recipe) { r.suite = 0xffff }, "suite 0xFFFF", ""},
		{"body not in frames", func(r *recipe) { r.contentType = 1 }, "not framed", ""},
		{"unknown content type", func(r *recipe) { r.contentType = 3 }, "not framed", ""},

		{"no data key", func(r *recipe) { r.keys, r.keyCount = nil, 0 }, "0 encrypted data keys", ""},
		{"17 data keys", func(r *recipe) {
			r.keys, r.keyCount = slices.Repeat(r.keys, 17), 17
		}, "17 encrypted data keys", ""},
		{"65,535 data keys", func(r *recipe) { r.keyCount = 65535 }, "65535 encrypted data keys", ""},
		{"more data keys stated than there are", func(r *recipe) { r.keyCount = 2 }, "not authentic", ""},
		{"provider not UTF-8", func(r *recipe) { r.keys[0].Provider = "aws-\xff" }, "not UTF-8", ""},

		{"duplicate context key", func(r *recipe) {
			r.pairs = append(r.pairs, [2]string{"ms-name", "other"})
		}, `"ms-name" twice`, ""},
		{"duplicate context pair", func(r *recipe) { r.pairs = append(r.pairs, r.pairs[1]) }, "twice", ""},
		{"context key not UTF-8", func(r *recipe) { r.pairs[1][0] = "\xff" }, "malformed encryption context", ""},
		{"context value not UTF-8", func(r *recipe) { r.pairs[1][1] = "\xc0\x80" }, "malformed encryption context", ""},
		{"context of a byte", func(r *recipe) { r.context = []byte{0, 1, 0} }, "malformed encryption context", ""},
		{"context longer than its pairs", func(r *recipe) {
			r.context = appendField(nil, append(encodePairs(r.pairs)[2:], 0))
		}, "malformed encryption context", ""},
		{"context shorter than its pairs", func(r *recipe) {
			c := encodePairs(r.pairs)[2:]
			r.context = appendField(nil, c[:len(c)-1])
		}, "malformed encryption context", ""},
		{"more context pairs stated than there are", func(r *recipe) {
			r.context = encodePairs(r.pairs)
			r.context[3]++
		}, "malformed encryption context", ""},
		{"fewer context pairs stated than there are", func(r *recipe) {
			r.context = encodePairs(r.pairs)
			r.context[3]--
		}, "malformed encryption context", ""},
		{"context of length 65,535 that is not there", func(r *recipe) {
			r.context = append([]byte{0xff, 0xff}, encodePairs(r.pairs)[2:]...)
		}, "truncated", ""},

		{"frame length 0", func(r *recipe) { r.frameLen = 0 }, "frame length of 0", ""},
		{"frame length over the bound", func(r *recipe) { r.frameLen = MaxFrameLength + 1 }, "frame length of 16777217", ""},
		{"frame length 4 GiB", func(r *recipe) { r.frameLen = 1<<32 - 1 }, "frame length of 4294967295", ""},
		{"commitment of another key", func(r *recipe) {
			_, r.commitment, _ = derive(r.suite, [idLen]byte{7: 7}, otherKey)
		}, "not committed", ""},
		{"commitment of zeros", func(r *recipe) { r.commitment = make([]byte, commitLen) }, "not committed", ""},
		{"another data key", func(r *recipe) { r.dataKey = otherKey }, "not committed", ""},

		{"first frame is 0", func(r *recipe) { r.frames[0] = regularFrame(0, "onet") }, "frame 0 is where frame 1", ""},
		{"first frame is 2", func(r *recipe) { r.frames = r.frames[1:] }, "frame 2 is where frame 1", ""},
		{"frame skipped", func(r *recipe) {
			r.frames = slices.Delete(r.frames, 1, 2)
		}, "final frame 3 is where frame 2", "onet"},
		{"regular frame skipped", func(r *recipe) {
			r.frames[1] = regularFrame(3, "wo..")
		}, "frame 3 is where frame 2", "onet"},
		{"frame repeated", func(r *recipe) {
			r.frames = slices.Insert(r.frames, 1, r.frames[0])
		}, "frame 1 is where frame 2", "onet"},
		{"frames reversed", func(r *recipe) {
			r.frames[0], r.frames[1] = r.frames[1], r.frames[0]
		}, "frame 2 is where frame 1", ""},
		{"final frame first", func(r *recipe) { slices.Reverse(r.frames) }, "final frame 3 is where frame 1", ""},
		{"final frame numbered as another", func(r *recipe) {
			r.frames[2] = finalFrame(2, "end")
		}, "final frame 2 is where frame 3", "onetwo.."},
		{"no final frame", func(r *recipe) { r.frames = r.frames[:2] }, "not authentic", "onetwo.."},
		{"no frames", func(r *recipe) { r.frames = nil }, "not authentic", ""},
		{"two final frames", func(r *recipe) {
			r.frames = append(r.frames, finalFrame(4, "x"))
		}, "not authentic", "onetwo.."},
		{"a regular frame after the final one", func(r *recipe) {
			r.frames = append(r.frames, regularFrame(4, "more"))
		}, "not authentic", "onetwo.."},
		{"final frame over the frame length", func(r *recipe) {
			r.frames[2] = finalFrame(3, "12345")
		}, "longer than the frame length", "onetwo.."},
		{"final frame with a length of 4 GiB", func(r *recipe) { r.frames[2].length = 1<<32 - 1 }, "longer", "onetwo.."},
		{"final frame with a length too small", func(r *recipe) { r.frames[2].length = 2 }, "altered", "onetwo.."},
		{"regular frame sealed as final", func(r *recipe) { r.frames[0].kind = finalContent }, "frame 1 is altered", ""},
		{"final frame sealed as regular", func(r *recipe) { r.frames[2].kind = regularContent }, "altered", "onetwo.."},
		{"regular frame too short", func(r *recipe) { r.frames[1] = regularFrame(2, "wo.") }, "not authentic", "onet"},
		{"a byte after the message", func(r *recipe) { r.after = []byte{0} }, "bytes follow", "onetwo.."},
		{"a message after the message", func(r *recipe) {
			r.after, _ = goodRecipe(r.suite).make(t)
		}, "bytes follow", "onetwo.."},
	} {
		for _, suite := range suites {
			t.Run(tt.name+"/"+suite.String(), func(t *testing.T) {
				r := goodRecipe(suite)
				tt.spoil(r)
				msg, _ := r.make(t)
				got, err := readAll(t, msg, ReaderOptions{AcceptUnsigned: true})
				if !errors.Is(err, ErrNotAuthentic) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error is %v, want one with %q", err, tt.want)
				}
				if got != tt.release {
					t.Errorf("released %q, want %q", got, tt.release)
				}
			})
		}
	}
}

// TestRefusedSignature has a row for each way in which a signature can be wrong or missing.
func TestRefusedSignature(t *testing.T) {
	point := uncompressed(t)
	offCurve := slices.Concat([]byte{2}, make([]byte, 48))
	for onCurve := true; onCurve; {
		offCurve[48]++
		x, _ := elliptic.UnmarshalCompressed(elliptic.P384(), offCurve)
		onCurve = x != nil
	}
	putPoint := func(point []byte) func(r *recipe) {
		return func(r *recipe) { r.put(PublicKey, base64.StdEncoding.EncodeToString(point)) }
	}
	// respellPoint has other text for the same point, which a lenient decoder accepts.
	respellPoint := func(respell func(string) string) func(r *recipe) {
		return func(r *recipe) { r.put(PublicKey, respell(r.pairs[0][1])) }
	}
	sign := func(form func(r, s *big.Int) []byte) func(r *recipe) {
		return func(r *recipe) { r.sign = footerOf(form) }
	}
	for _, tt := range []struct {
		name    string
		spoil   func(r *recipe)
		want    string
		release string
	}{
		{"no public key", func(r *recipe) { r.drop(PublicKey) }, "no public key", ""},
		{"public key not in base64", func(r *recipe) { r.put(PublicKey, "?") }, "base64", ""},
		{"public key with a newline after it", respellPoint(func(s string) string { return s + "\n" }), "base64", ""},
		{"public key with CR LF in it", respellPoint(func(s string) string { return s[:40] + "\r\n" + s[40:] }), "base64", ""},
		{"public key without padding", respellPoint(func(s string) string { return s[:66] }), "base64", ""},
		{"public key with bits in its padding", respellPoint(func(s string) string {
			return s[:65] + string(s[65]+1) + "=="
		}), "base64", ""},
		{"empty public key", func(r *recipe) { r.put(PublicKey, "") }, "compressed point", ""},
		{"uncompressed public key", putPoint(point), "compressed point", ""},
		{"hybrid public key", putPoint(slices.Concat([]byte{6 + point[96]&1}, point[1:])), "compressed point", ""},
		{"public key not on the curve", putPoint(offCurve), "compressed point", ""},
		{"public key at infinity", putPoint([]byte{0}), "compressed point", ""},
		{"public key over the field", putPoint(slices.Concat([]byte{2}, bytes.Repeat([]byte{0xff}, 48))), "compressed point", ""},
		{"public key of another curve", putPoint(slices.Concat([]byte{2}, point[1:33])), "compressed point", ""},
		{"public key too long", putPoint(slices.Concat([]byte{2}, point[1:49], []byte{0})), "compressed point", ""},
		{"public key of another", func(r *recipe) {
			key := must(ecdsa.GenerateKey(elliptic.P384(), nil))
			r.put(PublicKey, must(encodePublicKey(&key.PublicKey)))
		}, "signature is wrong", "onetwo.."},

		{"no footer", func(r *recipe) { r.sign = nil }, "truncated", "onetwo.."},
		{"empty signature", func(r *recipe) {
			r.sign = func(*ecdsa.PrivateKey, []byte) []byte { return []byte{0, 0} }
		}, "signature is wrong", "onetwo.."},
		{"signature with a length of 65,535", func(r *recipe) {
			r.sign = func(*ecdsa.PrivateKey, []byte) []byte { return []byte{0xff, 0xff} }
		}, "the signature has 65535 bytes", "onetwo.."},
		{"signature of another message", func(r *recipe) {
			good := r.sign
			r.sign = func(key *ecdsa.PrivateKey, digest []byte) []byte {
				digest[0] ^= 1
				return good(key, digest)
			}
		}, "signature is wrong", "onetwo.."},
		{"signature of zeros", sign(func(_, _ *big.Int) []byte {
			return der(new(big.Int), new(big.Int))
		}), "signature is wrong", "onetwo.."},
		{"signature over the group order", sign(func(r, s *big.Int) []byte {
			return der(r, new(big.Int).Add(s, order))
		}), "signature", "onetwo.."},
		{"negative signature", sign(func(r, s *big.Int) []byte {
			return der(r, new(big.Int).Neg(s))
		}), "signature is wrong", "onetwo.."},
		{"signature not in DER", sign(func(r, s *big.Int) []byte {
			return append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...)
		}), "signature is wrong", "onetwo.."},
		{"signature with a byte after it", sign(func(r, s *big.Int) []byte {
			return append(shortDER(r, s), 0)
		}), "signature is wrong", "onetwo.."},
		{"signature with a byte in it", sign(func(r, s *big.Int) []byte {
			b := append(shortDER(r, s), 0)
			b[1]++
			return b
		}), "signature is wrong", "onetwo.."},
		{"signature with a length in long form", sign(func(r, s *big.Int) []byte {
			b := shortDER(r, s)
			return slices.Concat(b[:1], []byte{0x81}, b[1:])
		}), "signature is wrong", "onetwo.."},
		{"signature with a padded integer", sign(func(r, s *big.Int) []byte {
			b := shortDER(r, s)
			b[1]++
			b[3]++
			return slices.Insert(b, 4, 0)
		}), "signature is wrong", "onetwo.."},

		// Whoever has the data key of a signed message can put anything under the unsigned suite.
		{"stripped", func(r *recipe) { r.suite, r.sign = Unsigned, nil }, "stripped", ""},
		{"under the unsigned suite, with its signature", func(r *recipe) { r.suite = Unsigned }, "stripped", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := goodRecipe(Signed)
			tt.spoil(r)
			msg, _ := r.make(t)
			got, err := readAll(t, msg, ReaderOptions{AcceptUnsigned: true})
			if !errors.Is(err, ErrNotAuthentic) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
			if got != tt.release {
				t.Errorf("released %q, want %q", got, tt.release)
			}
		})
	}
}

// shortDER is a signature of which no number begins with a zero byte, at some 100 bytes.
func shortDER(r, s *big.Int) []byte {
	if half := new(big.Int).Rsh(order, 1); s.Cmp(half) > 0 {
		s = new(big.Int).Sub(order, s)
	}
	return der(r, s)
}

func TestUnsignedRefusedUnlessAccepted(t *testing.T) {
	for _, strip := range []bool{false, true} {
		r := goodRecipe(Unsigned)
		if strip {
			r = goodRecipe(Signed)
			r.drop(PublicKey)
			r.suite, r.sign = Unsigned, nil
		}
		msg, _ := r.make(t)
		asked := false
		_, err := NewReader(bytes.NewReader(msg), ReaderOptions{}, func(*Header) ([]byte, error) {
			asked = true
			return testKey(), nil
		})
		if !errors.Is(err, ErrUnsigned) || !errors.Is(err, ErrNotAuthentic) || asked {
			t.Errorf("error is %v, unwrap called: %v", err, asked)
		}
	}
}

// TestMixed puts the parts of two good messages together.
func TestMixed(t *testing.T) {
	for _, suite := range suites {
		o := WriterOptions{Suite: suite, FrameLength: 4}
		a, b := seal(t, o, []byte(goodPlain)), seal(t, o, []byte(goodPlain))
		head := must(ReadHeader(bytes.NewReader(a))).Len()
		if got, err := readAll(t, slices.Concat(a[:head], b[head:]), ReaderOptions{AcceptUnsigned: true}); !errors.Is(err, ErrNotAuthentic) || got != "" {
			t.Errorf("%v: header of another message gives %q, %v", suite, got, err)
		}
		foot := len(a) - footerLen
		if suite == Unsigned {
			continue
		}
		if got, err := readAll(t, slices.Concat(a[:foot], b[foot:]), ReaderOptions{}); !errors.Is(err, ErrNotAuthentic) || got != goodPlain[:8] {
			t.Errorf("footer of another message gives %q, %v", got, err)
		}
	}
}

// TestAccepted has what is unusual and yet read, because the official readers read it.
func TestAccepted(t *testing.T) {
	for _, tt := range []struct {
		name  string
		alter func(r *recipe)
		want  string
	}{
		{"as it is", func(r *recipe) {}, goodPlain},
		{"context out of order", func(r *recipe) { slices.Reverse(r.pairs) }, goodPlain},
		{"empty context key and value", func(r *recipe) { r.pairs = append(r.pairs, [2]string{"", ""}) }, goodPlain},
		{"another reserved context key", func(r *recipe) {
			r.pairs = append(r.pairs, [2]string{"aws-crypto-x", ""})
		}, goodPlain},
		{"16 data keys", func(r *recipe) { r.keys, r.keyCount = slices.Repeat(r.keys, 16), 16 }, goodPlain},
		{"data key of another provider", func(r *recipe) { r.keys[0].Provider = "raw" }, goodPlain},
		{"data key whose ARN is none", func(r *recipe) { r.keys[0].Info = "\x00\xff\n" }, goodPlain},
		{"data key of empty fields", func(r *recipe) { r.keys[0] = EncryptedDataKey{} }, goodPlain},
		{"data key of the longest fields", func(r *recipe) {
			long := strings.Repeat("x", maxField)
			r.keys[0] = EncryptedDataKey{long, long, []byte(long)}
		}, goodPlain},
		{"full final frame", func(r *recipe) { r.frames[2] = finalFrame(3, "the!") }, goodPlain[:8] + "the!"},
		{"empty final frame after full ones", func(r *recipe) { r.frames[2] = finalFrame(3, "") }, goodPlain[:8]},
		{"empty final frame only", func(r *recipe) { r.frames = []frameRecipe{finalFrame(1, "")} }, ""},
		{"IVs that are not the sequence numbers", func(r *recipe) {
			for i := range r.frames {
				r.frames[i].iv += 1000
			}
		}, goodPlain},
		{"longest frame length", func(r *recipe) {
			r.frameLen, r.frames = MaxFrameLength, []frameRecipe{finalFrame(1, "short")}
		}, "short"},
	} {
		for _, suite := range suites {
			r := goodRecipe(suite)
			tt.alter(r)
			msg, _ := r.make(t)
			if got, err := readAll(t, msg, ReaderOptions{AcceptUnsigned: true}); err != nil || got != tt.want {
				t.Errorf("%s, %v: %q, %v", tt.name, suite, got, err)
			}
		}
	}
	for name, context := range map[string][]byte{"no bytes": {0, 0}, "a count of zero": {0, 2, 0, 0}} {
		r := goodRecipe(Unsigned)
		r.context = context
		msg, _ := r.make(t)
		if got, err := readAll(t, msg, ReaderOptions{AcceptUnsigned: true}); err != nil || got != goodPlain {
			t.Errorf("empty context as %s: %q, %v", name, got, err)
		}
	}
}

// TestAcceptedSignatures reads both forms of a signature, at each length that they have.
func TestAcceptedSignatures(t *testing.T) {
	half := new(big.Int).Rsh(order, 1)
	lengths := map[int]bool{}
	for _, high := range []bool{false, true} {
		for range 8 {
			r := goodRecipe(Signed)
			r.sign = footerOf(func(r, s *big.Int) []byte {
				if (s.Cmp(half) > 0) != high {
					s = new(big.Int).Sub(order, s)
				}
				sig := der(r, s)
				lengths[len(sig)] = true
				return sig
			})
			msg, _ := r.make(t)
			if got, err := readAll(t, msg, ReaderOptions{}); err != nil || got != goodPlain {
				t.Errorf("high S %v: %q, %v", high, got, err)
			}
		}
	}
	if len(lengths) < 2 {
		t.Errorf("lengths tried: %v", lengths)
	}
}

// TestAltered flips every bit of a message, and cuts it at every length.
func TestAltered(t *testing.T) {
	for _, suite := range suites {
		msg, _ := goodRecipe(suite).make(t)
		check := func(what string, at int, msg []byte) {
			got, err := open(msg)
			if !errors.Is(err, ErrNotAuthentic) {
				t.Fatalf("%v, %s at %d: error is %v", suite, what, at, err)
			}
			if len(got) > 8 || !strings.HasPrefix(goodPlain, string(got)) {
				t.Fatalf("%v, %s at %d: released %q", suite, what, at, got)
			}
		}
		for i := range msg {
			for bit := range flippedBits {
				flip := byte(1) << ((i + bit) % 8)
				msg[i] ^= flip
				check("flip", i, msg)
				msg[i] ^= flip
			}
			check("cut", i, msg[:i])
		}
		if got, err := open(msg); err != nil || string(got) != goodPlain {
			t.Errorf("%v: not restored: %q, %v", suite, got, err)
		}
	}
}

// TestAlteredLong alters frames that other goroutines are to open.
func TestAlteredLong(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	const frames = 100
	plain := noise(frames * DefaultFrameLength)
	for _, suite := range suites {
		good := seal(t, WriterOptions{Suite: suite}, plain)
		head := must(ReadHeader(bytes.NewReader(good))).Len()
		for _, n := range []int{0, 1, 31, 32, 33, 50, frames - 2, frames - 1} {
			msg := slices.Clone(good)
			msg[head+n*(DefaultFrameLength+frameOverhead)+100] ^= 1
			var dst bytes.Buffer
			r := must(NewReader(bytes.NewReader(msg), ReaderOptions{AcceptUnsigned: true}, unwrapTest))
			_, err := r.WriteTo(&dst)
			if !errors.Is(err, ErrNotAuthentic) {
				t.Errorf("%v: altered in frame %d: error is %v", suite, n+1, err)
			}
			if !bytes.Equal(dst.Bytes(), plain[:n*DefaultFrameLength]) {
				t.Errorf("%v: altered in frame %d: released %d bytes", suite, n+1, dst.Len())
			}
		}
	}
}

// TestBoundedAllocation reads what states much and has little.
func TestBoundedAllocation(t *testing.T) {
	long := goodRecipe(Unsigned)
	long.frameLen, long.frames = MaxFrameLength, nil
	endless, _ := long.make(t)
	endless = append(binary.BigEndian.AppendUint32(endless, 1), make([]byte, 100_000)...)
	final, _ := long.make(t)
	final = append(final, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0)
	keys := goodRecipe(Unsigned)
	keys.keyCount = 16
	keys.keys = nil
	manyKeys, at := keys.make(t)
	manyKeys = append(manyKeys[:at-tagLen-commitLen-5], 0xff, 0xff)

	for name, msg := range map[string][]byte{
		"frame of 16 MiB": endless, "final frame of 16 MiB": final, "field of 64 KiB": manyKeys,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := open(msg)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrNotAuthentic) {
			t.Errorf("%s: error is %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: allocated %d bytes for a message of %d", name, n, len(msg))
		}
	}
}

// TestLongestFrames reads as much as a Reader must hold: what it has had in all, garbage included, is bounded.
func TestLongestFrames(t *testing.T) {
	plain := noise(2 * MaxFrameLength)
	for _, suite := range suites {
		msg := seal(t, WriterOptions{Suite: suite, FrameLength: MaxFrameLength}, plain)
		for name, read := range map[string]func(io.Writer, *Reader) (int64, error){
			"WriteTo": func(dst io.Writer, r *Reader) (int64, error) { return r.WriteTo(dst) },
			"Read":    func(dst io.Writer, r *Reader) (int64, error) { return io.Copy(dst, onlyReader{r}) },
		} {
			got := sha256.New()
			n := allocated(func() {
				must(read(got, must(NewReader(bytes.NewReader(msg), ReaderOptions{AcceptUnsigned: true}, unwrapTest))))
			})
			if want := sha256.Sum256(plain); !bytes.Equal(got.Sum(nil), want[:]) {
				t.Errorf("%v, %s: read something else", suite, name)
			}
			if n > 40<<20 {
				t.Errorf("%v, %s: allocated %d bytes", suite, name, n)
			}
		}
	}
}
