//go:build !race

package environ

const raceDetector = false
