// Package simulate runs the library, the AWS SDK and the emulator in one process,
// over connections in memory and in virtual time, under faults that a seed chooses,
// and holds what happened to what the library promises. See doc/simulation.md.
package simulate
