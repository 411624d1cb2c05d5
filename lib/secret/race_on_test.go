//go:build race

package secret_test

// raceDetector makes tests leave out what -short leaves out.
const raceDetector = true

// raceOperations is less under the race detector, which takes ten times the time.
const raceOperations = 1_000

// mergers are the writers of TestMerges.
const mergers = 30
