//go:build race

package message

// The race detector takes longer, so that there is less for it to do.
const (
	memorySize  = 32 << 20
	flippedBits = 1
	manyFrames  = 1 << 9
	slowSize    = 20

	raceDetector = true
)
