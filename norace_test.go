//go:build !race

package microsecrets_test

const raceDetector = false
