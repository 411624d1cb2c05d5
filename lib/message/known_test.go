package message

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"io"
	"testing"
)

func decode64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The values here are from the "Message Format V2 Test Vectors" of 2020-09-18, which official SDKs share: for Python they
// are in test/resources/commitment-test-vectors.json, for C in tests/unit/t_commitment_vectors.inc.
const (
	zeroKey   = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	exampleID = "PKWpyXOBmk4yDyakq0VRlXuStoPoaQ0n0tO1i/9LdVs="
	exampleK  = "Sfdon2EodFWiGY6ITvIDJZXhzKZPj2IQCi+1x/tw2ho="
)

// TestKnownKeys derives the commitment and the content encryption key from message ids and data keys.
func TestKnownKeys(t *testing.T) {
	for _, tt := range []struct {
		suite                               Suite
		id, dataKey, commitment, contentKey string
	}{
		{Unsigned, "TfvRMU2dVZJbgXIyxeNtbj5eIw8BiTDiwsHyQ/Z9wXk=", "+p6+whPVw9kOrYLZFMRBJ2n6Vli6T/7TkjDouS+25s0=",
			"F88I9zPbUQSfOlzLXv+uIY2+m/E6j2PMsbgeHVH/L0w=", "V67301yMJtk0jxOc3QJeBac6uKxO3XylWtkKTYmUU+M="},
		{Unsigned, "b1/73X5ErILpj0aSQIx6wNnHLEcNLxPzA0m6vYRr7kA=", "8Bu+AFAu9ZT8BwYK+QAKXKQ2iaySSiQwlPUrKMf6fdo=",
			"G7WvkcK+MF0AWhp8XhNcd8k5defmfi1dMqSgsN9v8e4=", "Q/TITiE1CtPUr736a90u/WjxXmKd/M8bfb7Mo4TAXwA="},
		{Signed, "vjf7DnZHP0MgQ4/QHZH1Z/1Lt24oyMR0DigenSpro9w=", "FX5R4LJUJ1XkzcV5GGRS9MSdtc+2kzyvEsVFiETwdi4=",
			"Bc0DWynVSZ1Fh1cLh1Aq/mNPeyzD3yqpiKEBBUosdoc=", "YqelE6F+cSyDvu7BTR8ZnPQzZ+7NumfwuwdOzaRb44g="},
		{Unsigned, zeroKey, zeroKey, "Qz2Df1nLfpvGM00VSv+DEQnGNy2Y+LWshYi/9++rplE=", "qSmd3ox7r+cIeGmJhuguY3i5S/LMKVUYJGgWR7rhE6M="},
		{Signed, zeroKey, zeroKey, "Qz2Df1nLfpvGM00VSv+DEQnGNy2Y+LWshYi/9++rplE=", "FMygob85VLR2Y0EWK6hq5K4OQI2fYoVt0qQp9VWrRAE="},
		{Unsigned, exampleID, zeroKey, "Apfij7czGOoR2HlxWsLApRGgoK8GT9zcTHLZllYHeII=", "4zt1+EPrf/1X9lyHGwI9TaX4KF6nMIZLK6BTRzsHkUc="},
		{Signed, exampleID, zeroKey, "Apfij7czGOoR2HlxWsLApRGgoK8GT9zcTHLZllYHeII=", "JsOW8DkFqoSmowhVoHjl5YhgMFWqtt8qluHB5vMtH7Y="},
		{Signed, zeroKey, exampleK, "QoChYbw/b0wnt9pA+NkCz4+2pLAEqD9U9NjeGs+ZaZI=", "61/Wu0/yvuQ2KHTjUpHpSIPSouZb/AtU8jl2HtEmjIs="},
		{Unsigned, exampleID, exampleK, "8bFcmKfev4aSvhT5vqcuBh4rFTHKOpzO6Ax69PDwcoo=", "o+avOr85YWbGFlh4G5kA5I8wBW4qre0d5/+BsW/uOis="},
		{Signed, exampleID, exampleK, "8bFcmKfev4aSvhT5vqcuBh4rFTHKOpzO6Ax69PDwcoo=", "o2yaJSa81QOYkfWaMhtLntiLLyB3Zfn6b+VifPwBEJ8="},
	} {
		aead, commitment, err := derive(tt.suite, [idLen]byte(decode64(t, tt.id)), decode64(t, tt.dataKey))
		if err != nil {
			t.Fatal(err)
		}
		if got := base64.StdEncoding.EncodeToString(commitment); got != tt.commitment {
			t.Errorf("%v, id %s: commitment is %s, want %s", tt.suite, tt.id, got, tt.commitment)
		}
		want := must(cipher.NewGCM(must(aes.NewCipher(decode64(t, tt.contentKey)))))
		plain := make([]byte, 64)
		if !bytes.Equal(aead.Seal(nil, headerIV, plain, nil), want.Seal(nil, headerIV, plain, nil)) {
			t.Errorf("%v, id %s: the content encryption key is not %s", tt.suite, tt.id, tt.contentKey)
		}
	}
}

// TestKnownMessages reads whole messages.
func TestKnownMessages(t *testing.T) {
	for _, tt := range []struct{ name, dataKey, message, want string }{
		{"unsigned", "+p6+whPVw9kOrYLZFMRBJ2n6Vli6T/7TkjDouS+25s0=",
			"AgR4TfvRMU2dVZJbgXIyxeNtbj5eIw8BiTDiwsHyQ/Z9wXkAAAABAAxQcm92aWRlck5hbWUAGUtleUlkAAAAgAAAAAz45sc3cDvJZ7D4P3sAMKE7d/w8" +
				"ziQt2C0qHsy1Qu2E2q92eIGE/kLnF/Y003HKvTxx7xv2Zv83YuOdwHML5QIAABAAF88I9zPbUQSfOlzLXv+uIY2+m/E6j2PMsbgeHVH/L0wLqQlY" +
				"+5CL0z3xnNOMIZae/////wAAAAEAAAAAAAAAAAAAAAEAAAAOSZBKHHRpTwXOFTQVGapXXj5CwXBMouBB2ucaIJVm",
			"GoodCommitment"},
		{"wrong commitment", "8Bu+AFAu9ZT8BwYK+QAKXKQ2iaySSiQwlPUrKMf6fdo=",
			"AgR4b1/73X5ErILpj0aSQIx6wNnHLEcNLxPzA0m6vYRr7kAAAAABAAxQcm92aWRlck5hbWUAGUtleUlkAAAAgAAAAAypJmXwyizUr3/pyvIAMHLU/i5G" +
				"hZlGayeYC5w/CjUobyGwN4QpeMB0XpNDGTM0f1Zx72V4uM2H5wMjy/hm2wIAABAAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh/pQM2V" +
				"Svliz2Qgi5JZf2ta/////wAAAAEAAAAAAAAAAAAAAAEAAAANS4Id4+dVHhPrvuJHEiOswo6YGSRjSGX3VDrt+0s=",
			""},
		{"signed", "FX5R4LJUJ1XkzcV5GGRS9MSdtc+2kzyvEsVFiETwdi4=",
			"AgV4vjf7DnZHP0MgQ4/QHZH1Z/1Lt24oyMR0DigenSpro9wAjgAEAAUwVGhpcwACaXMAAzFhbgAKZW5jcnlwdGlvbgAIMmNvbnRleHQAB2V4YW1wbGUA" +
				"FWF3cy1jcnlwdG8tcHVibGljLWtleQBEQXRnM3JwOEVBNFFhNnBmaTk3MUlTNTk3NHpOMnlZWE5vSmtwRHFPc0dIYkVaVDRqME5OMlFkRStmbTFV" +
				"Y01WdThnPT0AAQAHYXdzLWttcwBLYXJuOmF3czprbXM6dXMtd2VzdC0yOjY1ODk1NjYwMDgzMzprZXkvYjM1MzdlZjEtZDhkYy00NzgwLTlmNWEt" +
				"NTU3NzZjYmIyZjdmAKcBAQEAeEDzjCdeMQl0FsEHKVFQVxlkraPvHCHpTIugvbydD7QUAAAAfjB8BgkqhkiG9w0BBwagbzBtAgEAMGgGCSqGSIb3" +
				"DQEHATAeBglghkgBZQMEAS4wEQQMOTLXUpQGBjgD+EYIAgEQgDsqRrwjQTGW0pA78dc+2Y/IqUrG7eAO4hZ07BNJEnd1d3+gUqW6Yunk8qyN9ryx" +
				"dY8s4PshzJ7lyXIDuwIAABAABc0DWynVSZ1Fh1cLh1Aq/mNPeyzD3yqpiKEBBUosdod2yzOfJTZ0H1mhwgJPJZSr/////wAAAAEAAAAAAAAAAAAA" +
				"AAEAAAAJ+m45xgKSc5k+9oOlZEBdaNvusGVs1XyesABnMGUCMCoWR62YhnklwXEuj63nCz8qK8O4UOuR71bP3RiWfZHYQtkrrzV7ukj2Nseghpyt" +
				"4gIxAKquEtCPigr+heUFSAMRDJ7YEbLgisSgUqkHQhfqOwG2YFNKySG/CR0SNlfisJNovQ==",
			"Plaintext"},
	} {
		msg := decode64(t, tt.message)
		read := func() (string, error) {
			r, err := NewReader(bytes.NewReader(msg), ReaderOptions{AcceptUnsigned: tt.name != "signed"},
				func(*Header) ([]byte, error) { return decode64(t, tt.dataKey), nil })
			if err != nil {
				return "", err
			}
			plain, err := io.ReadAll(r)
			return string(plain), err
		}
		if got, err := read(); got != tt.want || (err == nil) != (tt.want != "") || err != nil && !errors.Is(err, ErrNotAuthentic) {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
		for i := range msg {
			msg[i] ^= 0x80
			if got, err := read(); got != "" || !errors.Is(err, ErrNotAuthentic) {
				t.Errorf("%s, byte %d altered: %q, %v", tt.name, i, got, err)
			}
			msg[i] ^= 0x80
		}
	}
}
