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

// A folder in which others can write is not used, nor is one that is theirs, and
// what they have prepared there is not written to.
func TestDirOfOthers(t *testing.T) {
	dir := t.TempDir()
	for mode, refused := range map[os.FileMode]bool{0o700: false, 0o755: false, 0o770: true, 0o702: true, 0o777 | os.ModeSticky: true} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		s, err := fakeaws.New(fakeaws.Options{Dir: dir})
		if err == nil {
			s.Close()
		}
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), dir+": others may write to it") {
			t.Errorf("%s: %v", mode, err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(t.TempDir(), "victim")
	for _, name := range []string{"kms.json.new", "journal.new"} {
		if err := os.Symlink(victim, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	serve(t, dir, "write k x", "key create alias/a")
	if _, err := os.Stat(victim); !os.IsNotExist(err) {
		t.Errorf("written through a link: %v", err)
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := fakeaws.New(fakeaws.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), dir+": belongs to user 65534") {
		t.Errorf("%v", err)
	}
}
