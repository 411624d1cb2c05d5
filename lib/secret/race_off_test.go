//go:build !race

package secret_test

const raceDetector = false

const raceOperations = 10_000

// mergers are the writers of TestMerges.
const mergers = 100
