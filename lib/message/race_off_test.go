//go:build !race

package message

const memorySize = 1 << 30
