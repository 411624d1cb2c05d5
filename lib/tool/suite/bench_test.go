package suite_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/fakeaws/fakeawstest"
	"microsecrets/lib/internal/atomicfile"
	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/bucket"
)

// BenchmarkPut1GiB and BenchmarkGet1GiB run the programs as a shell does, on
// the loopback interface, beside programs that make the same calls of the SDK
// and encrypt nothing. They report the peak of each one's memory, and how its
// time compares with the unencrypted one's.

const gib = 1 << 30

func BenchmarkPut1GiB(b *testing.B) {
	s := serve(b)
	var plain time.Duration
	for _, args := range [][]string{
		{"plain-put", "svc/plain"},
		{"ms-put", "-q", "svc/signed"},
		{"ms-put", "-q", "-unsigned", "svc/unsigned"},
	} {
		b.Run(strings.Join(args[:len(args)-1], " "), func(b *testing.B) {
			compare(b, &plain, gib, func(b *testing.B) usage {
				u := spend(b, random(gib), args...)
				s.Do("rm " + args[len(args)-1] + " version=" + latest(s, args[len(args)-1]))
				return u
			})
		})
	}
}

func BenchmarkGet1GiB(b *testing.B) {
	serve(b)
	for _, object := range [][]string{
		{"plain-put", "svc/plain"},
		{"ms-put", "-q", "svc/signed"},
		{"ms-put", "-q", "-unsigned", "svc/unsigned"},
	} {
		spend(b, random(gib), object...)
	}
	var toStdout, toFile time.Duration
	out := filepath.Join(b.TempDir(), "out")
	for _, row := range []struct {
		name  string
		plain *time.Duration
		args  []string
	}{
		{"plain-get", &toStdout, []string{"plain-get", "svc/plain"}},
		{"ms-get -stream", &toStdout, []string{"ms-get", "-stream", "svc/signed"}},
		{"ms-get", &toStdout, []string{"ms-get", "svc/signed"}},
		{"ms-get -unsigned -stream", &toStdout, []string{"ms-get", "-unsigned", "-stream", "svc/unsigned"}},
		{"ms-get -unsigned", &toStdout, []string{"ms-get", "-unsigned", "svc/unsigned"}},
		{"plain-get FILE", &toFile, []string{"plain-get", "svc/plain", out}},
		{"ms-get -o FILE", &toFile, []string{"ms-get", "-force", "-o", out, "svc/signed"}},
		{"ms-get -unsigned -o FILE", &toFile, []string{"ms-get", "-force", "-o", out, "-unsigned", "svc/unsigned"}},
	} {
		b.Run(row.name, func(b *testing.B) {
			compare(b, row.plain, gib, func(b *testing.B) usage { return spend(b, nil, row.args...) })
		})
	}
}

// BenchmarkPutAndGet1GiB compares a whole way, in and out.
func BenchmarkPutAndGet1GiB(b *testing.B) {
	s := serve(b)
	var toStdout, toFile time.Duration
	out := filepath.Join(b.TempDir(), "out")
	for _, row := range []struct {
		name     string
		plain    *time.Duration
		put, get []string
	}{
		{"plain FILE", &toFile, []string{"plain-put", "svc/x"}, []string{"plain-get", "svc/x", out}},
		{"signed -o FILE", &toFile, []string{"ms-put", "-q", "svc/x"}, []string{"ms-get", "-force", "-o", out, "svc/x"}},
		{"plain", &toStdout, []string{"plain-put", "svc/x"}, []string{"plain-get", "svc/x"}},
		{"signed", &toStdout, []string{"ms-put", "-q", "svc/x"}, []string{"ms-get", "svc/x"}},
	} {
		b.Run(row.name, func(b *testing.B) {
			compare(b, row.plain, gib, func(b *testing.B) usage {
				put := spend(b, random(gib), row.put...)
				get := spend(b, nil, row.get...)
				s.Do("rm svc/x version=" + latest(s, "svc/x"))
				return usage{max(put.peak, get.peak)}
			})
		})
	}
}

// compare runs a benchmark of so many bytes. The first one's time is what the
// others are compared with.
func compare(b *testing.B, plain *time.Duration, size int64, run func(*testing.B) usage) {
	b.SetBytes(size)
	var worst usage
	start := time.Now()
	for b.Loop() {
		worst.peak = max(worst.peak, run(b).peak)
	}
	each := time.Since(start) / time.Duration(b.N)
	*plain = cmp.Or(*plain, each)
	b.ReportMetric(float64(worst.peak)/(1<<20), "peak-MiB")
	b.ReportMetric(float64(each)/float64(*plain), "times-plain")
}

// usage is what a program took.
type usage struct {
	peak int64 // of its memory, in bytes
}

// spend runs a program to its success.
func spend(tb testing.TB, stdin io.Reader, args ...string) usage {
	tb.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = stdin
	return spent(tb, cmd)
}

// spent is spend for a command that has more to it.
func spent(tb testing.TB, cmd *exec.Cmd) usage {
	tb.Helper()
	peak := filepath.Join(tb.TempDir(), "peak")
	cmd.Env = append(cmd.Environ(), peakVariable+"="+peak)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		tb.Fatalf("%v: %v: %s", cmd.Args, err, &stderr)
	}
	text, err := os.ReadFile(peak)
	if err != nil {
		tb.Fatal(err)
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return usage{n}
}

// peakVariable names the file to which a program that a test runs writes the
// peak of its memory, in bytes. (A parent cannot ask: what the system reports
// includes what the child was before it became the program.)
const peakVariable = "TEST_PEAK_FILE"

func tellPeak() {
	file := os.Getenv(peakVariable)
	if file == "" {
		return
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		panic(err)
	}
	if err := os.WriteFile(file, strconv.AppendInt(nil, kib<<10, 10), 0o600); err != nil {
		panic(err)
	}
}

// serve starts a server to which the programs that the test runs are led.
func serve(tb testing.TB) *fakeawstest.Server {
	s := fakeawstest.Start(tb)
	s.Setenv()
	tb.Setenv("HOME", tb.TempDir())
	tb.Setenv("XDG_CONFIG_HOME", tb.TempDir())
	return s
}

// latest is the version id of an object.
func latest(s *fakeawstest.Server, key string) string {
	return strings.Fields(s.Do("versions " + key))[1]
}

// random yields so many bytes that look random; each MiB is the same.
func random(size int64) io.Reader {
	block := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{1}).Read(block)
	return io.LimitReader(&repeat{block: block}, size)
}

type repeat struct {
	block []byte
	at    int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

// plainPut stores standard input as it is: plain-put KEY.
func plainPut(ctx context.Context, args []string, stdin io.Reader, _, stderr io.Writer) int {
	b, err := plainBucket(ctx)
	if err != nil {
		return fail(stderr, err)
	}
	u := b.Upload(ctx, args[0], bucket.Condition{})
	if _, err := io.CopyBuffer(u, struct{ io.Reader }{stdin}, make([]byte, 256<<10)); err != nil {
		return fail(stderr, err)
	}
	if _, err := u.Close(); err != nil {
		return fail(stderr, err)
	}
	return 0
}

// plainGet writes an object as it is to standard output, or to a file as ms-get
// does: plain-get KEY [FILE].
func plainGet(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) int {
	b, err := plainBucket(ctx)
	if err != nil {
		return fail(stderr, err)
	}
	o, err := b.Get(ctx, args[0], "")
	if err != nil {
		return fail(stderr, err)
	}
	defer o.Close()
	file := func(w io.Writer) error {
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, o, make([]byte, 256<<10))
		return err
	}
	if len(args) == 1 {
		err = file(stdout)
	} else if folder, opened := atomicfile.Open(filepath.Dir(args[1]), false, true); opened != nil {
		err = opened
	} else {
		err = folder.Write(filepath.Base(args[1]), file)
	}
	if err != nil {
		return fail(stderr, err)
	}
	return 0
}

func plainBucket(ctx context.Context) (*bucket.Bucket, error) {
	cfg, err := awsclient.Load(ctx, awsclient.LoadOptions{})
	if err != nil {
		return nil, err
	}
	c := awsclient.New(cfg, awsclient.Options{Timeout: 30 * time.Second})
	return bucket.New(c.S3(), fakeaws.DefaultBucket, bucket.Options{}), nil
}

func fail(stderr io.Writer, err error) int {
	fmt.Fprintln(stderr, err)
	return 1
}
