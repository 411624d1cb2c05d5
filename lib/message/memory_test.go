package message

import (
	"bytes"
	"io"
	"runtime"
	"testing"
)

// TestAllocations holds that a frame more costs no allocation more, on one processor and on several.
func TestAllocations(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("measures again and again")
	}
	const short, long = 256, 512 // frames
	plain := noise(long * DefaultFrameLength)
	for _, cpus := range []int{1, 4} {
		for _, suite := range suites {
			write := func(frames int) {
				w := must(NewWriter(io.Discard, WriterOptions{Suite: suite}, wrapTest))
				must(w.ReadFrom(bytes.NewReader(plain[:frames*DefaultFrameLength])))
			}
			messages := map[int][]byte{}
			for _, frames := range []int{short, long} {
				messages[frames] = seal(t, WriterOptions{Suite: suite}, plain[:frames*DefaultFrameLength])
			}
			readTo := func(frames int) {
				r := must(NewReader(bytes.NewReader(messages[frames]), ReaderOptions{AcceptUnsigned: true}, unwrapTest))
				must(r.WriteTo(io.Discard))
			}
			read := func(frames int) {
				r := must(NewReader(bytes.NewReader(messages[frames]), ReaderOptions{AcceptUnsigned: true}, unwrapTest))
				must(io.Copy(io.Discard, onlyReader{r}))
			}
			for name, run := range map[string]func(int){"ReadFrom": write, "WriteTo": readTo, "Read": read} {
				few, many := allocations(cpus, func() { run(short) }), allocations(cpus, func() { run(long) })
				// How often goroutines wait for each other varies, and each wait may allocate.
				if many > few+(long-short)/2 {
					t.Errorf("%s, %v, %d processors: %d allocations for %d frames, %d for %d", name, suite, cpus, few, short, many, long)
				}
			}
		}
	}
}

// allocations is the least number that run has needed.
func allocations(cpus int, run func()) uint64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cpus))
	least := ^uint64(0)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		run()
		runtime.ReadMemStats(&after)
		least = min(least, after.Mallocs-before.Mallocs)
	}
	return least
}

// TestConstantMemory sends much through a Writer, and through a Reader, up to memorySize. Each may have 8 MiB of heap,
// what is not collected yet included.
func TestConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("gigabytes take a while")
	}
	for _, tt := range []struct {
		frameLen int
		size     int64
	}{
		{DefaultFrameLength, memorySize},
		{DefaultFrameLength + 1, min(memorySize, 64<<20)},
		{1000, min(memorySize, 64<<20)},
		{300 << 10, min(memorySize, 64<<20)},
	} {
		for _, suite := range suites {
			o := WriterOptions{Suite: suite, FrameLength: tt.frameLen}
			for name, run := range map[string]func(dst io.Writer) int64{
				"Writer": func(dst io.Writer) int64 {
					w := must(NewWriter(dst, o, wrapTest))
					n := must(w.ReadFrom(io.LimitReader(zeros{}, tt.size)))
					must(0, w.Close())
					return n
				},
				"Reader": func(dst io.Writer) int64 {
					src, in := io.Pipe()
					go func() { // in pieces so small that they are sealed one by one
						w := must(NewWriter(in, o, wrapTest))
						must(io.CopyBuffer(struct{ io.Writer }{w}, io.LimitReader(zeros{}, tt.size), make([]byte, 64<<10)))
						in.CloseWithError(w.Close())
					}()
					return must(must(NewReader(src, ReaderOptions{AcceptUnsigned: true}, unwrapTest)).WriteTo(dst))
				},
			} {
				runtime.GC()
				var before runtime.MemStats
				runtime.ReadMemStats(&before)
				var heap heapMeter
				if n := run(&heap); n != tt.size {
					t.Fatalf("%s, %v, frames of %d: %d bytes", name, suite, tt.frameLen, n)
				}
				if grown := int64(heap.most) - int64(before.HeapAlloc); grown > 8<<20 {
					t.Errorf("%s, %v, frames of %d: the heap grew by %d KiB", name, suite, tt.frameLen, grown>>10)
				}
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A heapMeter looks at the heap now and then.
type heapMeter struct {
	writes int
	most   uint64
}

func (m *heapMeter) Write(p []byte) (int, error) {
	if m.writes++; m.writes%32 == 0 {
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		m.most = max(m.most, s.HeapAlloc)
	}
	return len(p), nil
}
