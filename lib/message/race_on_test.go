//go:build race

package message

// memorySize is less under the race detector, which takes longer.
const memorySize = 128 << 20
