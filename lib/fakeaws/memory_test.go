package fakeaws_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
)

// A server in memory and its clients share virtual time, by TLS as well.
func TestInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakeawstest.StartWith(t, fakeaws.Options{InMemory: true})
		client := s3.NewFromConfig(s.Config(), func(o *s3.Options) { o.UsePathStyle = true })
		data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("big"), Body: bytes.NewReader(data)})
		want(t, "put", err, "ok")
		s.Do("fault delay 10h GetObject")
		began := time.Now()
		out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("big")})
		want(t, "get", err, "ok")
		got, err := io.ReadAll(out.Body)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if took := time.Since(began); took != 10*time.Hour {
			t.Errorf("the delay took %v", took)
		}
		s.Close()
		_, err = client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("big")})
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Of a connection in memory each side may write first, close, and give up waiting.
func TestMemoryConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakeawstest.StartWith(t, fakeaws.Options{InMemory: true})
		for _, address := range []string{"127.0.0.1:80", "example.com:1", "169.254.169.254:80", "nothing"} {
			if _, err := s.DialContext(t.Context(), "tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: %v", address, err)
			}
		}
		conn, err := s.DialContext(t.Context(), "tcp", "some-bucket.localhost:1")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		conn.SetReadDeadline(began.Add(time.Second))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		conn.SetDeadline(time.Time{})
		io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		if answer, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.0 421 ")) {
			t.Errorf("%q, %v", answer, err)
		}
		if _, err := conn.Write([]byte{0}); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("the server has closed: %v", err)
		}
		conn.Close()
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Close()
		if _, err := s.DialContext(ctx, "tcp", "127.0.0.1:1"); err == nil {
			t.Error("a server that has been closed is reached")
		}
	})
}
