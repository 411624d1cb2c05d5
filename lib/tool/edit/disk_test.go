//go:build unix

package edit

import (
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/prompt/terminaltest"
	"microsecrets/lib/secret"
)

// Where no folder is in memory, the person at the terminal is asked, and nothing is
// written to a disk without a yes. Where nobody is there, it fails.
func TestNoMemory(t *testing.T) {
	server := fakeawstest.Start(t)
	for _, kv := range append(server.Environ(), "VISUAL=", `EDITOR=sh -c 'echo "$1" >&2; echo two >"$1"' sh`) {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	store, err := secret.Open(t.Context(), os.Getenv("MS_STORE"), nil)
	if err != nil {
		t.Fatal(err)
	}
	put := func() {
		if _, err := store.Put(t.Context(), "s/text", strings.NewReader("one\n"), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		answer string
		status int
		want   string
	}{{"y\n", 0, "two\n"}, {"yes\n", 0, "two\n"}, {"n\n", 1, "one\n"}, {"\n", 1, "one\n"}} {
		put()
		dir := t.TempDir()
		term := terminaltest.Open(t)
		o := &options{memory: []string{"", "none", dir}, temporary: dir}
		status := make(chan int)
		go func() {
			status <- o.run(context.Background(), []string{"-q", "s/text"}, term.Screen, io.Discard, term.Screen)
		}()
		term.Until("ms-edit: there is no folder in memory: ", 1)
		term.Until("ms-edit: edit the secret in "+dir+", which may be on a disk, while the editor runs (y/n)? ", 1)
		term.Type(test.answer)
		if got := <-status; got != test.status {
			t.Errorf("%q: status %d", test.answer, got)
		}
		shown := term.End()
		if test.status == 0 != strings.Contains(shown, dir+"/ms-edit-") {
			t.Errorf("%q: %q", test.answer, shown)
		}
		if got, err := store.Get(t.Context(), "s/text", nil); string(got) != test.want {
			t.Errorf("%q: %q, %v", test.answer, got, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%v is left, %v", left, err)
		}
	}

	put()
	var said strings.Builder
	o := &options{temporary: t.TempDir()}
	if status := o.run(context.Background(), []string{"s/text"}, strings.NewReader("y\n"), io.Discard, &said); status != 1 {
		t.Errorf("status %d", status)
	}
	if !strings.Contains(said.String(), "there is no folder in memory") || !strings.Contains(said.String(), "hint: -d DIR names a folder") {
		t.Errorf("%q", said.String())
	}
	if got, err := store.Get(t.Context(), "s/text", nil); string(got) != "one\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// Only a folder of the user's own, that nobody has locked, is abandoned.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	f, err := makeFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.write("x", []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if n := sweep(dir); n != 0 {
		t.Errorf("%d removed that are in use", n)
	}
	if text, err := f.read("x", 3); string(text) != "secr" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	f.lock.Close() // as when the process is killed
	if os.Geteuid() == 0 {
		if err := os.Chown(f.path, 12345, -1); err != nil {
			t.Fatal(err)
		}
		if n := sweep(dir); n != 0 {
			t.Errorf("%d of another user's removed", n)
		}
		if err := os.Chown(f.path, 0, -1); err != nil {
			t.Fatal(err)
		}
	}
	if n := sweep(dir); n != 1 {
		t.Errorf("%d removed", n)
	}
	if _, err := os.Stat(f.path); !os.IsNotExist(err) {
		t.Error(err)
	}
}

func TestCheckParent(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		mode os.FileMode
		ok   bool
	}{{0o700, true}, {0o755, true}, {0o777, false}, {0o770, false}, {0o777 | os.ModeSticky, true}} {
		if err := os.Chmod(dir, test.mode); err != nil {
			t.Fatal(err)
		}
		if err := checkParent(dir); (err == nil) != test.ok {
			t.Errorf("%v: %v", test.mode, err)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, 12345, -1); err != nil {
			t.Fatal(err)
		}
		if err := checkParent(dir); err == nil {
			t.Error("another user's folder is taken")
		}
	}
}

// Many that start at once never remove each other's.
func TestFoldersAtOnce(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				sweep(dir)
				f, err := makeFolder(dir)
				if err != nil {
					t.Error(err)
					return
				}
				if err := f.write("x", []byte("secret")); err != nil {
					t.Error(err)
				}
				sweep(dir)
				if text, err := f.read("x", 10); string(text) != "secret" || err != nil {
					t.Errorf("%q, %v", text, err)
				}
				if err := f.remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}
