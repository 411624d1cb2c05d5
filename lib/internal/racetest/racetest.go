// Package racetest says how much tests do. What they leave out is for make
// test-plain.
package racetest

import "testing"

// Quick reports whether tests leave out what waits, repeats, or is much like what they
// do: under -short, and under the race detector, which takes ten times the time.
func Quick() bool { return testing.Short() || Detector }
