//go:build !race

package suitetest

// RaceDetector reports whether the tests run under the race detector, which takes
// several times as long.
const RaceDetector = false
