//go:build !race

package secret_test

const raceOperations = 10_000
