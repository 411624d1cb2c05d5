package fakeaws

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// FuzzFault holds that a fault is refused, or met by a request that is answered, or not,
// and does no other harm.
func FuzzFault(f *testing.F) {
	for _, line := range []string{
		"throttle GetObject times=1", "answer 503 SlowDown PutObject,GetObject", "answer-after 500 InternalError * skip=1", "cut 3 GetObject", "drop * key=a",
		"replace GetObject status=200 header='ETag: x' text=abc chunked", "respond * tail=x size=10", `respond * raw text='HTTP/1.1 200 OK\r\n\r\n'`,
		"replace * length=-1", "replace * reason=x header=Date", "forget *", "detach *", "corrupt 3 *", "wrong-checksum *", "ignore-conditions * by=dev",
		"x", "", "throttle times=-1", "answer 99999 x *", "cut -1 *", "cut 1 [ key=?*",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, other := range []string{"body", "gzip", "hold", "delay", "stall", "pace", "rendezvous", "do"} {
			if strings.Contains(line, other) {
				return // a file, a wait, or another verb, which may write files
			}
		}
		s, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.ControlLine("", "fault "+line); err != nil {
			return
		}
		c := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		for _, name := range []string{"", "/" + DefaultBucket + "/a"} {
			if answer, err := c.Get(s.URL() + name); err == nil {
				answer.Body.Close()
			}
		}
	})
}
