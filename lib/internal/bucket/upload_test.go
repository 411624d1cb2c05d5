package bucket

import (
	"io"
	"testing"
)

// TestParts holds the parts to the bounds of S3, and to the memory that is
// promised.
func TestParts(t *testing.T) {
	const (
		mib, gib, tib = 1 << 20, 1 << 30, 1 << 40
		partMin       = 5 * mib
		partMax       = 5 * gib
		objectMax     = 5 * tib
	)
	var total int64
	for i := range partsMax {
		size := partSize(i)
		if size < partMin || size > partMax {
			t.Fatalf("part %d has %d bytes", i, size)
		}
		held := size * (underWay(i) + 1)
		if held > heldMax && total < 58*gib || held > 2*heldMax {
			t.Fatalf("from part %d on, %d bytes are held", i, held)
		}
		if underWay(i) > 0 && i > 0 && partSize(i-1)*underWay(i)+size > heldMax {
			t.Fatalf("at part %d, over %d bytes are held", i, heldMax)
		}
		total += int64(size)
	}
	if total < tib || total > objectMax {
		t.Fatalf("%d parts hold %d bytes: not 1 TiB, or more than an object may have", partsMax, total)
	}
}

// TestBuffer reads what was written in pieces, in part and once more, in memory
// that another buffer has used.
func TestBuffer(t *testing.T) {
	var free [][]byte
	for _, size := range []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 3*chunkSize + 7} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * 7 >> 3)
		}
		b := new(buffer)
		for at := 0; at < size; at += 100_000 {
			free = b.add(data[at:min(at+100_000, size)], free)
		}
		for range 2 {
			got, err := io.ReadAll(b)
			if err != nil || string(got) != string(data) {
				t.Fatalf("%d bytes: read %d, %v", size, len(got), err)
			}
			if n, err := b.Seek(0, io.SeekEnd); n != int64(size) || err != nil {
				t.Fatalf("%d bytes: the end is at %d, %v", size, n, err)
			}
			if n, err := b.Seek(int64(-size), io.SeekCurrent); n != 0 || err != nil {
				t.Fatalf("%d bytes: the beginning is at %d, %v", size, n, err)
			}
		}
		if _, err := b.Seek(-1, io.SeekStart); err == nil {
			t.Fatal("read from before the beginning")
		}
		free = append(free, b.chunks...)
	}
	if len(free) != 4 {
		t.Errorf("%d chunks for at most 4", len(free))
	}
}
