package suite_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// What other packages log does not reach standard error: net/http shows what a
// server sent beyond its answer, which may be the end of a data key.
func TestNothingButOurOwnWords(t *testing.T) {
	t.Parallel()
	n := newWorkspace(t)
	kms := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		forward, err := http.NewRequest(r.Method, n.server.URL()+r.URL.Path, bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		forward.Header, forward.Host = r.Header, r.Host
		answer, err := http.DefaultClient.Do(forward)
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		whole, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Error(err)
			return
		}
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		fmt.Fprintf(connection, "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n%s", len(whole)-20, whole)
		connection.Read(make([]byte, 1)) // until the client has closed it
	}))
	defer kms.Close()
	const logged = "Unsolicited"
	for range 3 {
		status, stdout, stderr := n.call(attempt{args: []string{"ms-get", "-v", "s/pass"}, env: []string{"AWS_ENDPOINT_URL_KMS=" + kms.URL}})
		if status == 0 || len(stdout) > 0 {
			t.Fatalf("status %d: %s", status, stdout)
		}
		if bytes.Contains(stderr, []byte(logged)) {
			t.Fatalf("%s", stderr)
		}
	}
}
