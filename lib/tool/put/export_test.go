//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package put

// GetTermios is for the tests of the prompt, which are of the program as a whole.
const GetTermios = getTermios
