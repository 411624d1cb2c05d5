package fakeaws_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/fakeaws/fakes3"
)

// What befalls each request may be planned, and what lands is told, in order, with the
// request that did it.
func TestPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var events []string
		note := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, fmt.Sprintf(format, args...))
		}
		began := time.Now()
		plans := map[string][]string{
			"lost":   {"delay-midway 1s", "forget"},
			"late":   {"persist", "delay 1m", "delay-reply 1h"},
			"failed": {"answer-after 500 InternalError"},
			"typo":   {"delay"},
		}
		s := fakeawstest.StartWith(t, fakeaws.Options{
			InMemory: true,
			Plan: func(r fakeaws.Request) fakeaws.Plan {
				return fakeaws.Plan{Faults: plans[r.Names[0]], Done: func() { note("through with %s of %s", r.Op, r.Names[0]) }}
			},
			Landed: func(l fakes3.Landing) {
				body, err := l.Version.Body()
				note("%v: %s %s %q deleted=%v gone=%v latest=%v, %v", time.Since(began), l.By.Method, l.Key, body, l.Version.Deleted, l.Gone, l.Latest.ID == l.Version.ID, err)
			},
		})
		client := s3.NewFromConfig(s.Config(), func(o *s3.Options) { o.UsePathStyle, o.Retryer = true, aws.NopRetryer{} })
		put := func(ctx context.Context, key string) error {
			_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader("x")})
			return err
		}
		want(t, "lost", put(t.Context(), "lost"), "transport")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		want(t, "late", put(ctx, "late"), "transport")
		time.Sleep(2 * time.Hour)
		want(t, "failed", put(t.Context(), "failed"), "500 InternalError")
		want(t, "typo", put(t.Context(), "typo"), "500 InternalError")
		_, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("failed")})
		want(t, "delete", err, "500 InternalError")
		s.Close()
		mu.Lock()
		defer mu.Unlock()
		wanted := []string{
			`1s: PUT lost "x" deleted=false gone=false latest=true, <nil>`,
			"through with PutObject of lost",
			`1m1s: PUT late "x" deleted=false gone=false latest=true, <nil>`,
			"through with PutObject of late",
			`2h0m2s: PUT failed "x" deleted=false gone=false latest=true, <nil>`,
			"through with PutObject of failed",
			"through with PutObject of typo",
			`2h0m2s: DELETE failed "" deleted=true gone=false latest=true, <nil>`,
			"through with DeleteObject of failed",
		}
		if !slices.Equal(events, wanted) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(events, "\n"), strings.Join(wanted, "\n"))
		}
	})
}
