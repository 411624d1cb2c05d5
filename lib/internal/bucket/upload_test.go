package bucket

import (
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
