package suite_test

import (
	"io"
	"path/filepath"
	"testing"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
	"microsecrets/lib/internal/keyring"
	"microsecrets/lib/message"
	"microsecrets/lib/tool/suite/suitetest"
)

// peakMax is how much memory a program may have at a time, in bytes, however
// large a secret is.
const peakMax = 128 << 20

// TestMemory puts and gets a secret that is larger than the memory that the
// programs may have.
func TestMemory(t *testing.T) {
	switch {
	case suitetest.RaceDetector:
		t.Skip("the race detector takes more memory than the programs")
	case testing.Short():
		t.Skip("gigabytes take a while")
	}
	serve(t)
	const size = 200 << 20
	for name, size := range map[string]int64{"svc/long": size, "svc/longheld": 60 << 20, "svc/longtwice": 66 << 20, "svc/long1": 15 << 20, "svc/long2": 15 << 20, "svc/long3": 15 << 20} {
		putLong(t, name, size)
	}
	for _, c := range []struct {
		size int64
		args []string
	}{
		{size, []string{"ms-put", "-q", "svc/large"}},
		{0, []string{"ms-get", "svc/large"}},
		{0, []string{"ms-get", "-stream", "svc/large"}},
		{0, []string{"ms-get", "-raw", "svc/large"}},
		{0, []string{"ms-get", "-o", filepath.Join(t.TempDir(), "out"), "svc/large"}},
		{64 << 20, []string{"ms-put", "-q", "svc/held"}},
		{0, []string{"ms-get", "svc/held"}},
		{0, []string{"ms-get", "svc/held", "svc/large"}},
		{0, []string{"ms-get", "-d", t.TempDir(), "svc/held", "svc/large"}},
		{0, []string{"ms-get", "svc/longheld"}},
		{0, []string{"ms-get", "svc/longtwice"}},
		{0, []string{"ms-get", "svc/long"}},
		{0, []string{"ms-get", "svc/long1", "svc/long2", "svc/long3", "svc/long"}},
		{0, []string{"ms-get", "-stream", "svc/long"}},
		{0, []string{"ms-diff", "svc/held", "svc/held"}},
		{0, []string{"ms-diff", "svc/large", "svc/large"}},
		{0, []string{"ms-diff", "svc/long", "svc/long"}},
		{0, []string{"ms-diff", "-with", "s3://" + fakeaws.DefaultBucket, "svc/long"}},
		{0, []string{"ms-diff", "-with", "s3://" + fakeaws.DefaultBucket, "svc/held"}},
		{0, []string{"ms-diff", "svc/", "svc/"}},
		{0, []string{"ms-get", "-o", filepath.Join(t.TempDir(), "out"), "svc/long"}},
		{0, []string{"ms-cp", "svc/large", "new/large"}},
		{0, []string{"ms-cp", "svc/large", "new/large"}},
		{0, []string{"ms-cp", "-force", "svc/held", "new/large"}},
		{0, []string{"ms-cp", "svc/long", "new/long"}},
		{0, []string{"ms-cp", "-force", "svc/longheld", "new/long"}},
		{0, []string{"ms-cp", "svc/", "all/"}},
		{0, []string{"ms-cp", "svc/", "all/"}},
		{0, []string{"ms-cp", "-n", "-to", "s3://" + fakeaws.DefaultBucket + "/store", "svc/", "svc/"}},
	} {
		if peak := spend(t, random(c.size), c.args...).peak; peak > peakMax {
			t.Errorf("%v: %d MiB of memory, over %d", c.args, peak>>20, peakMax>>20)
		} else {
			t.Logf("%v: %d MiB of memory", c.args, peak>>20)
		}
	}
}

// putLong stores a secret of so many bytes in the longest frames that are read.
func putLong(t *testing.T, name string, size int64) {
	ctx := t.Context()
	cfg, err := awsclient.Load(ctx, awsclient.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := awsclient.New(cfg, awsclient.Options{})
	u := bucket.New(c.S3(), fakeaws.DefaultBucket, bucket.Options{}).Upload(ctx, name, bucket.Condition{})
	ring := keyring.New(c, []string{"alias/microsecrets-svc"})
	w, err := message.NewWriter(u, message.WriterOptions{
		Context:     map[string]string{"ms-store": "s3://" + fakeaws.DefaultBucket, "ms-name": name},
		FrameLength: message.MaxFrameLength,
	}, func(encryptionContext map[string]string) ([]byte, []message.EncryptedDataKey, error) {
		wrapped, err := ring.Wrap(ctx, encryptionContext)
		return wrapped.Key, wrapped.DataKeys, err
	})
	if err == nil {
		_, err = io.Copy(w, random(size))
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		_, err = u.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
