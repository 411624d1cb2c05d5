package message

import (
	"bytes"
	"io"
	"runtime"
	"testing"
)

// TestAllocations holds that a frame more costs no allocation more, on one processor and on several.
func TestAllocations(t *testing.T) {
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
				// How many jobs there are, and how often goroutines wait, varies.
				if many > few+(long-short)/4 {
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

// TestConstantMemory sends much through a Writer and a Reader, up to a gibibyte. Each may have 8 MiB of heap, what is not
// collected yet included.
func TestConstantMemory(t *testing.T) {
	for _, tt := range []struct {
		frameLen int
		size     int64
	}{
		{DefaultFrameLength, 1 << 30},
		{DefaultFrameLength + 1, 64 << 20},
		{1000, 64 << 20},
		{300 << 10, 64 << 20},
	} {
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)

		src, dst := io.Pipe()
		go func() {
			w := must(NewWriter(dst, WriterOptions{Suite: Unsigned, FrameLength: tt.frameLen}, wrapTest))
			must(w.ReadFrom(io.LimitReader(zeros{}, tt.size)))
			dst.CloseWithError(w.Close())
		}()
		r := must(NewReader(src, ReaderOptions{AcceptUnsigned: true}, unwrapTest))
		var heap heapMeter
		n, err := r.WriteTo(&heap)
		if err != nil || n != tt.size {
			t.Fatalf("frames of %d: read %d bytes, %v", tt.frameLen, n, err)
		}
		if grown := int64(heap.most) - int64(before.HeapAlloc); grown > 2*8<<20 {
			t.Errorf("frames of %d: the heap grew by %d KiB", tt.frameLen, grown>>10)
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
