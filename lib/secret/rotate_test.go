package secret_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/secret"
)

// Today's keys are asked for once by all rotations together, again if that failed, and
// nobody waits for them longer than its context lasts.
func TestRotatorAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakeawstest.StartWith(t, fakeaws.Options{InMemory: true})
		defer s.Close()
		open := func(key string) *secret.Store {
			store, err := secret.New(s.Config(), fakeaws.DefaultBucket, &secret.Options{Key: key})
			if err != nil {
				t.Fatal(err)
			}
			return store
		}
		old := open("alias/microsecrets-old")
		for _, name := range []string{"a", "b"} {
			if _, err := old.Put(t.Context(), name, strings.NewReader("1"), nil); err != nil {
				t.Fatal(err)
			}
		}
		rotator := open("alias/microsecrets-new").NewRotator(&secret.RotateOptions{From: "alias/microsecrets-old"})
		s.Do("reset", "fault answer 400 DisabledException GenerateDataKey times=1", "fault delay 1s GenerateDataKey")
		if _, err := rotator.Rotate(t.Context(), "a"); err == nil || errors.Is(err, secret.ErrUnreachable) {
			t.Errorf("a disabled key: %v", err)
		}
		var all sync.WaitGroup
		for _, name := range []string{"a", "b"} {
			all.Go(func() {
				if r, err := rotator.Rotate(t.Context(), name); err != nil || r.Current {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		all.Go(func() {
			time.Sleep(time.Millisecond)
			if _, err := rotator.Rotate(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("in vain: %v", err)
			}
		})
		all.Wait()
		if n := s.Do("count GenerateDataKey"); n != "4\n" {
			t.Errorf("%s requests: want one that failed, one for the keys, and one for each secret", n)
		}
	})
}
