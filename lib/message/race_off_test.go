//go:build !race

package message

const (
	memorySize  = 1 << 30 // bytes of a message in constant memory
	flippedBits = 8       // of each byte
)
