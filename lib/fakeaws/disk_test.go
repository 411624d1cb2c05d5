package fakeaws_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
)

// serve runs lines on a server in dir and returns what they print.
func serve(t *testing.T, dir string, lines ...string) string {
	t.Helper()
	s := fakeawstest.StartWith(t, fakeaws.Options{Dir: dir})
	out := s.Do(lines...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	s := fakeawstest.StartWith(t, fakeaws.Options{Dir: dir})
	c := s3Client(s)
	put(t, c, "a/b", "one")
	put(t, c, "a/b", "two")
	put(t, c, "empty", "")
	in, _ := upload(t, c, "CRC32", "", bigPart, []byte("end"))
	if _, err := c.CompleteMultipartUpload(ctx, in); err != nil {
		t.Fatal(err)
	}
	blob := dataKey(t, kmsClient(s), "alias/microsecrets-a", nil).CiphertextBlob
	s.Do("write tampered text", "flip tampered 0", "write gone x", "rm gone", "bucket other unversioned", "write s3://other/k 1", "write s3://other/k 2")
	before := s.Do("versions", "versions s3://other/", "key list")
	if _, err := fakeaws.New(fakeaws.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second server in the folder: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	// The folder may be moved; a torn last line never happened.
	moved := dir + "-moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	journal, err := os.OpenFile(filepath.Join(moved, "journal"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	journal.WriteString(`{"put":{"b":"example-micro`)
	journal.Close()

	s = fakeawstest.StartWith(t, fakeaws.Options{Dir: moved})
	if after := s.Do("versions", "versions s3://other/", "key list"); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if got := s.Do("cat a/b"); got != "two" {
		t.Errorf("a/b: %q", got)
	}
	if got := s.Do("cat tampered"); got != "\x8bext" {
		t.Errorf("tampered: %q", got)
	}
	if got, _ := get(t, s3Client(s), &s3.GetObjectInput{Key: aws.String("k"), Range: aws.String("bytes=5242878-")}); got != "efend" {
		t.Errorf("the end of the parts: %q", got)
	}
	want(t, "Decrypt", decrypt(kmsClient(s), blob, "alias/microsecrets-a", nil), "ok")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	err = filepath.WalkDir(moved, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDirSweeps(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir, "bucket "+bucket+" unversioned", "write k 1", "write k 2", "write k 3")
	serve(t, dir)
	bodies, err := os.ReadDir(filepath.Join(dir, "bodies"))
	if err != nil || len(bodies) != 1 {
		t.Errorf("%d bodies, %v", len(bodies), err)
	}
	if got := serve(t, dir, "cat k"); got != "3" {
		t.Errorf("%q", got)
	}
}

func TestDirDamaged(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "journal"), []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := fakeaws.New(fakeaws.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "journal: line 1") {
		t.Errorf("%v", err)
	}
}
