//go:build !race

package message

const (
	memorySize  = 1 << 30 // bytes of a message in constant memory
	flippedBits = 8       // of each byte
	manyFrames  = 1 << 13
	slowSize    = 1000 // bytes that are written and read in every way

	raceDetector = false
)
